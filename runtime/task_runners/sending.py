"""What task runners share that send attempts to other processes, some of them before their time has come.

An attempt may go ahead: it is sent along with its upstream, while that is still under way, and counts once
the engine asks for it and everything turned out as foreseen. Otherwise it is sent again, as it is to be then.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

from runtime.envelope import Attempt
from runtime.lifecycle import Refused, describe
from runtime.task_runners.base import BaseTaskRunner, TaskConcurrencyType


class SendingTaskRunner(BaseTaskRunner):
    """Sends attempts to workers. ``attempt.handle`` is the runner's own note of one that was sent."""

    foresees = True

    @property
    def concurrency_type(self) -> TaskConcurrencyType:
        """Parallel."""
        return TaskConcurrencyType.PARALLEL

    @abstractmethod
    def send(self, attempt: Attempt, *, confirmed: bool) -> None:
        """Send the attempt, and set its handle.

        Where it is not ``confirmed`` it goes ahead, and nothing is reported of it. Raises where it cannot be
        sent.
        """

    @abstractmethod
    def confirm(self, handle: Any, otherwise: Callable[[], None]) -> None:
        """The engine asks for an attempt that went ahead: it counts, or ``otherwise`` is called."""

    def submit(self, attempt: Attempt) -> None:
        """Send the attempt, or let it count that it was sent."""
        _ = self.environment  # raises where the runner is not started
        if attempt.handle is not None:
            self.confirm(attempt.handle, partial(self._send_after_all, attempt))
        else:
            self._send(attempt)

    def foresee(self, attempt: Attempt) -> None:
        """Send the attempt along with its upstream, where all of that is under way at the same place."""
        try:
            self.send(attempt, confirmed=False)
        except Exception:
            return  # it is sent, or refused, when its time has come; or never, where its upstream failed

    def _send(self, attempt: Attempt) -> None:
        self.send(attempt, confirmed=True)
        if attempt.stopping:  # since before there was anything to stop
            self.stop(attempt)

    def _send_after_all(self, attempt: Attempt) -> None:
        try:
            self._send(attempt)
        except Exception as error:  # what submit() would have raised
            message = f"The task runner could not take the task run: {describe(error)}"
            attempt.report(Refused(attempt.number, message, error))
