"""Telling those who listen: plugins, and the hooks that flows and tasks bring along."""

from collections.abc import Mapping
from typing import Any

from runtime.history import StateChange
from runtime.history.journal import Listener
from runtime.hooks import plugins
from runtime.logging import ENGINE
from runtime.policies import StateHook
from runtime.states import State, StateType


def listeners() -> tuple[Listener, ...]:
    """The plugins that want to hear of state changes; none where none is plugged in."""
    heard = plugins().hook.flows_state_change
    return (lambda change: heard(change=change),) if heard.get_hookimpls() else ()


def announce(
    change: StateChange,
    state: State,
    listening: tuple[Listener, ...],
    hooks: Mapping[StateType, tuple[StateHook, ...]],
    owner: Any,
) -> None:
    """Tell everybody of a change to ``state``. What they raise is logged and changes nothing."""
    for listener in listening:
        try:
            listener(change)
        except Exception:
            ENGINE.exception("A plugin failed to hear of %r", change)
    for hook in hooks.get(state.type, ()):
        try:
            hook(owner, change.run, state)
        except Exception:
            name = getattr(hook, "__name__", repr(hook))
            ENGINE.exception("The hook %s of %s raised at state %s", name, change.run.name, state)
