import shutil
import subprocess

import pytest

from simulators.determinism import determinism
from simulators.exceptions import SimulatorError
from tests.simulators import subjects

NEEDED = "import greenlet, bytecode, anyio, pydantic, pluggy"


def others() -> list[str]:
    """The Pythons of other versions here that have what the simulator stands on."""
    found = [shutil.which(name) for name in ("python3.11", "python3.12", "python3.13")]
    return [
        python
        for python in found
        if python and not subprocess.run([python, "-c", NEEDED], capture_output=True).returncode
    ]


@pytest.mark.slow
@pytest.mark.parametrize("points", ["declared", "operations", "statements"])
@pytest.mark.parametrize("test", subjects.ALL)
def test_a_seed_does_the_same_again_here_and_in_a_process_with_other_hashes(test, points):
    found = determinism(test, points=points, seeds=range(3))

    assert str(found) == "3 seeds, each twice here and once in another process: no differences"


@pytest.mark.slow
@pytest.mark.parametrize("points", ["declared", "operations"])
def test_a_seed_does_the_same_on_every_python_that_is_installed(points):
    for python in others():
        for test in subjects.ALL:
            assert determinism(test, points=points, seeds=range(2), python=python).differences == ()


kept: list[int] = []


def forgets_nothing() -> None:
    from simulators import checkpoint

    kept.append(1)
    for _ in kept:
        checkpoint()


def test_the_first_difference_is_named():
    kept.clear()

    found = determinism(forgets_nothing, points="declared", seeds=[0])

    assert str(found.differences[0]) == (
        "seed 0, run again in the same process: the first 1 operations are the same; then NoneType one "
        "time, main@2 checkpoint 0.0 the other"
    )


def test_a_test_that_no_other_process_finds_is_tried_here_alone():
    found = determinism(lambda: None, points="declared", seeds=[0])

    assert str(found).splitlines() == [
        "1 seeds, each twice here: no differences",
        "  The test is not a module's own function.",
    ]


def exits() -> None:
    import os

    if os.environ.get("PYTHONHASHSEED") == "12345":
        raise KeyboardInterrupt("not here")


def test_what_goes_wrong_in_the_other_process_is_told():
    with pytest.raises(SimulatorError, match="not here"):
        determinism(exits, points="declared", seeds=[0])
