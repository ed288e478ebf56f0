"""Notices that something is being imported."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


class Imports(MetaPathFinder):
    """The names of the modules that were looked for since somebody last cleared them."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Find nothing: those who come after do."""
        del path, target
        self.names.append(fullname)


@contextmanager
def imports_noticed() -> Generator[Imports]:
    """Notice imports for the length of a block."""
    imports = Imports()
    sys.meta_path.insert(0, imports)
    try:
        yield imports
    finally:
        sys.meta_path.remove(imports)
