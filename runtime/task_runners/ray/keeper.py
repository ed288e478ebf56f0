"""A small process that cleans up after a private Ray, also where the driver was killed.

It waits until its standard input ends, which is when the driver closes it or is gone. Then it ends every
process that has a file of Ray's private folder open, and removes the folder. Ray's own processes
end by themselves most of the time; two of them take a minute when the driver is killed, and the
folder stays.

Run as a script, by path and without site packages, so that it starts in no time: it imports nothing of ours.
"""

import os
import shutil
import signal
import sys
import time

_PATIENCE = 15.0
_PAUSE = 0.05


def main(folder: str, driver: int) -> None:
    """Wait for the end of the driver's side of the pipe, then clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    spared = {os.getpid(), driver}
    deadline = time.monotonic() + _PATIENCE
    while (users := _users(folder) - spared) and time.monotonic() < deadline:
        for process in users:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(_PAUSE)
    shutil.rmtree(folder, ignore_errors=True)


def _users(folder: str) -> set[int]:
    """The processes that have a file in the folder open; none where the system does not tell."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - pathlib takes longer than all the rest
        return set()
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and _uses(name, folder)}  # noqa: PTH208


def _uses(process: str, folder: str) -> bool:
    files = f"/proc/{process}/fd"
    try:
        names = os.listdir(files)  # noqa: PTH208
    except OSError:  # gone, or another user's
        return False
    for name in names:
        try:
            if os.readlink(f"{files}/{name}").startswith(f"{folder}/"):  # noqa: PTH115
                return True
        except OSError:  # closed meanwhile
            continue
    return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
