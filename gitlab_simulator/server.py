"""The HTTP side: real sockets, keep-alive, GitLab's headers, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from gitlab_simulator import api, site
from gitlab_simulator.directory import Caller
from gitlab_simulator.faults import Faults, Sent
from gitlab_simulator.state import State
from gitlab_simulator.store import Refused

LARGEST_BODY = 5 * 1024 * 1024
UNREACHED = 1_000_000
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Logged:
    """One request that came in: ``path`` decoded and without the query, ``time`` unix seconds, ``seconds`` spent.

    ``status`` is 0 where the connection was dropped.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    status: int
    time: float
    seconds: float


class RateLimit:
    """Requests of one caller in the running minute. Without a limit, headers alone, of one that nobody reaches."""

    def __init__(self) -> None:
        self.limit: int | None = None
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}

    def count(self, caller: str) -> tuple[dict[str, str], bool]:
        """The headers for this answer, and whether the caller may still ask."""
        limit, minute = self.limit or UNREACHED, int(time.time() // 60)
        with self._lock:
            if len(self._counts) > 1_000:
                self._counts = {key: count for key, count in self._counts.items() if key[1] == minute}
            observed = self._counts[caller, minute] = self._counts.get((caller, minute), 0) + 1
        reset = (minute + 1) * 60
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Name": "throttle_authenticated_api" if caller else "throttle_unauthenticated_api",
            "RateLimit-Observed": str(observed),
            "RateLimit-Remaining": str(max(limit - observed, 0)),
            "RateLimit-Reset": str(reset),
        }
        allowed = self.limit is None or observed <= limit
        if not allowed:
            headers["RateLimit-ResetTime"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(reset))
            headers["Retry-After"] = str(max(reset - int(time.time()), 1))
        return headers, allowed


class Server(ThreadingHTTPServer):
    """Listens on this machine only: the simulator has no secrets, and no defence either."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, state: State, port: int) -> None:
        self.state = state
        self.faults = Faults()
        self.rate = RateLimit()
        self.log: deque[Logged] = deque(maxlen=10_000)
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def server_bind(self) -> None:
        # HTTPServer would look its own name up in the DNS, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.connections.discard(request)

    def server_close(self) -> None:
        """Who is stopped answers nobody: connections that are kept open end too."""
        super().server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no error of ours."""


class Handler(BaseHTTPRequestHandler):
    """One connection. Without Nagle's wait and with buffered writes, an answer takes 1 ms instead of 43."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120

    def do_GET(self) -> None:
        started = time.time()
        try:
            parts = urlsplit(self.path)
            query = _query(parts.query)
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            self._send(400, b'{"error":"400 Bad Request"}', {})
            return
        body = self._body()
        trouble = self.server.faults.for_request(self.command, self.path)
        fault = trouble.fault
        if trouble.before:
            time.sleep(trouble.before)
        if body is None:
            sent: Sent = 413, b'{"error":"413 Request Entity Too Large"}', {"Connection": "close"}
        elif fault is not None and not fault.after:
            sent = fault.answer()
        elif host not in ("127.0.0.1", "localhost", "::1"):
            # A page of another site, with its name bent to this machine, gets nothing.
            sent = 400, b'{"error":"unknown host"}', {}
        else:
            sent = self._answer(parts.path, query, body)
            if fault is not None:
                sent = fault.answer()
        # Logged before it is sent: who has the answer, or waits for it no longer, may look at the log at once.
        self.server.log.append(
            Logged(self.command, unquote(parts.path), query, sent[0], started, time.time() - started)
        )
        if trouble.after:
            time.sleep(trouble.after)
        if sent[0]:
            self._send(*sent)
        if not sent[0] or (fault is not None and fault.how == "truncated"):
            self._hang_up()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> Sent:
        try:
            if path.startswith(api.PREFIX):
                return self._api(path, query, body)
            page = site.answer(self.server, self.command, path, query, body, dict(self.headers.items()))
        except Exception:  # one bad request must not end a keep-alive connection without an answer
            traceback.print_exc()
            return 500, b'{"message":"500 Internal Server Error"}', {}
        return page.status, page.content, {"Content-Type": HTML} | page.headers

    def _api(self, path: str, query: dict[str, list[str]], body: bytes) -> Sent:
        state = self.server.state
        token = self._token(query)
        headers, allowed = self.server.rate.count(token or "")
        if not allowed:
            return 429, b"Retry later\n", headers | {"Content-Type": "text/plain"}
        try:
            caller = state.caller(token) if token else Caller()
            parameters = _parameters(body, self.headers.get("Content-Type", ""))
            asked = api.Asked(self.command, path, query, parameters, caller, state, self.server.url)
            answer = api.answer(asked)
        except Refused as refused:
            answer = api.Answer(refused.body, refused.status)
        content = answer.content()
        headers |= answer.headers
        if answer.status == 200:
            headers["Cache-Control"] = "max-age=0, private, must-revalidate"
            headers["ETag"] = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
            if self.command in ("GET", "HEAD") and self.headers.get("If-None-Match") == headers["ETag"]:
                return 304, b"", headers
        else:
            headers["Cache-Control"] = "no-cache"
        return answer.status, content, headers

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        written = {
            "Content-Type": "application/json",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "SAMEORIGIN",
            "X-Request-Id": uuid.uuid4().hex,
            "Vary": "Origin",
        } | headers
        if status in (204, 304):
            content = b""
            written.pop("Content-Type", None)
        else:
            written.setdefault("Content-Length", str(len(content)))
        for name, value in written.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes | None:
        """The request's body; None, and no more of this connection, when it is too large."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > LARGEST_BODY or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            return None
        return self.rfile.read(int(length)) if length != "0" else b""

    def _token(self, query: dict[str, list[str]]) -> str | None:
        bearer = self.headers.get("Authorization", "")
        if bearer.lower().startswith("bearer "):
            return bearer[7:].strip()
        return self.headers.get("PRIVATE-TOKEN") or next(iter(query.get("private_token", ())), None)

    def version_string(self) -> str:
        return "nginx"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: requests are in the server's log."""


def _query(written: str) -> dict[str, list[str]]:
    """``iids[]=1`` and ``iids=1`` are the same to GitLab."""
    found: dict[str, list[str]] = {}
    for name, values in parse_qs(written, keep_blank_values=True, max_num_fields=5_000).items():
        found.setdefault(name.removesuffix("[]"), []).extend(values)
    return found


def _parameters(body: bytes, content_type: str) -> dict[str, Any]:
    """The parameters of a body. No string of them holds what a database cannot store (a NUL, half a character)."""
    found = _read(body, content_type)
    try:
        storable = all("\0" not in text and text.encode() is not None for text in _strings(found))
    except (UnicodeEncodeError, RecursionError):
        storable = False
    if not storable:
        raise Refused.error("400 Bad Request")
    return found


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for key, inner in value.items():
                yield key
                yield from _strings(inner)
        case list():
            for inner in value:
                yield from _strings(inner)


def _read(body: bytes, content_type: str) -> dict[str, Any]:
    if not body.strip():
        return {}
    if "json" in content_type:
        try:
            read = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused.error("The request body is not valid JSON") from None
        return {str(key): value for key, value in read.items()} if isinstance(read, dict) else {}
    if "urlencoded" in content_type or not content_type:
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=5_000)
        return {name.removesuffix("[]"): values if name.endswith("[]") else values[-1] for name, values in form.items()}
    raise Refused(406, {"error": "The requested content-type is not supported"})
