"""A local web page over a history store: ``flows dash``."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.dash.server import Dash

__all__ = ["Dash"]


def __getattr__(name: str) -> Any:
    if name == "Dash":  # http.server is imported only where it is used, not by each command
        from runtime.dash.server import Dash

        return Dash
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
