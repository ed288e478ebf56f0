"""Sharing: the schedules of a search, dealt out to several processes.

Each worker is a fork of the process that searches, so that it has the test, whatever that is, and hashes
alike. It goes through all schedules in order, runs every n-th and tells what came of it. Who searches takes
what they tell in the order of the schedules, so that nothing depends on who was faster. A schedule that
fails, or shows a data race that its worker had not seen before, is run once more by who searches: so a
failure is what it always is.
"""

import gc
import math
import multiprocessing
import pickle
import signal
import warnings
from collections.abc import Generator, Hashable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from simulators.conditions import Conditions
from simulators.exceptions import Livelock, SimulatorError
from simulators.execution import Execution, Test
from simulators.strategies import Strategy

#: schedules after which the youngest garbage is collected
COLLECT_EVERY = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """What a search counts of one schedule."""

    outcome: Any
    outline: int
    gaps: Sequence[str]
    outside_control: Sequence[str]
    failed: bool
    #: whether who searches has to see it for itself
    remarkable: bool = False

    @classmethod
    def of(cls, execution: Execution) -> "Finding":
        """What is to be counted of an execution."""
        return cls(
            execution.outcome,
            execution.outline,
            tuple(_gaps(execution)),
            tuple(execution.outside_control),
            execution.failed,
        )


def check_processes(processes: int, strategy: Strategy) -> None:
    """Raise where so many processes cannot share a search by that strategy."""
    if processes < 1:
        raise SimulatorError(f"processes must be 1 or more, not {processes}")
    if processes == 1:
        return
    if math.isinf(strategy.learns):
        raise SimulatorError(
            f"processes={processes} goes with strategies that decide a schedule by its number alone: "
            f"'random', 'pos' and 'pct', without near= and without faults. {strategy.name!r} decides by what "
            f"came of those before it."
        )
    if "fork" not in multiprocessing.get_all_start_methods():
        raise SimulatorError(f"processes={processes} needs a system that can fork, which this one cannot.")


class Workers:
    """Processes that share the schedules that a strategy has yet to give.

    It must have begun and ended as many as it learns from, and no simulation may be active.
    """

    def __init__(
        self, number: int, test: Test, conditions: Conditions, strategy: Strategy, done: int
    ) -> None:
        self._number = number
        self._test = test
        self._conditions = conditions
        self._strategy = strategy
        #: schedules that came before, and those told of
        self._done = done
        self._processes: list[BaseProcess] = []
        self._receivers: list[Connection] = []

    @contextmanager
    def at_work(self, last: float) -> Generator["Workers"]:
        """Have them run all up to that number, and leave no process behind."""
        context = multiprocessing.get_context("fork")
        try:
            for index in range(self._number):
                receiver, sender = context.Pipe(duplex=False)
                self._receivers.append(receiver)
                process = context.Process(target=self._work, args=(index, last, sender))
                with warnings.catch_warnings():
                    # Threads that run besides are not in the fork, and a simulation needs none of them.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    process.start()
                self._processes.append(process)
                sender.close()  # else the workers that follow would have it too, and its end go unseen
            yield self
        finally:
            for receiver in self._receivers:
                receiver.close()
            for process in self._processes:
                process.kill()
                process.join()

    def next(self) -> Finding:
        """What came of the schedule that is next in order. Raises what a worker could not go on for."""
        number, self._done = self._done, self._done + 1
        index = number % self._number
        try:
            told: Finding | BaseException = self._receivers[index].recv()
        except (EOFError, OSError) as error:
            raise self._lost(index) from error
        if isinstance(told, BaseException):
            raise told
        return told

    def _lost(self, index: int) -> SimulatorError:
        process = self._processes[index]
        process.join()
        return SimulatorError(
            f"Worker process {process.pid} of this search is gone (exit code {process.exitcode}; below 0 it "
            f"is the signal that ended it). Lost are schedule {self._done} and, from there on, one of every "
            f"{self._number}."
        )

    def _work(self, index: int, last: float, sender: Connection) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who searches gets it too, and ends us
        for receiver in self._receivers:
            receiver.close()
        try:
            self._run(index, last, sender)
        except BrokenPipeError:  # nobody listens any more
            return
        except BaseException as error:  # it is raised where the search is
            sender.send(_copy(error) or SimulatorError(f"{type(error).__name__}: {error}"))

    def _run(self, index: int, last: float, sender: Connection) -> None:
        seen: set[Hashable] = set()
        strategy = self._strategy
        with self._conditions.executor(self._test) as executor:
            for number in count(self._done):
                if number >= last or not strategy.begin():
                    return
                if number % self._number != index:
                    continue
                execution = executor.run(strategy)
                strategy.end(execution)
                sender.send(_told(execution, seen))
                if number // self._number % COLLECT_EVERY == 0:
                    gc.collect(0)


def _told(execution: Execution, seen: set[Hashable]) -> Finding:
    """The finding, without an outcome where that would not arrive as what it is."""
    finding = Finding.of(execution)
    new = execution.racing - seen
    seen |= new
    arrives = bool(_copy(finding.outcome) == finding.outcome)
    return Finding(
        finding.outcome if arrives else None,
        finding.outline,
        finding.gaps,
        finding.outside_control,
        finding.failed,
        remarkable=finding.failed or bool(new) or not arrives,
    )


def _copy(value: object) -> object:
    """What arrives of a value that is sent; None where nothing does."""
    try:
        return pickle.loads(pickle.dumps(value))  # noqa: S301 - it was made here
    except Exception:  # whatever a user's class raises
        return None


def _gaps(execution: Execution) -> Generator[str]:
    """What keeps one run from saying all about its schedule."""
    if isinstance(execution.error, Livelock):
        yield "a run was cut off that went on for ever"
    if execution.favours:
        yield "somebody got a turn that no strategy decided"
    if execution.outside_control:
        yield "real time decided something"
