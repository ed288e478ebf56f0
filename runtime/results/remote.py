"""Results in any place that fsspec knows: an object store, a server, a file system of a cluster.

Such a place is not private, as a folder of one's own is: who may write to it, and who may read there, others
decide. So a pickle is only read where it was signed with a secret that is not kept there. JSON runs nothing.
"""

import re
from collections.abc import Callable
from typing import Any, cast

from fsspec import core

from runtime.logging import ENGINE
from runtime.results.sealing import ResultSerializer, described_by, file_name, seal, signed, unseal
from runtime.results.storages import ResultError, StoredResult

#: the file system and the path in it; fsspec says nothing of types
_opened: Callable[..., tuple[Any, str]] = cast("Any", core).url_to_fs


class RemoteResultStorage:
    """Values below ``url``, such as ``s3://bucket/results``; ``options`` are those of its file system.

    ``secret`` signs what is written, and must be the same for all who read it. Raises :class:`ResultError`
    for pickles without one. Object stores show a result as a whole; one that is not whole is not used.
    """

    def __init__(
        self,
        url: str,
        serializer: ResultSerializer = "json",
        secret: str | None = None,
        **options: Any,
    ) -> None:
        #: as it is shown: without name and password
        self.url = re.sub(r"//[^/@]*@", "//", url)
        self.serializer: ResultSerializer = serializer
        if serializer == "pickle" and not secret:
            raise ResultError(
                f"Pickles in {self.url} are not used without a secret that signs them: reading one runs what "
                "it says. Set FLOWS_RESULT_KEY, or FLOWS_RESULT_SERIALIZER=json."
            )
        self._made_of = (url, serializer, secret, options)
        self._secret = (secret or "").encode()
        try:
            self._files, self._folder = _opened(url, **options)
        except Exception as error:  # every kind of place has its own
            raise ResultError(f"Results cannot be kept in {self.url}: {error}") from error

    def read(self, key: str) -> StoredResult | None:
        """What is kept under ``key``, if it is there and whole."""
        try:
            written = self._files.cat_file(self._path(key))
        except FileNotFoundError:
            return None
        except Exception as error:  # every kind of place has its own
            raise ResultError(f"Result {key!r} cannot be read from {self.url}: {error}") from error
        try:
            return unseal(written, key, self.serializer, self._secret)
        except Exception as error:  # a pickle of a class that changed may raise anything
            ENGINE.warning("The result kept under %r in %s is not used: %s", key, self.url, error)
            return None

    def write(self, key: str, result: StoredResult) -> None:
        """Keep a value, in place of what was there. Raises :class:`ResultError` where that cannot be."""
        line, body = seal(key, result, self.serializer)
        try:
            self._files.makedirs(self._folder, exist_ok=True)
            self._files.pipe_file(self._path(key), signed(line, body, self._secret))
        except Exception as error:  # every kind of place has its own
            raise ResultError(f"Result {key!r} cannot be kept in {self.url}: {error}") from error

    def forget(self, unwanted: Callable[[str, float | None], bool]) -> int:
        """Delete what ``unwanted(key, expires)`` says; returns how many. Reads no value."""
        deleted = 0
        for path in self._files.glob(f"{self._folder}/*.result"):
            try:
                with self._files.open(path, "rb") as file:
                    key, expires = described_by(file.readline())
                if unwanted(key, expires):
                    self._files.rm_file(path)
                    deleted += 1
            except (OSError, ValueError, KeyError):  # somebody else was faster, or it is none of ours
                continue
        return deleted

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, self._made_of

    def _path(self, key: str) -> str:
        return f"{self._folder}/{file_name(key)}"


def _again(
    url: str, serializer: ResultSerializer, secret: str | None, options: dict[str, Any]
) -> RemoteResultStorage:
    return RemoteResultStorage(url, serializer, secret, **options)
