"""A real event loop taken into a simulation, for as long as one async flow runs on it.

The loop goes on to exist: it is what its tasks know as the running loop. But what is to be called soon, or
later, is turned aside to a simulated loop, whose turns are taken inside one long callback of the real one.
What else the real loop has to do, input and output above all, waits until the flow has ended.
"""

import asyncio
from typing import Any

from runtime.logging import ENGINE
from simulators.exceptions import FoundFailure, SimulatorError
from simulators.loops import SimulatedLoop
from simulators.scheduling import Scheduler
from simulators.turns import LoopTurn

_TURNED_ASIDE = "call_soon call_soon_threadsafe call_later call_at time create_task run_in_executor".split()


class AdoptedLoop(SimulatedLoop):
    """Takes the turns of a real loop. Made in a callback of that loop."""

    def __init__(self, scheduler: Scheduler, real: asyncio.AbstractEventLoop) -> None:
        super().__init__(scheduler)
        self._real = real
        self._origin = real.time() - scheduler.now
        self._let_out = False
        self.stack = scheduler.current
        self.stack.loop = self
        self._held = None
        scheduler.loops[self] = None
        real.call_soon(self._drive)
        try:
            for name in _TURNED_ASIDE:
                setattr(real, name, getattr(self, name))
        except AttributeError as error:
            raise SimulatorError(f"A {type(real).__name__} cannot be taken into a simulation") from error

    @property
    def face(self) -> Any:
        """The real loop."""
        return self._real

    def let_out(self) -> None:
        """Give the loop back, with all that it still has to do."""
        self._let_out = True
        for name in _TURNED_ASIDE:
            delattr(self._real, name)
        self.hold()
        for turn in self._held or ():
            self._real.call_soon(_unless_cancelled, turn, context=turn.context)
        for alarm in self._scheduler.alarms.in_order():
            turn = alarm.turn
            if type(turn) is LoopTurn and turn.loop is self:
                self._real.call_at(self._origin + alarm.moment, _unless_cancelled, turn, context=turn.context)
        self.stack.loop = None

    def _drive(self) -> None:
        try:
            while not self._let_out:
                self.take_turn()
        except FoundFailure as error:
            # Nobody could raise it in a task; the one thing that a task can be told is to end.
            ENGINE.error("%s", error)
            for _, task in self.unfinished():
                task.cancel(str(error))
            if not self._let_out:
                self.let_out()


def _unless_cancelled(turn: LoopTurn) -> None:
    if turn.callback is not None:
        turn.callback(*turn.args)
