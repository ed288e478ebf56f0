"""Whether ``runtime`` and ``simulators`` are ours: the names are common, and ``sys.path`` has an order."""

import sys
from importlib.util import find_spec
from pathlib import Path

OUR_PACKAGES = ("runtime", "simulators")


def describe_shadows() -> list[str]:
    """One line for each of our packages that something else on ``sys.path`` hides."""
    return [
        f"flows: {name!r} is not the package of pytest-flows but {where}. Rename that, or take its folder "
        "off sys.path (`python -m pytest` puts the working folder first, `pytest` does not)."
        for name in OUR_PACKAGES
        if (where := _found_instead(name)) is not None
    ]


def _found_instead(name: str) -> str | None:
    ours = Path(__file__).parent.parent / name / "__init__.py"
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None) if loaded is not None else _find(name)
    origin = spec.origin if spec is not None else getattr(loaded, "__file__", None)
    if origin is None:
        return "a folder without an __init__.py, or missing"
    return None if Path(origin).resolve() == ours.resolve() else origin


def _find(name: str):  # noqa: ANN202
    try:
        return find_spec(name)
    except (ImportError, ValueError):  # a finder of somebody else's
        return None
