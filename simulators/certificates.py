"""Certificates: what a search has shown, and no more than that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulators.schedules import Points


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What has been shown. ``complete`` where nothing at all was left out; ``gaps`` says what was.

    In a test: ``assert check(test, strategy="dpor", points="accesses").certificate.complete``.
    """

    points: Points
    strategy: str
    seed: int
    #: whether the strategy looks for all schedules, or takes a sample
    exhaustive: bool
    #: every limit that was set, such as ``step_limit`` and ``preemptions``, whether anything met it or not
    bounds: Mapping[str, float]
    executions: int
    #: how many different traces that were, where the strategy tells them apart
    traces: int | None = None
    failures: int = 0
    #: how many pairs of places race for data, where accesses are known
    races: int = 0
    #: the files whose code had points of its own
    modules: Sequence[str] = ()
    #: code that should have had points and had none
    unmarked: Sequence[str] = ()
    #: what took real time, and where
    outside_control: Sequence[str] = ()
    #: why it is not complete
    gaps: Sequence[str] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether all schedules that there are, at these points, were seen or are like one that was."""
        return not self.gaps

    @property
    def race_free(self) -> bool:
        """Whether it is complete, without a failure and without a data race."""
        return self.complete and not self.failures and not self.races

    def __str__(self) -> str:
        return "; ".join([self._shown, *self._besides])

    def __repr__(self) -> str:
        return f"<Certificate {self}>"

    @property
    def _shown(self) -> str:
        found = f"{self.failures} failing" if self.failures else "no failure"
        if self.complete:
            kind = "interleaving" if self.traces is None else "trace"
            count = self.executions if self.traces is None else self.traces
            every = f"the only {kind}" if count == 1 else f"all {count} {kind}s"
            return f"{every} at points={self.points}: {found}"
        tried = f"{found} in {self.executions} schedules ({self.strategy})"
        if self.exhaustive:
            return f"{tried} at points={self.points}, not complete: {', '.join(self.gaps)}"
        if self.failures or not self.executions:
            return tried
        # The rule of three: what happens in more than 3/n of all schedules is missed n times by chance in 20.
        return (
            f"{tried}; a failure that one schedule in {max(1, round(self.executions / 3))} of this strategy "
            f"shows is missed with a chance of 5 %"
        )

    @property
    def _besides(self) -> list[str]:
        parts = (
            (self.races, "data races"),
            (len(self.unmarked), "pieces of code without points (unmarked)"),
            (len(self.outside_control), "lines outside control"),
        )
        return [f"{count} {what}" for count, what in parts if count]
