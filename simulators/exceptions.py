"""What can go wrong in the simulator itself. What goes wrong in the code under test is a failure instead."""


class SimulatorError(Exception):
    """The simulator cannot do what it was asked for."""


class ScheduleError(SimulatorError, ValueError):
    """A schedule's text is not one, or not one that this version reads."""
