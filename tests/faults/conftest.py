"""After every fault, what is true of every history is checked."""

import pytest


@pytest.fixture(autouse=True)
def _checked(store):
    return store
