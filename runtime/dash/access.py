"""Who may look: only somebody who has the link, in a browser that asks for no other site.

The link holds a token. Whoever brings it gets a cookie that scripts cannot read and that other sites
cannot send along. Browsers keep cookies apart by host and path, not by port, so all pages are below a path
that is drawn for each server: other servers of this machine are not sent the cookie. The name of the host
is looked at because a name of another site may be made to mean this machine (DNS rebinding).
"""

import secrets
from collections.abc import Mapping
from hmac import compare_digest
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie

_COOKIE = "flows_dash"

#: sent with each answer. Scripts and styles are files of ours; nothing is asked of another host.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class Refused(Exception):
    """A request is not to be answered, and why."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Access:
    """What a request must bring to a server on this port."""

    def __init__(self, port: int) -> None:
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        #: what all paths begin with
        self.base = f"/{secrets.token_hex(8)}/"
        #: the address that lets its reader in
        self.link = f"http://127.0.0.1:{port}{self.base}?token={self._token}"

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raises :class:`Refused` for a request that was meant for another host, or made by another site."""
        if headers.get("Host", "").lower() not in self._hosts:
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "This server answers to 127.0.0.1 alone.")
        # "none": the address was typed. A server on another port is the same site, and another origin.
        if headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            navigates = headers.get("Sec-Fetch-Mode") == "navigate"
            if not navigates or headers.get("Sec-Fetch-Dest") != "document":
                raise Refused(HTTPStatus.FORBIDDEN, "Another site may not ask.")

    def cookie_for(self, token: str) -> str | None:
        """The cookie that this token buys; None where it is not the one."""
        if not compare_digest(token.encode(), self._token.encode()):
            return None
        return f"{_COOKIE}={self._session}; Path={self.base}; HttpOnly; SameSite=Strict"

    def check_cookie(self, headers: Mapping[str, str]) -> None:
        """Raises :class:`Refused` for a request without our cookie."""
        try:
            morsel = SimpleCookie(headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            morsel = None
        if morsel is None or not compare_digest(morsel.value.encode(), self._session.encode()):
            raise Refused(HTTPStatus.FORBIDDEN, "Open the link that flows dash printed.")
