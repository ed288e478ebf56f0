"""What the engine asks of a task runner."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum
from threading import Lock
from typing import Any

from runtime.context import Environment, current_environment
from runtime.envelope import Attempt
from runtime.threads import LoopThread


class TaskConcurrencyType(str, Enum):
    """What a task runner promises about tasks submitted one after the other."""

    #: each has ended before the next begins, on the caller's thread or loop: the engine sees to that itself
    SEQUENTIAL = "SEQUENTIAL"
    #: they take turns
    CONCURRENT = "CONCURRENT"
    #: they run at the same time
    PARALLEL = "PARALLEL"


class BaseTaskRunner(ABC):
    """Makes attempts somewhere. It knows nothing of retries, timeouts, histories or flows.

    A subclass passes its settings on to ``super().__init__(**settings)``, under the names that its own
    ``__init__`` takes: two runners with the same settings are equal, and copies are made of them.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._environment: Environment | None = None
        self._loop_threads: dict[str, LoopThread] = {}

    @property
    def name(self) -> str:
        """The name that logs use."""
        return type(self).__name__

    @property
    @abstractmethod
    def concurrency_type(self) -> TaskConcurrencyType:
        """What the runner promises."""

    @property
    def environment(self) -> Environment:
        """The environment it was started in. Raises ``RuntimeError`` where it is not started."""
        if self._environment is None:
            raise self.not_started()
        return self._environment

    def not_started(self) -> RuntimeError:
        """The error of a runner that is given something to do before its start or after its end."""
        return RuntimeError(f"{self.name} is not started: submit tasks inside of a flow that uses it.")

    @contextmanager
    def start(self, environment: Environment | None = None) -> Generator["BaseTaskRunner"]:
        """Run for the length of the block. Raises ``RuntimeError`` where it runs already."""
        if self._environment is not None:
            raise RuntimeError(f"{self.name} is started already; `duplicate()` makes another one like it.")
        self._environment = environment or current_environment()
        try:
            self.open()
            try:
                yield self
            finally:
                self.close()
        finally:
            with _starting_loop:  # code that was left behind may be about to start another loop
                self._environment = None
            for purpose in list(self._loop_threads):
                self.end_loop(purpose)

    def open(self) -> None:
        """Get ready for attempts. What it raises is the reason why a flow crashed."""

    def close(self) -> None:
        """Give back everything. No attempt that anybody waits for is left."""

    @abstractmethod
    def submit(self, attempt: Attempt) -> None:
        """See to it that the attempt is made, and that its reports arrive; do not wait for it.

        An exception means that the call itself is at fault, and fails the run. May be called on any thread.
        """

    #: whether the runner wants to hear of attempts before they can be made
    foresees = False

    def foresee(self, attempt: Attempt) -> None:
        """Get ready for an attempt that will be submitted once its upstream runs have completed.

        If all goes well the very same attempt is submitted then; else it is stopped. It must not report
        before.
        """

    @abstractmethod
    def stop(self, attempt: Attempt) -> None:
        """End the attempt as soon as can be, and give its slot to others at once. Called on any thread."""

    def loop(self, purpose: str = "loop") -> Any:
        """An event loop: that for async tasks of flows that are not async, or one for another purpose.

        It is started when first asked for, and ended with the runner. Raises ``RuntimeError`` where the
        runner is not started.
        """
        with _starting_loop:
            loop_thread = self._loop_threads.get(purpose)
            if loop_thread is None:
                loop_thread = self.environment.threads.start_loop(f"flows-{self.name}-{purpose}")
                self._loop_threads[purpose] = loop_thread
            return loop_thread.loop

    def end_loop(self, purpose: str) -> None:
        """End the event loop for that purpose, where there is one."""
        with _starting_loop:
            loop_thread = self._loop_threads.pop(purpose, None)
        if loop_thread is not None:
            loop_thread.stop()

    def brings_environment(self) -> Environment | None:
        """The environment that flows with this runner are to run in; None: the one around them."""
        return None

    def duplicate(self) -> "BaseTaskRunner":
        """Another one with the same settings, not started."""
        return type(self)(**self._settings)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._settings == getattr(other, "_settings", None)

    def __hash__(self) -> int:
        return hash(type(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._settings)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self._settings.items())})"


_starting_loop = Lock()


def _rebuild(kind: type[BaseTaskRunner], settings: dict[str, Any]) -> BaseTaskRunner:
    return kind(**settings)
