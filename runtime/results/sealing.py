"""A result as bytes: one line that describes it, with a checksum and a signature, and then the value.

The checksum tells a file that is not whole. The signature tells one that somebody else has written, which
matters for pickles: reading one runs what it says. The line names the key, so that a file which was moved
to the place of another is not taken for it.
"""

import hashlib
import hmac
import json
import pickle
from typing import Any, Literal, cast

from runtime.results.storages import ResultError, StoredResult

ResultSerializer = Literal["pickle", "json"]


def seal(key: str, result: StoredResult, serializer: ResultSerializer) -> tuple[bytes, bytes]:
    """The describing line, yet to be signed, and the value. Raises :class:`ResultError`."""
    body = _body(result.value, serializer)
    described = {
        "key": key,
        "expires": result.expires,
        "serializer": serializer,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return json.dumps(described).encode(), body


def signed(line: bytes, body: bytes, secret: bytes) -> bytes:
    """All that is written."""
    return _signature(line, secret) + b" " + line + b"\n" + body


def unseal(written: bytes, key: str, serializer: ResultSerializer, secret: bytes) -> StoredResult:
    """The result. Raises where it is not whole, not ours, or cannot be read; a pickle may raise anything."""
    header, _, body = written.partition(b"\n")
    signature, _, line = header.partition(b" ")
    described = json.loads(line)
    if hashlib.sha256(body).hexdigest() != described["sha256"]:
        raise ValueError("its checksum is wrong")
    if not hmac.compare_digest(signature, _signature(line, secret)):
        raise ValueError("its signature is wrong")
    if described["key"] != key:
        raise ValueError(f"it was kept under {described['key']!r}")
    return StoredResult(_value(body, described["serializer"], serializer), described["expires"])


def described_by(header: bytes) -> tuple[str, float | None]:
    """Key and expiry, out of the describing line with its signature. Raises ``ValueError``, ``KeyError``."""
    described = json.loads(header.partition(b" ")[2])
    return described["key"], described["expires"]


def file_name(key: str) -> str:
    """The name that the result is kept under."""
    return f"{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}.result"


def _body(value: Any, serializer: ResultSerializer) -> bytes:
    try:
        if serializer == "pickle":
            return pickle.dumps(value, protocol=5)
        text = json.dumps(value)
        if json.loads(text) != value:
            raise ValueError("it would not come back from JSON as it is")
        return text.encode()
    except Exception as error:  # the user's values may raise anything
        kind = cast("type[object]", type(value))
        raise ResultError(
            f"A result of type {kind.__module__}.{kind.__qualname__} cannot be kept: {error}"
        ) from error


def _value(body: bytes, written_as: str, serializer: ResultSerializer) -> Any:
    if written_as == "json":
        return json.loads(body)
    if serializer == "json":
        raise ValueError("it is a pickle, and only JSON is read here")
    return pickle.loads(body)  # noqa: S301 - it bears our signature


def _signature(line: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, line, "sha256").hexdigest().encode()
