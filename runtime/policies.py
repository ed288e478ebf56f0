"""How runs are to be run: what the options of flows and tasks come down to, checked once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias, cast

RetryDelays: TypeAlias = float | timedelta | list[float] | Callable[[int], list[float]]
StateHook: TypeAlias = Callable[[Any, Any, Any], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPolicy:
    """The options that decide how a run proceeds. Raises ``ValueError`` or ``TypeError`` for a wrong one."""

    #: how many attempts may follow the first one
    retries: int = 0
    #: seconds before each retry; the last one repeats
    retry_delays: tuple[float, ...] = (0.0,)
    #: a delay is stretched by a random factor between 1 and 1 + this
    retry_jitter_factor: float = 0.0
    #: ``(task, task_run, state) -> bool``, asked after a failure: is another attempt worthwhile?
    retry_condition_fn: Callable[[Any, Any, Any], bool] | None = None
    #: seconds that an attempt may take
    timeout: float | None = None
    #: ``(context, parameters) -> key or None``: runs with the same key share one result
    cache_key_fn: Callable[[Any, dict[str, Any]], str | None] | None = None
    #: how long a cached result may be used; None: for ever
    cache_expiration: timedelta | None = None
    #: whether the attempt is made, and its result cached, even where a cached one is found
    refresh_cache: bool = False
    persist_result: bool = False
    #: whether prints go to the run's log; None: as the setting or the surrounding flow says
    log_prints: bool | None = None

    def __post_init__(self) -> None:
        _check_retries(self.retries)
        _check_number("retry_jitter_factor", self.retry_jitter_factor, allow_zero=True)
        if self.timeout is not None:
            _check_number("timeout_seconds", self.timeout)
        for name in ("retry_condition_fn", "cache_key_fn"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be callable, not {function!r}")
        if self.cache_expiration is not None and not isinstance(
            cast("object", self.cache_expiration), timedelta
        ):
            raise TypeError(f"cache_expiration must be a timedelta, not {self.cache_expiration!r}")
        for name in ("refresh_cache", "persist_result"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.log_prints is not None and not isinstance(cast("object", self.log_prints), bool):
            raise TypeError(f"log_prints must be True, False or None, not {self.log_prints!r}")

    def retry_delay(self, failures: int, fraction: float) -> float:
        """Seconds to wait after the ``failures``-th failure (counted from 1).

        ``fraction``, in [0, 1), says how much of the jitter applies.
        """
        delay = self.retry_delays[min(failures, len(self.retry_delays)) - 1]
        return delay * (1.0 + self.retry_jitter_factor * fraction)


def retry_delays(given: RetryDelays | None, retries: int) -> tuple[float, ...]:
    """What ``retry_delay_seconds`` means: a number, a list of them, or a function of ``retries``."""
    _check_retries(retries)  # first, since the user's function computes with it
    if given is None or (callable(given) and not retries):
        return (0.0,)
    value = given(retries) if callable(given) else given
    delays = cast("list[object] | tuple[object, ...]", value) if isinstance(value, list | tuple) else [value]
    if not delays:
        raise ValueError("retry_delay_seconds must not be empty")
    return tuple(_seconds("retry_delay_seconds", delay) for delay in delays)


def _seconds(option: str, value: object) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    _check_number(option, value, allow_zero=True)
    try:
        return float(cast("float", value))
    except OverflowError as error:
        raise ValueError(f"{option} must be a number of seconds: {error}") from error


def _check_retries(retries: object) -> None:
    if isinstance(retries, bool) or not isinstance(retries, int):
        raise TypeError(f"retries must be a whole number, not {retries!r}")
    if retries < 0:
        raise ValueError(f"retries must be 0 or more, not {retries}")


def _check_number(option: str, value: object, *, allow_zero: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{option} must be a number, not {value!r}")
    if not (0 <= value < float("inf")) or (value == 0 and not allow_zero):
        raise ValueError(f"{option} must be {'0 or more' if allow_zero else 'more than 0'}, not {value!r}")
