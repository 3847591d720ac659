"""How a question travels to Prometheus: to one server, without redirects, within a time and a size."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from time import monotonic
from urllib.parse import urlsplit

import requests

from .answers import Point, Trouble, points

#: Seconds until it accepts, between two pieces, and for the whole answer.
CONNECT, PIECE, WHOLE = 3.0, 5.0, 10.0
LARGEST = 2_000_000
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Server:
    """``private``: it may be on this machine or in a network that is not the open one."""

    url: str
    token: str = ""
    user: str = ""
    password: str = ""
    private: bool = False

    def at(self, query: str, moment: datetime) -> list[Point]:
        """The value of a query at a moment: one point or none. Raises ``Trouble``."""
        return self._ask("query", {"query": query, "time": _stamp(moment)})

    def between(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Point]:
        """Its values from ``start`` to ``end``, one for each ``step``. Raises ``Trouble``."""
        more = {"start": _stamp(start), "end": _stamp(end), "step": f"{step.total_seconds():g}"}
        return self._ask("query_range", {"query": query, **more})

    def _ask(self, what: str, form: dict[str, str]) -> list[Point]:
        self._refuse_private()
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        begun = monotonic()
        try:
            with requests.Session() as session:
                session.trust_env = False  # no .netrc, no proxy of somebody's shell
                if self.user:
                    session.auth = (self.user, self.password)
                with session.post(
                    f"{self.url}/api/v1/{what}",
                    data={**form, "timeout": f"{WHOLE:g}s"},
                    headers=headers,
                    timeout=(CONNECT, PIECE),
                    stream=True,
                    allow_redirects=False,
                ) as answer:
                    return points(_body(answer, begun), _status(answer))
        except requests.Timeout:
            raise Trouble("slow") from None
        except requests.RequestException as error:
            raise Trouble("unreachable", type(error).__name__) from None

    def _refuse_private(self) -> None:
        """Where the operator has not said that the server is at home, its name must lead to the open network."""
        if self.private:
            return
        parts = urlsplit(self.url)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 443, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError) as error:
            raise Trouble("unreachable", type(error).__name__) from None
        if not all(ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found):
            raise Trouble("private")


def _status(answer: requests.Response) -> int:
    if answer.status_code in (401, 403):
        raise Trouble("denied", str(answer.status_code))
    if 300 <= answer.status_code < 400:
        raise Trouble("redirect", str(answer.status_code))
    return answer.status_code


def _body(answer: requests.Response, begun: float) -> bytes:
    content = b""
    for piece in answer.iter_content(CHUNK):
        content += piece
        if len(content) > LARGEST:
            raise Trouble("large", f"{LARGEST / 1e6:g}")
        if monotonic() - begun > WHOLE:
            raise Trouble("slow")
    return content


def _stamp(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"
