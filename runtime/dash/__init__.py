"""A local web page over a history store: ``flows dash``."""

from runtime.dash.server import Dash

__all__ = ["Dash"]
