"""What a simulated cluster is like."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from simulators.exceptions import SimulatorError

#: Whose rules a cluster follows.
Like = Literal["dask", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedCluster:
    """Workers for simulated flow runs: each attempt is made on one of them, as on a real cluster.

    What tasks are given and what they return goes through the serialisation of the real task runners, so
    nothing is shared by accident, and what cannot be pickled does not travel. Modules and their globals are
    those of this process, for all workers alike.
    """

    workers: int = 2
    #: attempts that a worker makes at a time
    threads: int = 1
    #: what each worker has besides its threads, such as ``{"GPU": 1}``
    resources: Mapping[str, float] = field(default_factory=dict[str, float])
    #: virtual seconds that a call, a message or a value travels
    latency: float = 0.0
    #: bytes of results that a worker can hold before it is ended for lack of memory; None: any number
    memory: int | None = None
    like: Like = "dask"
    #: virtual seconds until a worker that died is replaced; None: it is not
    restart: float | None = 1.0
    #: virtual seconds without a word after which the driver gives up an attempt
    patience: float = 5.0

    def __post_init__(self) -> None:
        """Raise ``SimulatorError`` for a cluster that there cannot be."""
        if self.like not in get_args(Like):
            raise SimulatorError(f"A cluster is like {' or '.join(get_args(Like))}, not {self.like!r}")
        for name, least in (("workers", 1), ("threads", 1), ("latency", 0), ("memory", 1), ("restart", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise SimulatorError(f"{name} must be {least} or more, not {value!r}")
        if any(amount < 0 for amount in self.resources.values()):
            raise SimulatorError(f"A worker cannot have less than nothing: {dict(self.resources)}")

    def __repr__(self) -> str:
        changed = [
            f"{name}={value!r}"
            for name, (value, usual) in {
                name: (getattr(self, name), getattr(_USUAL, name)) for name in self.__slots__
            }.items()
            if value != usual
        ]
        return f"SimulatedCluster({', '.join(changed)})"


_USUAL = SimulatedCluster()
