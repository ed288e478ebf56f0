"""Whose code is marked: by default the project under test, and not its libraries."""

import sysconfig
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import runtime

#: Folders of installed packages, wherever they are.
_INSTALLED = ("/site-packages/", "/dist-packages/")
#: Our own packages lie side by side, installed or not.
_OURS = [Path(runtime.__path__[0]).with_name(name) for name in ("runtime", "simulators", "pytest_flows")]


class Project:
    """The files below a folder that are neither installed, nor of the standard library, nor ours."""

    def __init__(self, root: Path) -> None:
        self._root = _folder(root)
        self._others = tuple(_folder(other) for other in (Path(sysconfig.get_path("stdlib")), *_OURS))

    def __contains__(self, file: str) -> bool:
        path = _resolved(file)
        return (
            path.startswith(self._root)
            and not path.startswith(self._others)
            and not any(folder in path for folder in _INSTALLED)
        )


class Modules:
    """The files of these modules; those of packages with all that is in them."""

    def __init__(self, *modules: ModuleType) -> None:
        files = [Path(module.__file__) for module in modules if module.__file__]
        self._files = {_resolved(str(file)) for file in files}
        self._folders = tuple(_folder(file.parent) for file in files if file.stem == "__init__")

    def __contains__(self, file: str) -> bool:
        path = _resolved(file)
        return path in self._files or path.startswith(self._folders)


def _folder(path: Path) -> str:
    return path.resolve().as_posix().rstrip("/") + "/"


@lru_cache(maxsize=16_384)
def _resolved(file: str) -> str:
    # <string>, <frozen importlib._bootstrap>, <stdin>
    return "" if file.startswith("<") else Path(file).resolve().as_posix()
