"""What the surroundings of a process say: the ``FLOWS_*`` variables, read once and checked."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from runtime.exceptions import FlowsError


class SettingsError(FlowsError, ValueError):
    """A setting has a value that it cannot have."""


def _default_home() -> Path:
    return Path("~/.flows").expanduser()


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set from outside; each field is read from ``FLOWS_<FIELD>``."""

    #: where results, and histories that last, are kept
    home: Path = field(default_factory=_default_home)
    #: the name of the history store; None: ``sqlite`` for ``flows run``, else ``memory``
    history: str | None = None
    #: what a history store that lasts waits for: ``full`` for each task run, ``normal`` for flow runs
    durability: Literal["normal", "full"] = "normal"
    #: whether the results of all tasks outlive the process, so that a run that is resumed finds them
    persist_results: bool = False
    #: where results are kept instead of in the home: a URL that fsspec knows, such as ``s3://bucket/results``
    result_storage: str | None = None
    #: signs what is kept there; pickles are not read without it
    result_key: str | None = field(default=None, repr=False)
    #: how results are written: ``pickle`` nearly everything, ``json`` nothing that could run when it is read
    result_serializer: Literal["pickle", "json"] = "pickle"
    #: the lowest level of log record that is kept, and that the console shows when nobody configured logging
    log_level: str = "INFO"
    #: how the console shows the log then: ``text`` for people, ``json`` an object on each line
    log_format: Literal["text", "json"] = "text"
    #: whether ``print`` in flows and tasks goes to their log, where they do not say it themselves
    log_prints: bool = False
    #: seconds that an interrupted flow gives its running tasks before it leaves them behind
    interrupt_grace: float = 3.0
    #: modules, or objects and classes in them (``module:name``), that plug in; separated by commas
    plugins: tuple[str, ...] = ()
    #: where the plugin ``runtime.telemetry:Metrics`` writes its metrics when a flow run has ended
    metrics_file: Path | None = None
    #: whether clusters on other machines must be reached by TLS
    require_tls: bool = False


#: What is in force in this context; None: what the environment of the process says.
SETTINGS: ContextVar[Settings | None] = ContextVar("flows_settings", default=None)


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of an environment. Raises :class:`SettingsError` naming a variable that is wrong."""
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        variable = f"FLOWS_{name.upper()}"
        text = environ.get(variable)
        if text is not None:
            try:
                values[name] = read(text)
            except ValueError as error:
                shown = "..." if name == "result_key" else repr(text)
                raise SettingsError(f"{variable}={shown}: {error}") from error
    settings = Settings(**values)
    if settings.result_storage and settings.result_serializer == "pickle" and not settings.result_key:
        raise SettingsError(
            "FLOWS_RESULT_STORAGE: pickles that others could have written are not read. Set FLOWS_RESULT_KEY "
            "to a secret that signs them, the same wherever the flow runs; or FLOWS_RESULT_SERIALIZER=json."
        )
    return settings


def current_settings() -> Settings:
    """The settings in force here."""
    changed = SETTINGS.get()
    if changed is not None:
        return changed
    global _read
    if _read is None:
        _read = read_settings()
    return _read


@contextmanager
def temporary_settings(**changes: Any) -> Generator[Settings]:
    """Settings that differ in ``changes`` for the length of a block, in this context alone."""
    settings = replace(current_settings(), **changes)
    token = SETTINGS.set(settings)
    try:
        yield settings
    finally:
        SETTINGS.reset(token)


def _read_bool(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
    if text.lower() not in known:
        raise ValueError("expected true or false")
    return known[text.lower()]


def _read_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError("expected a number of seconds, 0 or more")
    return seconds


def _read_level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise ValueError("expected DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return text.upper()


def _read_folder(text: str) -> Path:
    if not text:
        raise ValueError("expected a folder")
    return Path(text).expanduser()


def _read_file(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _read_key(text: str) -> str | None:
    if text and len(text) < 16:
        raise ValueError("expected 16 characters or more")
    return text or None


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _read_name(text: str) -> str | None:
    return text or None


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"expected {' or '.join(names)}")
        return text

    return read


_READERS = {
    "home": _read_folder,
    "history": _read_name,
    "durability": _one_of("normal", "full"),
    "persist_results": _read_bool,
    "result_serializer": _one_of("pickle", "json"),
    "log_level": _read_level,
    "result_storage": _read_name,
    "result_key": _read_key,
    "log_format": _one_of("text", "json"),
    "log_prints": _read_bool,
    "interrupt_grace": _read_seconds,
    "plugins": _read_names,
    "metrics_file": _read_file,
    "require_tls": _read_bool,
}
_read: Settings | None = None
