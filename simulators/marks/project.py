"""Whose code is marked: by default the project under test, and not its libraries."""

import sysconfig
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import runtime

#: Folders of installed packages, wherever they are.
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib")).resolve()
#: Our own packages lie side by side, installed or not.
_OURS = tuple(
    Path(runtime.__file__).resolve().parent.with_name(name)
    for name in ("runtime", "simulators", "pytest_flows")
)


class Project:
    """The files below a folder that are neither installed, nor of the standard library, nor ours."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __contains__(self, file: str) -> bool:
        path = _path(file)
        return (
            path is not None
            and path.is_relative_to(self._root)
            and _INSTALLED.isdisjoint(path.parts)
            and not any(path.is_relative_to(other) for other in (_STANDARD_LIBRARY, *_OURS))
        )


class Modules:
    """The files of these modules; those of packages with all that is in them."""

    def __init__(self, *modules: ModuleType) -> None:
        files = [Path(module.__file__).resolve() for module in modules if module.__file__]
        self._files = {file.parent if file.stem == "__init__" else file for file in files}

    def __contains__(self, file: str) -> bool:
        path = _path(file)
        return path is not None and any(path.is_relative_to(own) for own in self._files)


@lru_cache(maxsize=16_384)
def _path(file: str) -> Path | None:
    # <string>, <frozen importlib._bootstrap>, <stdin>
    return None if file.startswith("<") else Path(file).resolve()
