"""Results that lie in Ray's object store until somebody asks for them."""

from typing import Any

from ray.exceptions import GetTimeoutError, RayError

from runtime.exceptions import CrashedRun
from runtime.lifecycle import describe
from runtime.remote import RemoteResult
from runtime.task_runners.ray.instances import RayInstance
from runtime.task_runners.ray.native import ray

#: Seconds between looks whether Ray still lives, while a large result travels.
_LOOK = 1.0
_LINE_END = "\n"


class RayResult(RemoteResult):
    """A result in the object store of a Ray."""

    def __init__(self, inline: bytes, ref: Any, instance: RayInstance) -> None:
        super().__init__(inline)
        #: Ray's reference to it, alone in a tuple
        self.ref = ref
        self.instance = instance

    def fetch_from_worker(self) -> Any:
        """The result. Raises ``CrashedRun`` where it is lost."""
        while self.instance.lost is None:
            try:
                return ray.get(self.ref, timeout=_LOOK)[0]
            except GetTimeoutError:
                continue
            except RayError as error:
                raise CrashedRun(f"The result is lost: {describe(error).partition(_LINE_END)[0]}") from error
        raise CrashedRun(f"The result is lost: {self.instance.lost}")
