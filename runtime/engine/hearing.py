"""Telling those who listen: plugins, and the hooks that flows and tasks bring along."""

from collections.abc import Callable, Mapping
from typing import Any

from runtime.history import StateChange
from runtime.history.journal import Listener
from runtime.hooks import plugins
from runtime.interrupts import interrupt_later
from runtime.lifecycle import traceback_of
from runtime.logging import ENGINE
from runtime.policies import StateHook
from runtime.runs import FlowRun, TaskRun
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
        except BaseException as error:
            ENGINE.exception("A plugin failed to hear of %r", change)
            _pass_on(error)
    for hook in hooks.get(state.type, ()):
        try:
            hook(owner, change.run, state)
        except BaseException as error:
            name = getattr(hook, "__name__", repr(hook))
            # Not by exc_info: an exception may break the handlers that look at it.
            said = "The hook %s of %s raised at state %s\n%s"
            ENGINE.error(said, name, change.run.name, state, traceback_of(error))
            _pass_on(error)


def enter(run: FlowRun | TaskRun) -> None:
    """Let plugins set context variables for the code of a run, in whose context this is called."""
    hook = plugins().hook.flows_enter_run
    if hook.get_hookimpls():
        try:
            hook(run=run)
        except Exception:
            ENGINE.exception("A plugin failed to enter %s", run.name)


def call_back(callback: Callable[[Any], object], future: Any) -> None:
    """Tell somebody that a run has settled. What is raised is logged and changes nothing."""
    try:
        callback(future)
    except BaseException as error:
        ENGINE.exception("A callback of task run '%s' raised", future.task_run.name)
        _pass_on(error)


def _pass_on(error: BaseException) -> None:
    """An interrupt is meant for the flow, wherever it arrives."""
    if isinstance(error, KeyboardInterrupt):
        interrupt_later()
