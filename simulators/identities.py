"""Ids, names and chance that follow from a seed: the same in every run of a schedule, in every process."""

import hashlib
import itertools
import random
from uuid import UUID

from runtime.identities import name_from
from runtime.runs import FlowRun, TaskRun


class SeededIdentities:
    """Gives runs ids and names that depend on the seed and on their path alone.

    The paths are what decisions are named by: ``add-0`` in the first flow run of a simulation,
    ``child-flow-0/add-0`` in a subflow, ``my-flow-1/add-0`` in a further outermost flow run.
    """

    def __init__(self, seed: int, earlier: dict[str, int] | None = None) -> None:
        self._seed = seed
        #: outermost runs of each flow whose histories go to the same store
        self._earlier = earlier
        # Every schedule has much the same runs, so ids are made once.
        self._ids: dict[str, UUID] = {}
        self.begin()

    def begin(self) -> None:
        """Forget the last run."""
        self._outermost: dict[str, int] = {}
        self._prefixes: dict[UUID, str] = {}
        self._names: dict[UUID, str] = {}

    def path(self, run: FlowRun | TaskRun) -> str:
        """The path of a run."""
        if isinstance(run, FlowRun):
            return self._names.get(run.id) or run.short_name
        prefix = self._prefixes.get(run.flow_run_id, "") if run.flow_run_id is not None else ""
        return f"{prefix}{run.short_name}"

    def flow_run_id(self, parent: UUID | None, flow_name: str, n: int) -> UUID:
        """The id of a flow run."""
        if parent is None:
            first = not self._outermost
            n = self._outermost.get(flow_name, 0)
            self._outermost[flow_name] = n + 1
            name = self._free(f"{flow_name}-{n}")
            prefix = "" if first else f"{name}/"
            if self._earlier is not None:
                n = self._earlier.get(flow_name, 0)
                self._earlier[flow_name] = n + 1
            run_id = self._id(f"flow {flow_name}-{n}")
        else:
            name = self._free(f"{self._prefixes.get(parent, '')}{flow_name}-{n}")
            prefix = f"{name}/"
            run_id = self._id(f"flow {parent} {flow_name}-{n}")
        self._prefixes[run_id] = prefix
        self._names[run_id] = name
        return run_id

    def flow_run_name(self, flow_run_id: UUID) -> str:
        """Two words that follow from the id."""
        return name_from(flow_run_id)

    def task_run_id(self, flow_run_id: UUID | None, task_run_path: str) -> UUID:
        """The id of a task run."""
        return self._id(f"task {flow_run_id.hex if flow_run_id is not None else ''} {task_run_path}")

    def fraction(self, run_id: UUID, attempt: int) -> float:
        """A number in [0, 1)."""
        return random.Random(f"{self._seed} {run_id} {attempt}").random()  # noqa: S311 - chance from a seed

    def _free(self, name: str) -> str:
        """The name, or the next like it: a subflow may be called like another outermost run."""
        taken = self._names.values()
        if name not in taken:
            return name
        return next(other for n in itertools.count(2) if (other := f"{name}~{n}") not in taken)

    def _id(self, path: str) -> UUID:
        known = self._ids.get(path)
        if known is None:
            digest = hashlib.sha256(f"{self._seed} {path}".encode()).digest()
            known = self._ids[path] = UUID(bytes=digest[:16], version=4)
        return known
