"""Moments and lengths of time, as people read and write them."""

import time

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def shown_moment(at: float) -> str:
    """Seconds since the epoch as local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def shown_length(seconds: float) -> str:
    """A length of time, in the unit that suits it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


class Length(click.ParamType):  # pyright: ignore[reportMissingTypeArgument] - generic in newer versions alone
    """``90s``, ``15m``, ``12h``, ``30d`` or ``2w``, as seconds."""

    name = "length"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The length in seconds."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return float(value[:-1]) * _UNITS[value[-1:]]
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no length of time: write 90s, 15m, 12h, 30d or 2w", param, ctx)
