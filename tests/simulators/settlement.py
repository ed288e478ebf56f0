"""A flow with a race that only a slow bank shows: a withdrawal checks the balance long before it takes it.

Where ``slow`` lies in the folder it is night, and the bank is slow until the driver has heard what ``Driver``
writes there: both withdrawals check, then each comes in its turn, and after them the deposits. At night what
they share is a file, since they may be in different processes; by day it is in memory, which takes no time.
"""

import time
from pathlib import Path

from runtime import flow, task
from runtime.hooks import hookimpl
from runtime.runs import TaskRun

WITHDRAWALS = (60, 70)
DEPOSITS = 6
#: what is there once the driver has heard of both withdrawals, and both have checked the balance
BOTH_UNDER_WAY = ("began-withdraw-0", "began-withdraw-1", "checked-0", "checked-1")
#: seconds after which a bank is thought to be gone
PATIENCE = 60.0


class Driver:
    """Leaves a file for each beginning and each end of a task run that the driver heard of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @hookimpl
    def flows_state_change(self, change) -> None:
        if isinstance(change.run, TaskRun) and change.state.name != "Pending":
            what = "began" if change.state.is_running() else "ended"
            (self.folder / f"{what}-{change.run.short_name}").touch()


_by_day: dict[Path, int] = {}


def is_night(folder: Path) -> bool:
    return (folder / "slow").exists()


def balance(folder: Path) -> int:
    return int((folder / "balance").read_text()) if is_night(folder) else _by_day[folder]


def set_balance(folder: Path, amount: int) -> None:
    if is_night(folder):
        (folder / "balance").write_text(str(amount))
    else:
        _by_day[folder] = amount


def change(folder: Path, amount: int) -> int:
    after = balance(folder) + amount
    set_balance(folder, after)
    return after


def confirm(folder: Path, *heard: str) -> None:
    """Have the bank confirm. It takes no time, but where it is slow."""
    if is_night(folder):
        until = time.monotonic() + PATIENCE
        while not all((folder / other).exists() for other in heard):
            if time.monotonic() > until:
                raise TimeoutError(f"The bank has not heard that {heard}")
            time.sleep(0.005)


@task
def deposit(folder: Path, n: int) -> None:
    confirm(folder, f"ended-deposit-{n - 1}" if n else "ended-withdraw-1")
    change(folder, 50)


@task
def withdraw(folder: Path, n: int) -> None:
    amount = WITHDRAWALS[n]
    if balance(folder) >= amount:
        if is_night(folder):
            (folder / f"checked-{n}").touch()
        confirm(folder, *BOTH_UNDER_WAY, *(["ended-withdraw-0"] if n else []))
        left = change(folder, -amount)
        if left < 0:
            raise ValueError(f"overdrawn: {left}")


@flow
def settle(folder: Path) -> None:
    set_balance(folder, 100)
    deposits = [deposit.submit(folder, n) for n in range(DEPOSITS)]
    withdrawals = [withdraw.submit(folder, n) for n in range(len(WITHDRAWALS))]
    for future in [*deposits, *withdrawals]:
        future.result()
