"""Plugging something in for the length of a test."""

import pytest

from runtime.hooks import plugins


@pytest.fixture
def plug_in():
    """Plugs in; and out again, after the test."""
    registered = []

    def register(plugin):
        plugins().register(plugin)
        registered.append(plugin)
        return plugin

    yield register
    for plugin in registered:
        plugins().unregister(plugin)
