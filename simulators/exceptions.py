"""What can go wrong in the simulator itself. What goes wrong in the code under test is a failure instead."""

from runtime.exceptions import CrashedRun


class SimulatorError(Exception):
    """The simulator cannot do what it was asked for."""


class ScheduleError(SimulatorError, ValueError):
    """A schedule's text is not one, or not one that this version reads."""


class OutsideControl(SimulatorError):
    """The code under test does something that a simulation cannot own."""


class NothingRecorded(SimulatorError):
    """A stub has nothing to give: the task run was not there then, or its result was not stored."""


class LostAgain(CrashedRun):
    """An attempt that was lost then, and made again, is lost."""


class FoundFailure(AssertionError):
    """What a simulation finds by itself, without any assertion of the user's."""


class Deadlock(FoundFailure):
    """Nothing can go on, and no time will come at which it could."""


class Livelock(FoundFailure):
    """The run goes on for longer than any run should."""


class Starvation(Livelock):
    """The run goes on for longer than any run should, and somebody has waited for most of it."""


class BrokenGuarantee(FoundFailure):
    """A history says what no history may say: a run was lost, reported twice, or took an illegal step."""
