"""The server of the page: of this machine alone, and for reading alone."""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from runtime.dash.access import HEADERS, Access, Refused
from runtime.dash.answers import Answers, NotAsked
from runtime.exceptions import StoreError
from runtime.history import SQLiteHistoryStore

#: seconds between two looks at a run that is watched, and after which silence is broken
_LOOK, _SIGN_OF_LIFE = 0.25, 15.0
#: watched runs at a time; each takes a thread
_MOST_STREAMS = 32

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Dash:
    """Shows a store on a port of 127.0.0.1 for the length of a block; 0 is a port that the system chooses."""

    def __init__(self, store: SQLiteHistoryStore, port: int = 0) -> None:
        self._server = _Server(store, port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="flows-dash")

    @property
    def link(self) -> str:
        """The address to open. Whoever has it may look."""
        return self._server.access.link

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a browser opens connections that it does not use

    def __init__(self, store: SQLiteHistoryStore, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.access = Access(self.server_port)
        self.answers = Answers(store)
        self.assets = {
            asset.name: asset.read_bytes()
            for asset in files("runtime.dash").joinpath("static").iterdir()
            if asset.name.rpartition(".")[2] in _TYPES
        }
        self.stopping = threading.Event()
        self.streams = threading.BoundedSemaphore(_MOST_STREAMS)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves is no error."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds that a connection may be silent

    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        address = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        try:
            server.access.check_origin(cast("Any", self.headers))
            path = self._below_base(address.path)
            cookie = server.access.cookie_for(query["token"]) if path == "" and "token" in query else None
            if cookie is None:
                server.access.check_cookie(cast("Any", self.headers))
            if path == "api/events":
                self._stream(query)
            elif path.startswith("api/"):
                self._send(server.answers.answer(path.removeprefix("api/"), query), "application/json")
            else:
                self._send_asset(path or "index.html", cookie)
        except Refused as error:
            self._send_text(error.status, str(error))
        except NotAsked as error:
            self._send_text(HTTPStatus.NOT_FOUND, str(error))
        except StoreError as error:
            self._send_text(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except OSError:  # the browser left
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Also what is no request at all is answered in our way; other methods than GET are not known."""
        del explain
        self._send_text(HTTPStatus(code), message or "")

    def version_string(self) -> str:
        """Which Python answers is nobody's business."""
        return "flows"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        """Requests are nobody's news; the first holds the token."""

    def _below_base(self, path: str) -> str:
        base = cast("_Server", self.server).access.base
        if not path.startswith(base):
            raise Refused(HTTPStatus.FORBIDDEN, "Open the link that flows dash printed.")
        return path.removeprefix(base)

    def _send_asset(self, name: str, cookie: str | None) -> None:
        body = cast("_Server", self.server).assets.get(name)
        if body is None:
            raise NotAsked(f"Nothing is called {name!r} here.")
        self._send(body, _TYPES[name.rpartition(".")[2]], {"Set-Cookie": cookie} if cookie else {})

    def _send_text(self, status: HTTPStatus, text: str) -> None:
        with suppress(OSError):  # the browser left
            self._send(f"{text}\n".encode(errors="replace"), "text/plain; charset=utf-8", status=status)

    def _send(
        self,
        body: bytes,
        kind: str,
        headers: dict[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self._send_head(status, {"Content-Type": kind, "Content-Length": str(len(body))} | (headers or {}))
        self.wfile.write(body)

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.close_connection = True  # an idle connection would keep a thread
        self.send_response(status)
        for name, value in (HEADERS | {"Connection": "close"} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, query: dict[str, str]) -> None:
        """Tell as Server-Sent Events how far a run has come, each time it has come further."""
        server = cast("_Server", self.server)
        reached = server.answers.reached(query)
        with self._place_for_stream():
            self._send_head(HTTPStatus.OK, {"Content-Type": "text/event-stream"})
            told, silent = None, 0.0
            while True:
                if reached != told:
                    self.wfile.write(b"data: %d %d\n\n" % reached)
                    told, silent = reached, 0.0
                elif silent >= _SIGN_OF_LIFE:
                    self.wfile.write(b": still there\n\n")
                    silent = 0.0
                if server.stopping.wait(_LOOK):
                    return
                silent += _LOOK
                try:
                    reached = server.answers.reached(query)
                except (NotAsked, StoreError):  # the head was sent: the page asks again, and hears why then
                    return

    @contextmanager
    def _place_for_stream(self) -> Generator[None]:
        streams = cast("_Server", self.server).streams
        if not streams.acquire(blocking=False):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages watch runs.")
        try:
            yield
        finally:
            streams.release()
