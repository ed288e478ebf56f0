"""Results and exceptions as bytes: checked where they are made, so that reading them cannot fail later."""

import asyncio
import concurrent.futures
import inspect
import pickle
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, cast

import cloudpickle

from runtime.exceptions import NotSerializable
from runtime.futures import PrefectFuture
from runtime.lifecycle import describe, traceback_of
from runtime.states import ResultReference

#: Bytes up to which a result travels with the report of it.
INLINE_LIMIT = 4096
#: A traceback is cut to this many characters, from the front: the end says what happened.
_TRACEBACK_LIMIT = 20_000

#: Values of these types can be written and read back whatever they are.
ATOMS = frozenset({int, str, float, bool, type(None), bytes, complex})


class Unusable:
    """Stands where an attempt left no value that others could use."""


class RemoteResult(ResultReference):
    """A result on a worker. A small one came along with the report of it, as ``inline``."""

    __slots__ = ("_value", "inline")

    def __init__(self, inline: bytes) -> None:
        #: the result as bytes; empty for one that has to be fetched
        self.inline = inline
        self._value: Any = _UNREAD

    def fetch(self) -> Any:
        """The result. Blocks while it travels; raises ``CrashedRun`` where it is lost."""
        if self._value is _UNREAD:
            self._value = pickle.loads(self.inline) if self.inline else self.fetch_from_worker()  # noqa: S301 - written by our own worker
        return self._value

    @property
    def is_here(self) -> bool:
        """Whether it came along with the report, or was fetched before."""
        return bool(self.inline) or self._value is not _UNREAD

    def keep(self, value: Any) -> None:
        """The result is ``value``: nobody need fetch it any more."""
        self._value = value

    @abstractmethod
    def fetch_from_worker(self) -> Any:
        """The result, from wherever it lies."""


class RemoteTraceback(Exception):
    """Where on the worker an exception was raised; the cause of the exception in the driver."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class Surrogate(Exception):
    """Base of the stand-ins for exceptions that cannot travel: same name, same message, no more."""


def dump(value: Any, buffers: "list[pickle.PickleBuffer] | None" = None) -> bytes:
    """Any value as bytes; what was defined in the main script, or inside of a function, goes along.

    With ``buffers``, what lies in arrays is not copied: those are added there instead.
    """
    add = None if buffers is None else buffers.append
    try:
        body = pickle.dumps(value, protocol=5, buffer_callback=add)
        if b"__main__" not in body:
            return body
    except Exception:  # noqa: S110 - the user's values may raise anything; cloudpickle has the last word
        pass
    return dump_by_value(value, buffers)


def dump_by_value(value: Any, buffers: "list[pickle.PickleBuffer] | None" = None) -> bytes:
    """Like :func:`dump`, without trying first whether names alone will do."""
    if buffers is None:
        return _cloudpickle.dumps(value, protocol=5)
    buffers.clear()
    return _cloudpickle.dumps(value, protocol=5, buffer_callback=buffers.append)


def check_result(value: Any) -> bytes:
    """A small result as bytes; empty for one too large to travel with its report.

    Raises ``NotSerializable`` naming the type of a result that could not be sent or read back.
    """
    kind = cast("type[object]", type(value))
    if kind in ATOMS:
        large = kind in {str, bytes} and len(value) > INLINE_LIMIT
        return b"" if large else pickle.dumps(value, protocol=5)
    buffers: list[pickle.PickleBuffer] = []
    try:
        _refuse_bound_to_process(value)
        body = dump(value, buffers)
        if _BUILDS_OBJECTS in body:
            pickle.loads(body, buffers=buffers)  # noqa: S301 - written one line above
    except Exception as error:  # the user's values may raise anything
        name = f"{kind.__module__}.{kind.__qualname__}"
        raise NotSerializable(
            f"The result, of type {name}, cannot be sent to another process: {describe(error)}"
        ) from error
    return b"" if buffers or len(body) > INLINE_LIMIT else body


def pack_exception(error: BaseException) -> bytes:
    """An exception as bytes, with the place where it was raised; a stand-in for one that cannot travel."""
    text = _traceback_of(error)
    try:
        # As parts: others, such as Dask, change how exceptions as a whole are pickled.
        parts = error.__reduce_ex__(5)
        body = dump((parts, text))
        read = _built(*pickle.loads(body)[0])  # noqa: S301 - written one line above
        if type(read).__name__ == type(error).__name__ and describe(read) == describe(error):
            return body
    except Exception:  # the user's exceptions may do anything when they are pickled
        return _pack_surrogate(error, text)
    return _pack_surrogate(error, text)


def unpack_exception(body: bytes) -> BaseException:
    """The exception that :func:`pack_exception` wrote."""
    try:
        parts, text = pickle.loads(body)  # noqa: S301 - written by our own worker
        exception = _built(*parts)
    except Exception as error:  # its class cannot be imported here
        return NotSerializable(f"The exception that the task raised cannot be read here: {describe(error)}")
    exception.__cause__ = RemoteTraceback(text)
    return exception


def _built(make: Callable[..., BaseException], args: tuple[Any, ...], state: Any = None) -> BaseException:
    exception = make(*args)
    if state:
        exception.__setstate__(state)
    return exception


def _pack_surrogate(error: BaseException, text: str) -> bytes:
    base = next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    parts = (_surrogate, (type(error).__name__, base, describe(error)))
    return pickle.dumps((parts, text), protocol=5)


def _surrogate(name: str, base: type[BaseException], message: str) -> BaseException:
    """An exception of the same name, caught by the same ``except`` where that names a built-in one."""
    for parent in base.__mro__:
        try:
            kind = type(name, (parent,), {"__module__": __name__, "__doc__": Surrogate.__doc__})
            return cast("BaseException", kind(message))
        except TypeError:  # such as UnicodeDecodeError, which takes five arguments
            continue
    raise AssertionError("BaseException takes any argument")


def _traceback_of(error: BaseException) -> str:
    return traceback_of(error)[-_TRACEBACK_LIMIT:]


def _refuse_bound_to_process(value: Any) -> None:
    if isinstance(value, PrefectFuture | asyncio.Future | concurrent.futures.Future):
        raise TypeError("a future belongs to the process that made it; return its result instead")
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise TypeError("a generator belongs to the process that made it; return a list instead")
    if inspect.iscoroutine(value):
        value.close()  # nobody will await it
        raise TypeError("a coroutine belongs to the process that made it; await it, or make the task async")


#: STACK_GLOBAL: without it, a pickle calls nothing when it is read, so reading it cannot fail.
_BUILDS_OBJECTS = b"\x93"
_UNREAD = object()
_cloudpickle = cast("Any", cloudpickle)  # its annotations are incomplete
