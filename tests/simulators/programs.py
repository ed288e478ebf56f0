"""Programs for strategies, without any simulator: each run does its operations one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from simulators.schedules import Choice, Decision
from simulators.strategies import Operation, Strategy


@dataclass
class Op:
    run: str
    point: str
    resource: str | None = None
    writes: bool = False
    goes_on: bool = False
    kind: str = "access"


@dataclass
class Played:
    steps: Sequence[Op]
    choices: tuple[Choice, ...] = ()
    failed: bool = False

    @property
    def length(self) -> int:
        return len(self.steps)

    @property
    def order(self) -> str:
        return "".join(step.run for step in self.steps)


def play(strategy: Strategy, **programs: str) -> Played:
    """One schedule. A program is a word: ``-`` touches nothing, a small letter is read, a capital written."""
    runs = {name: [_op(name, n, letter) for n, letter in enumerate(word)] for name, word in programs.items()}
    line = list(runs)
    done: list[Op] = []
    choices: list[Choice] = []
    while line := [name for name in line if runs[name]]:
        pending: list[Operation] = [runs[name][0] for name in line]
        for operation in runs[line[0]][:1]:
            operation.goes_on = bool(done) and done[-1].run == line[0]
        chosen = pending[0]
        if len(pending) > 1:
            chosen = strategy.choose(pending)
            choices.append(
                Choice(Decision(chosen.run, chosen.point), Decision(pending[0].run, pending[0].point))
            )
        done.append(runs[chosen.run].pop(0))
        line.remove(chosen.run)
        line.insert(0, chosen.run)
    played = Played(done, tuple(choices))
    strategy.end(played)
    return played


def _decision(operation: Operation) -> Decision:
    return Decision(operation.run, operation.point)


def _op(run: str, n: int, letter: str) -> Op:
    return Op(run, str(n + 1), None if letter == "-" else letter.lower(), letter.isupper())
