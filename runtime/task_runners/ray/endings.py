"""What to make of an attempt of which Ray, and not the worker, says that it is over."""

from typing import Any, cast

from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)

from runtime.envelope import Attempt
from runtime.lifecycle import Lost, Stopped, TaskRunEvent, describe
from runtime.task_runners.ray.native import fatal_signal


def ended(attempt: Attempt, worker: str | None, error: BaseException) -> TaskRunEvent:
    """The event behind ``error``. ``worker``: where the attempt ran, as far as that is known."""
    number = attempt.number
    if attempt.stopping:
        return Stopped(number)
    cause: Any = error
    while isinstance(cause, RayTaskError) and isinstance(inner := cast("Any", cause).cause, BaseException):
        cause = inner
    where = f"The worker ({worker})" if worker is not None else "The worker"
    if isinstance(cause, TaskCancelledError):
        return Lost(number, "The task was cancelled on Ray, and not by its flow.")
    if isinstance(cause, OutOfMemoryError):
        return Lost(
            number,
            f"{where} was ended by Ray because its machine was about to run out of memory (memory limit). "
            "With more num_cpus in remote_options(), fewer tasks run beside it. "
            f"Ray says: {_first_line(cause)}",
        )
    if isinstance(cause, ObjectLostError):
        return Lost(
            number,
            "Result lost: something that the task was given died with the node that held it. "
            f"Ray says: {_first_line(cause)}",
        )
    if isinstance(cause, WorkerCrashedError | NodeDiedError):
        return Lost(number, f"{where} died while it ran the task. {_how(worker, cause)}")
    return Lost(number, f"Ray could not run the task to its end: {describe(cause)}")


def _how(worker: str | None, error: Any) -> str:
    signal = fatal_signal(int(worker.rpartition(" ")[2])) if worker is not None else None
    if signal is not None:
        return f"It was ended by {signal}."
    return (
        "It was killed (SIGKILL, most often for lack of memory), crashed (SIGSEGV), or ended itself "
        f"(os._exit). Ray says: {_first_line(error)}"
    )


def _first_line(error: Any) -> str:
    """What Ray says, without its advice: that is for those who use Ray by itself."""
    return describe(error).partition("\n")[0]
