"""The tasks of one flow run: their numbers, how many are under way, and how they ended."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from runtime.context import Environment
from runtime.engine.lines import Line
from runtime.exceptions import CancelledRun
from runtime.futures import PrefectFuture, wait, wait_async
from runtime.history import Journal
from runtime.lifecycle import Tally
from runtime.runs import FlowRun, TaskRun
from runtime.states import State
from runtime.task_runners import BaseTaskRunner


class TaskRunDriver(Protocol):
    """A task run under way."""

    future: PrefectFuture[Any]

    def cancel(self) -> None:
        """Ask the run to end."""

    def abandon(self) -> None:
        """Settle the run, whatever its attempt still does."""

    def mend(self) -> None:
        """Settle the run where the engine was stopped in the middle of it."""


#: a task or flow, who submitted it, and its number there
Place: TypeAlias = tuple[str, UUID | None, int]


class EarlierRun(NamedTuple):
    """A run in an earlier run count of its flow run, and how it ended."""

    run: TaskRun | FlowRun
    state: State
    run_count: int
    #: the runs in it
    within: "Mapping[Place, EarlierRun]"


class FlowRunScope:
    """What the task runs of one flow run share. Guarded by the journal's lock."""

    def __init__(
        self,
        flow_run: FlowRun,
        environment: Environment,
        journal: Journal,
        runner: BaseTaskRunner,
        *,
        keeps_completed: bool,
        earlier: EarlierRun | None,
    ) -> None:
        self.flow_run = flow_run
        self.environment = environment
        self.journal = journal
        self.runner = runner
        self.run_count = 1 if earlier is None else earlier.run_count + 1
        #: whether this flow, or one around it, may be tried again: completed runs are kept for that
        self.keeps_completed = keeps_completed
        self.tally = Tally()
        self.under_way: dict[TaskRun, TaskRunDriver] = {}
        #: runs that the engine was stopped in the middle of
        self.torn: list[TaskRunDriver] = []
        #: whether new runs are refused, and why
        self.closed: str | None = None
        #: tasks of a sequential runner that wait for the flow's loop
        self.line = Line()
        self._numbers: dict[tuple[str, UUID | None], int] = {}
        self._earlier: dict[Place, EarlierRun] = {} if earlier is None else dict(earlier.within)

    def number(self, key: str, submitter: TaskRun | None = None) -> int:
        """How many runs of the same task, or flow, the submitter had before in this run count."""
        place = (key, submitter.id if submitter is not None else None)
        with self.journal.lock:
            n = self._numbers.get(place, 0)
            self._numbers[place] = n + 1
            return n

    def earlier(self, key: str, submitter: TaskRun | None, n: int) -> EarlierRun | None:
        """The same run in an earlier run count, where there was one."""
        if not self._earlier:
            return None
        return self._earlier.get((key, submitter.id if submitter is not None else None, n))

    def began(self, driver: TaskRunDriver) -> None:
        """One more run is under way."""
        with self.journal.lock:
            if self.closed is not None:
                raise CancelledRun(f"'{driver.future.task_run.name}' is not run any more: {self.closed}")
            self.under_way[driver.future.task_run] = driver

    def ended(self, task_run: TaskRun, state: State) -> None:
        """A task run settled, or was found settled in an earlier run count."""
        with self.journal.lock:
            self.under_way.pop(task_run, None)
            self.tally.add(state)
            if self.keeps_completed:
                submitter = task_run.parent.id if task_run.parent is not None else None
                place = (f"{task_run.task_name}-{task_run.task_key}", submitter, task_run.n)
                self._earlier[place] = EarlierRun(task_run, state, self.run_count, {})

    def subflow_ended(self, subflow: "FlowRunScope", state: State) -> None:
        """A subflow run ended."""
        run = subflow.flow_run
        with self.journal.lock:
            self.tally.add(state)
            if self.keeps_completed:
                self._earlier[run.flow_name, None, run.n] = EarlierRun(
                    run, state, subflow.run_count, subflow._earlier
                )

    def again(self, run_count: int) -> None:
        """The flow's function is called again: count anew, and keep what completed."""
        with self.journal.lock:
            self.run_count = run_count
            self.tally = Tally()
            self._numbers.clear()
            self.closed = None

    def check_open(self, what: str, run_count: int) -> None:
        """Raise ``CancelledRun`` where no new run may begin, or none for code of this run count.

        Code that was left behind, since it did not stop when told to, gets to know it here.
        """
        if self.closed is not None:
            raise CancelledRun(f"{what} is not run any more: {self.closed}")
        if run_count != self.run_count:
            raise CancelledRun(
                f"{what} is not run any more: the flow run is at its attempt {self.run_count}."
            )

    def mend(self) -> None:
        """Settle all runs that the engine was stopped in the middle of."""
        while self.torn:
            driver = self.torn[-1]
            driver.mend()
            with suppress(ValueError):  # somebody else was at it too
                self.torn.remove(driver)

    def wait(self) -> None:
        """Block until no run is under way, and take no new ones from then on."""
        while futures := self._left():
            wait(futures)

    async def wait_async(self) -> None:
        """Like :meth:`wait`, to be awaited."""
        while futures := self._left():
            await wait_async(futures)

    def cancel(self, why: str) -> None:
        """Ask all runs to end, and take no new ones."""
        self._for_all(lambda driver: driver.cancel(), why)

    def abandon(self, why: str) -> None:
        """Settle all runs, whatever their attempts still do, and take no new ones."""
        self._for_all(lambda driver: driver.abandon(), why)

    def _for_all(self, do: Callable[[TaskRunDriver], None], why: str) -> None:
        with self.journal.lock:
            self.closed = why
            drivers = list(self.under_way.values())
        for driver in drivers:
            with suppress(RuntimeError):  # a loop that is closed already
                do(driver)

    def _left(self) -> list[PrefectFuture[Any]]:
        with self.journal.lock:
            if not self.under_way and self.closed is None:
                self.closed = f"flow run '{self.flow_run.name}' has ended."
            return [driver.future for driver in self.under_way.values()]
