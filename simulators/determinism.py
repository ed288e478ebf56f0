"""Whether a test does the same again: in this process, and in another one with other hashes.

What a simulation does not control shows here: a set that is walked through in the order of its hashes, an
address that decides something, a value kept from the run before.
"""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

from simulators.conditions import Conditions
from simulators.exceptions import SimulatorError
from simulators.execution import Test
from simulators.schedules import Points
from simulators.strategies import RandomWalk

#: seeds that are compared where nobody names any
SEEDS = range(5)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where two runs with the same seed and the same decisions differ."""

    seed: int
    #: "in the same process" or "in another process"
    where: str
    #: how many lines were the same
    index: int
    first: str
    second: str

    def __str__(self) -> str:
        return (
            f"seed {self.seed}, run again {self.where}: the first {self.index} operations are the same; "
            f"then {self.first or 'nothing'} one time, {self.second or 'nothing'} the other"
        )


@dataclass(frozen=True, slots=True)
class Determinism:
    """What came of the check."""

    seeds: tuple[int, ...]
    differences: tuple[Difference, ...]
    #: why it was not tried in another process; "" where it was
    alone: str = ""

    def __str__(self) -> str:
        tried = "twice here" if self.alone else "twice here and once in another process"
        lines = [f"{len(self.seeds)} seeds, each {tried}: {len(self.differences) or 'no'} differences"]
        if self.alone:
            lines.append(f"  {self.alone}")
        return "\n".join([*lines, *(f"  {difference}" for difference in self.differences)])


def determinism(
    test: Test,
    *,
    seeds: Iterable[int] = SEEDS,
    points: Points = "operations",
    python: str = sys.executable,
    timeout: float = 300.0,
) -> Determinism:
    """Run a sample of seeds again, here and in another process, and say where that made a difference.

    Args:
        test: as for ``explore``. Another process finds it by its name, so it must be a module's own function.
        seeds: of the random strategy, and of the test's chance.
        points: where a switch may happen.
        python: the other process's Python, which may be another version.
        timeout: seconds that the other process may take.
    """
    chosen = tuple(seeds)
    here = accounts(test, chosen, points)
    differences = _differences(chosen, here, accounts(test, chosen, points), "in the same process")
    address = _address(test)
    if address is None:
        return Determinism(chosen, tuple(differences), "The test is not a module's own function.")
    there = _accounts_elsewhere(address, chosen, points, python, timeout)
    differences += _differences(chosen, here, there, "in another process")
    return Determinism(chosen, tuple(differences))


def accounts(test: Test, seeds: Sequence[int], points: Points) -> list[list[str]]:
    """For each seed what one random schedule did, line by line."""
    made: list[list[str]] = []
    for seed in seeds:
        with Conditions(points=points, seed=seed).executor(test) as executor:
            strategy = RandomWalk(seed)
            strategy.begin()
            made.append(executor.run(strategy).account)
    return made


def main(arguments: Sequence[str]) -> None:
    """What the other process does: prints the accounts of a test as JSON."""
    module, file, name, points, seeds = arguments
    test: Any = _module(module, file)
    for part in name.split("."):
        test = getattr(test, part)
    print(json.dumps(accounts(test, json.loads(seeds), points)))  # noqa: T201  # pyright: ignore[reportArgumentType]


def _differences(
    seeds: Sequence[int], first: list[list[str]], second: list[list[str]], where: str
) -> list[Difference]:
    found: list[Difference] = []
    for seed, one, other in zip(seeds, first, second, strict=True):
        for index, (line, same) in enumerate(zip_longest(one, other, fillvalue="")):
            if line != same:
                found.append(Difference(seed, where, index, line, same))
                break
    return found


def _address(test: Test) -> tuple[str, str, str] | None:
    """Module, file and name by which another process finds the test."""
    module = sys.modules.get(getattr(test, "__module__", ""))
    name: str = getattr(test, "__qualname__", "")
    file = getattr(module, "__file__", None)
    if module is None or file is None or "<" in name or not name:
        return None
    return module.__name__, file, name


def _accounts_elsewhere(
    address: tuple[str, str, str], seeds: Sequence[int], points: Points, python: str, timeout: float
) -> list[list[str]]:
    environ = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(_search_path(python))}
    command = [python, "-m", "simulators.determinism", *address, points, json.dumps(list(seeds))]
    try:
        ended = subprocess.run(  # noqa: S603 - it runs the test that runs here too
            command, env=environ, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SimulatorError(f"The test took more than {timeout:g} s in another process") from error
    if ended.returncode:
        raise SimulatorError(f"The test could not be run in another process:\n{ended.stderr.strip()}")
    found: list[list[str]] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _search_path(python: str) -> list[str]:
    """Where the other process looks for modules; the packages installed here are for this Python alone."""
    if python == sys.executable:
        return [entry for entry in sys.path if entry]
    return [str(Path.cwd())]


def _module(name: str, file: str) -> ModuleType:
    if name != "__main__":
        try:
            found = importlib.import_module(name)
        except ImportError:
            pass
        else:
            if getattr(found, "__file__", None) == file:
                return found
    spec = importlib.util.spec_from_file_location("flows_determinism_test", file)
    if spec is None or spec.loader is None:
        raise SimulatorError(f"{file} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(sys.argv[1:])
