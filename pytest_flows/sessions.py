"""The task runners of one pytest session: nothing of the runtime is imported before they are needed."""

from typing import TYPE_CHECKING

import pytest

from pytest_flows.options import chosen_names

if TYPE_CHECKING:
    from pytest_flows.backends import Backends


def backends_of(config: pytest.Config) -> "Backends":
    """The task runners of the session, closed at its end. Raises ``UsageError`` for unknown names."""
    if _BACKENDS not in config.stash:
        from pytest_flows.backends import Backends

        config.stash[_BACKENDS] = backends = Backends(chosen_names(config))
        config.add_cleanup(backends.close)
    return config.stash[_BACKENDS]


_BACKENDS = pytest.StashKey["Backends"]()
