"""One attempt on a Dask cluster, as the driver knows it."""

from typing import Any

from runtime.envelope import Attempt
from runtime.remote import Message, PackedCall


class Sent:
    """One attempt on the cluster."""

    __slots__ = (
        "annotations",
        "attempt",
        "call",
        "confirmed",
        "finished_at",
        "future",
        "has_value",
        "id",
        "is_erring",
        "kept_back",
        "key",
        "sent_again",
        "task_run",
        "upstream",
        "worker",
    )

    def __init__(
        self,
        id: str,  # noqa: A002 - the word for it
        attempt: Attempt,
        packed: PackedCall,
        annotations: dict[str, Any],
        *,
        confirmed: bool,
    ) -> None:
        self.id = id
        #: Dask's name for it: the id, unless it had to be sent again
        self.key = id
        #: None once it has ended
        self.attempt: Attempt | None = attempt
        self.task_run = attempt.task_run
        self.call = packed.body
        #: what it needs, kept on the cluster until it has ended
        self.upstream: list[Sent] = packed.upstream
        self.annotations = annotations
        #: whether the engine has asked for it
        self.confirmed = confirmed
        self.kept_back: list[Message] = []
        #: Dask's future; its value stays on the cluster for as long as this exists
        self.future: Any = None
        self.worker: str | None = None
        #: whether its value lies on the cluster
        self.has_value = False
        self.sent_again = False
        #: whether it is being found out what went wrong
        self.is_erring = False
        #: when the cluster was first seen to be done with it
        self.finished_at: float | None = None

    @property
    def is_dead(self) -> bool:
        """Whether the cluster has given it up."""
        return self.future is not None and self.future.status in _DEAD


_DEAD = frozenset({"lost", "cancelled", "error"})
