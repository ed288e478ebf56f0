"""A flow in a process of its own, which may end at any state change: somebody goes on in the next one."""

from collections.abc import Callable
from contextvars import copy_context
from inspect import iscoroutine, signature
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from runtime import Flow
from runtime.exceptions import StoreError
from runtime.history import FlowRunHistory
from runtime.results import LocalResultStorage, result_storage
from runtime.states import State
from simulators.exceptions import SimulatorError
from simulators.loops import SimulatedLoop
from simulators.scheduling import Abandoned
from simulators.simulation import Simulation, simulation_here


def see_through(flow: "Flow[..., Any]", *args: Any, **kwargs: Any) -> Any:
    """Call a flow, and resume its run wherever its process dies or its history cannot be kept.

    Returns what it returns in the end, or raises what it ends with. The flow runs in a process of its own,
    which ``DriverCrash`` ends; results that tasks persist (in a folder of this call's own) are there for the
    next one, and what lies in modules. Where nothing of the run was safe yet, the flow is called anew. Async
    flows are waited for, too.
    Outside of a simulation it is an ordinary call.
    """

    def call() -> Any:
        return flow(*args, return_state=True, **kwargs)

    simulation = simulation_here()
    if simulation is None:
        state = call()
        return state.result()
    if simulation.scheduler.process is not None:
        raise SimulatorError("A flow that is seen through cannot see another one through.")
    parameters = signature(flow.fn).bind(*args, **kwargs).arguments
    again: Callable[[], Any] = call
    # Of its own: results of the last schedule's run have the same names.
    with TemporaryDirectory() as folder, result_storage(LocalResultStorage(Path(folder))):
        while True:
            ended = _in_a_process(simulation, again)
            if isinstance(ended, State):
                return ended.result()
            histories = simulation.histories
            left = histories.recover(histories.flow_runs()[-1])
            again = call if left is None else _resuming(flow, left, parameters)


def _resuming(flow: "Flow[..., Any]", left: FlowRunHistory, parameters: dict[str, Any]) -> Callable[[], Any]:
    return lambda: flow.resume(left, parameters)


def _in_a_process(simulation: Simulation, call: Callable[[], Any]) -> State | None:
    """How the flow run ended; None where its process did before, or its history.

    Raises what the call raises.
    """
    scheduler = simulation.scheduler
    context = copy_context()
    came: list[State | BaseException] = []

    def live() -> None:
        try:
            came.append(context.run(_awaited, simulation, call))
        except Abandoned:
            raise
        except BaseException as error:  # raised where somebody waits for the process
            came.append(error)
        scheduler.end_process()

    scheduler.begin_process(object())
    scheduler.spawn(scheduler.new_lane("process"), live)
    while scheduler.process is not None:
        scheduler.block("wait", "its process to end")
    if not came or isinstance(came[0], StoreError):
        return None
    if isinstance(came[0], BaseException):
        raise came[0]
    return came[0]


def _awaited(simulation: Simulation, call: Callable[[], Any]) -> State:
    result = call()
    if not iscoroutine(result):
        return result
    loop = SimulatedLoop(simulation.scheduler)
    try:
        return loop.run_until_complete(result)
    finally:
        loop.cancel_all()
        loop.close()
