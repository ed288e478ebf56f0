"""One task after the other, where they are submitted."""

from typing import NoReturn

from runtime.envelope import Attempt
from runtime.task_runners.base import BaseTaskRunner, TaskConcurrencyType


class SequentialTaskRunner(BaseTaskRunner):
    """Runs each task to its end before the next one, in the order of submission.

    There is nothing to hand over: the engine makes the attempts on the submitter's own thread or loop.
    """

    @property
    def concurrency_type(self) -> TaskConcurrencyType:
        """Sequential."""
        return TaskConcurrencyType.SEQUENTIAL

    def submit(self, attempt: Attempt) -> NoReturn:
        """Never called: attempts are made where tasks are submitted."""
        raise RuntimeError(f"{self.name} takes no attempts, it is not where {attempt.task_run.name} runs.")

    def stop(self, attempt: Attempt) -> NoReturn:
        """Never called: there are no attempts here."""
        raise RuntimeError(f"{self.name} has no attempts, it is not where {attempt.task_run.name} runs.")
