"""Points in the user's own code: before its statements, or before what others could notice of it."""

from collections.abc import Callable, Container, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from simulators.accesses import AccessPoints
from simulators.marks import Marking, Place, marked
from simulators.scheduling import STATEMENTS, Scheduler
from simulators.surroundings import scheduler_here


@contextmanager
def marked_points(scheduler: Scheduler, files: Container[str]) -> Generator[Marking | None]:
    """Points in the code of these files for the length of a block; None where the level has none there."""
    if scheduler.level < STATEMENTS:
        yield None
        return
    marking: Marking | None = None

    def mark_imported() -> None:
        """Mark what was just imported, so that it has the same points in this schedule as in the next."""
        if marking is not None and marking.imported:
            marking.update()

    with _marks(scheduler, files, mark_imported) as put_in:
        marking = put_in
        yield put_in


def _marks(
    scheduler: Scheduler, files: Container[str], mark_imported: Callable[[], None]
) -> AbstractContextManager[Marking]:
    if scheduler.points == "statements":
        return marked(files, _pausing(scheduler, mark_imported))
    accesses = AccessPoints(scheduler, mark_imported)
    return marked(files, None, accesses.access, accesses.call)


def _pausing(scheduler: Scheduler, mark_imported: Callable[[], None]) -> Callable[[Place], None]:
    """What marks call: the run pauses at each statement, which is named by its file and line."""
    spots: dict[Place, str] = {}

    def pause(place: Place) -> None:
        if scheduler_here() is scheduler:
            mark_imported()
            spot = spots.get(place)
            if spot is None:
                spot = spots[place] = f"{Path(place.file).name}:{place.line}"
            scheduler.pause("statement", spot=spot)

    return pause
