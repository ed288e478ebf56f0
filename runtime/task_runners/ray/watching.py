"""The sockets of Ray that tell whether it lives: an open connection ends when the process behind it does."""

import os
import socket
import time
from collections.abc import Callable

from runtime.exceptions import FlowsError
from runtime.task_runners.ray.native import client_address, gcs_address, raylet_socket

#: Seconds that something on another machine may be away before it counts as dead.
_PATIENCE = 15.0
_PAUSE = 0.5
#: Seconds that something which listens has to say that it understands.
_ANSWERS_WITHIN = 5.0
#: All of Ray speaks gRPC, and so HTTP/2: each side begins with a frame of settings (RFC 9113, 3.4).
_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + b"\0\0\0\0\0"


class RayUnavailable(FlowsError, RuntimeError):
    """Ray cannot be used as asked."""


class Endpoint:
    """One process of Ray, seen through a connection to it that says nothing.

    Some close such a connection after a while, so one that ended is made anew: that tells a process that
    lives from one that does not. ``patience`` is how many seconds to try.
    """

    def __init__(self, name: str, connect: Callable[[], socket.socket], patience: float) -> None:
        self.name = name
        self._connect = connect
        self._patience = patience
        self.socket = connect()

    def closed(self) -> bool:
        """Whether the other side has ended; takes what it sent."""
        try:
            return not self.socket.recv(65536)
        except OSError:
            return True

    def connect_again(self, given_up: Callable[[], bool]) -> bool:
        """Connect anew; False where nobody is there."""
        self.socket.close()
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self.socket = self._connect()
            except OSError:
                if given_up() or time.monotonic() >= deadline:
                    return False
                time.sleep(_PAUSE)
            else:
                return True

    def close(self) -> None:
        """Disconnect."""
        self.socket.close()


def check_answers(address: str) -> None:
    """Raise :class:`RayUnavailable` where nobody listens at an address, or somebody who is no Ray.

    Ray would try for minutes, and may end this process instead of raising.
    """
    try:
        with _to_address(address.removeprefix("ray://")) as connection:
            if os.environ.get("RAY_USE_TLS", "0").lower() in {"1", "true"}:
                return
            connection.settimeout(_ANSWERS_WITHIN)
            connection.sendall(_GREETING)
            if connection.recv(9)[3:4] == _SETTINGS:
                return
    except (OSError, ValueError) as error:
        raise RayUnavailable(f"No Ray answers at {address}: {error}") from error
    raise RayUnavailable(f"No Ray answers at {address}: something else listens there")


def endpoints_of_this_process() -> list[Endpoint]:
    """What this process needs of the Ray that it is connected to."""
    client = client_address()
    if client is not None:
        return [Endpoint(f"the Ray client server at {client}", lambda: _to_address(client), _PATIENCE)]
    gcs, raylet = gcs_address(), raylet_socket()
    patience = 0.0 if _is_local(gcs) else _PATIENCE
    return [
        Endpoint(f"its control process (GCS) at {gcs}", lambda: _to_address(gcs), patience),
        Endpoint("the raylet of this machine", lambda: _to_socket(raylet), 0.0),
    ]


def _to_address(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)), timeout=5)
    connection.settimeout(None)
    # a machine that vanished closes nothing
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


def _to_socket(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _is_local(address: str) -> bool:
    return address.startswith(("127.", "localhost:", "[::1]"))
