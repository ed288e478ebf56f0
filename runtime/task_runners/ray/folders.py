"""A folder for one private Ray: short enough for its sockets, ours alone, and gone afterwards."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

#: A socket's path has at most 107 characters; Ray adds some 70 to the folder's.
_LONGEST = 34
_KEEPER = Path(__file__).with_name("keeper.py")


class PrivateFolder:
    """The folder, and a process that removes it and ends whoever still uses it, whatever happens here."""

    def __init__(self) -> None:
        around = tempfile.gettempdir()
        if len(around) > _LONGEST - len("/flows-ray-12345678"):
            around = "/tmp"  # noqa: S108 - the folder in it is made for this user alone
        #: resolved: the keeper compares it to what the system says
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="flows-ray-", dir=around))
        #: what Ray gets: it lets everybody into the folder that it is given, but nobody comes past ours
        self.inner = str(Path(self.path, "r"))
        self._keeper = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", "-S", str(_KEEPER), self.path, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # Ctrl-C goes to everybody in the terminal's foreground
        )

    def remove(self) -> None:
        """End what still uses the folder, and remove it."""
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper.wait()
