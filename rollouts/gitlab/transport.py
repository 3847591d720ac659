"""How a request travels: python-gitlab's backend with our own rules for failing, waiting and trusting.

- It asks again at once, at most twice, after a 5xx or a dropped connection, but sends a change only once (who asked
  for it knows how to find out whether it was done); never after 429, never by sleeping (a
  sleeping worker serves nobody). Every other status becomes one of our errors here, with what only the headers know.
- It never sends the token to another host: redirects are followed by hand, within the same host only.
- Answers are read piece by piece, up to a size and a time, so that a broken or hostile server cannot fill the memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from gitlab._backends.requests_backend import RequestsBackend, RequestsResponse

from rollouts.gitlab.errors import (
    BadAnswer,
    Forbidden,
    GitLabProblem,
    Gone,
    RateLimited,
    Rejected,
    ServerError,
    Unauthorized,
    Unreachable,
)

LARGEST_ANSWER = 50 * 1024 * 1024
LONGEST_ANSWER = 120.0  # seconds for one answer, from first to last byte
LONGEST_WAIT = timedelta(days=1)  # what a rate limit may ask of us; more is a mistake of the other side
TRIES = 3
REDIRECTS = 3
PIECE = 64 * 1024

_REFUSED = (
    "GitLab at {host} cannot be reached: the connection was refused or its name is not known. "
    "Check the URL and that it runs."
)
_DROPPED = (
    "GitLab at {host} drops the connection. The portal tries at the next sync; check the proxy before it if it lasts."
)
_UNTRUSTED = "GitLab at {host} shows a certificate that we do not trust. Install its authority on this machine."
_SLOW = "GitLab at {host} does not answer in time. The portal tries at the next sync; check the network if it lasts."


class _DroppedConnection(Exception):
    """The other side hung up before its answer was complete. Inside this module only."""

    def __init__(self, mid_answer: bool) -> None:
        super().__init__()
        self.mid_answer = mid_answer


class _Session(requests.Session):
    """A session that leaves redirects to us: requests would read their whole body, and follow to any host."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Transport(RequestsBackend):
    """One shared session to one GitLab. ``calls`` counts the HTTP requests that were really sent."""

    def __init__(self, base_url: str, *, sendable: bool = True) -> None:
        """``sendable`` says whether the token can stand in a header at all."""
        super().__init__(_Session())
        self.calls = 0
        self._sendable = sendable
        self._base = urlsplit(base_url)
        self._host = self._base.hostname or base_url[:200]
        if self._host in ("localhost", "127.0.0.1", "::1"):
            self._client.trust_env = False  # a company's proxy cannot reach what runs on this machine

    def http_request(self, method: str, url: str, *args: Any, **options: Any) -> RequestsResponse:
        """Send, ask again where that is right, and return a 2xx answer. Raises GitLabProblem and nothing else."""
        if not self._sendable:  # the libraries below would quote the token in their complaint
            raise Unauthorized("The token has characters that no token has. Set it again, without quotes or line ends.")
        problem: GitLabProblem
        is_change = method.upper() not in ("GET", "HEAD")
        for _ in range(1 if is_change else TRIES):
            try:
                response = self._follow(method, url, options)
            except GitLabProblem as known:
                known.unsure = is_change and known.kind != "connection_refused"
                raise
            except _DroppedConnection as dropped:
                problem = (
                    BadAnswer("the answer", "ends before its end")
                    if dropped.mid_answer
                    else Unreachable(_DROPPED.format(host=self._host))
                )
                problem.unsure = is_change
                continue
            if response.status_code >= 500:
                problem = ServerError(response.status_code)
                problem.unsure = is_change
                continue
            if 200 <= response.status_code < 300:
                return RequestsResponse(response)
            problem = _problem_of(response, is_change=is_change)
            break
        raise problem

    def _follow(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        for _ in range(REDIRECTS + 1):
            self._refuse_other_hosts(url)
            response = self._send(method, url, options)
            target = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            if method.upper() not in ("GET", "HEAD"):
                raise BadAnswer(
                    "the answer", "sends a change on to another address. Set the instance's URL to that one"
                )
            url, options = _joined(url, target), {**options, "params": None}
        raise BadAnswer("the answer", "sends us on and on")

    def _refuse_other_hosts(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            same = parts.hostname == self._base.hostname and (
                (parts.scheme, parts.port) == (self._base.scheme, self._base.port)
                or (self._base.scheme, parts.scheme) == ("http", "https")
            )
        except ValueError:
            same = False
        if not same:
            raise BadAnswer("the answer", "sends us on to another host, which may not see our token")

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        """One request and its whole answer. Errors are raised outside of ``except``: nothing raw hangs on them."""
        try:
            response = self._client.request(
                method,
                url,
                **{**options, "stream": True, "allow_redirects": False, "verify": options.get("verify", True)},
            )
            self.calls += 1
            with response:
                body = _read(response)
        except requests.exceptions.SSLError:
            problem: Exception = Unreachable(_UNTRUSTED.format(host=self._host))
        except requests.exceptions.ConnectTimeout:
            problem = Unreachable(_SLOW.format(host=self._host), kind="timeout")
        except requests.exceptions.Timeout:
            self.calls += 1
            problem = Unreachable(_SLOW.format(host=self._host), kind="timeout")
        except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
            problem = _DroppedConnection(mid_answer=True)
        except requests.exceptions.ConnectionError as raw:
            problem = self._connection_problem(raw)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as raw:
            problem = BadAnswer("the answer", f"cannot be read ({type(raw).__name__})")
        except GitLabProblem as known:
            problem = known
        else:
            response._content = body  # what .content and .json() look at; requests has no public door to it
            return response
        raise problem

    def _connection_problem(self, raw: requests.exceptions.ConnectionError) -> Exception:
        """Tell a connection that never was from one that was dropped, and both from a slow answer."""
        cause = raw.args[0] if raw.args else None
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
            return Unreachable(_SLOW.format(host=self._host), kind="timeout")
        if isinstance(cause, urllib3.exceptions.ProtocolError):
            self.calls += 1
            return _DroppedConnection(mid_answer=False)
        return Unreachable(_REFUSED.format(host=self._host))


def _joined(url: str, target: str) -> str:
    """Where a redirect leads; nowhere (and so refused as another host) where it is no address."""
    with suppress(ValueError):
        return urljoin(url, target)
    return ""


def _read(response: requests.Response) -> bytes:
    """The body, unpacked, within our limits of size and time."""
    started = monotonic()
    pieces, size = [], 0
    for piece in response.iter_content(PIECE):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise BadAnswer("the answer", f"is larger than {LARGEST_ANSWER // 1024 // 1024} MB")
        if monotonic() - started > LONGEST_ANSWER:
            raise Unreachable("GitLab sends its answer too slowly. The portal tries at the next sync.", kind="timeout")
        pieces.append(piece)
    return b"".join(pieces)


def _problem_of(response: requests.Response, *, is_change: bool) -> GitLabProblem:
    if is_change and response.status_code in (400, 409, 422):
        return Rejected(_said_by_gitlab(response))
    match response.status_code:
        case 401:
            return Unauthorized()
        case 403:
            return Forbidden()
        case 404 | 410:
            return Gone()
        case 429:
            return RateLimited(rate_limited_until(response.headers, datetime.now(UTC)))
        case status:
            return BadAnswer("the answer", f"has status {status}")


def _said_by_gitlab(response: requests.Response) -> str:
    """GitLab's own sentence: ``{"message": …}`` or ``{"error": …}``, text or by field."""
    with suppress(ValueError, RecursionError):
        said = json.loads(response.content)
        said = said.get("message") or said.get("error") if isinstance(said, dict) else said
        if isinstance(said, dict):
            said = "; ".join(
                f"{name} {', '.join(map(str, why))}" for name, why in said.items() if isinstance(why, list)
            )
        elif isinstance(said, list):
            said = "; ".join(map(str, said))
        return " ".join("".join(c for c in str(said or "") if c.isprintable()).split())
    return ""


def rate_limited_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """From ``Retry-After`` (seconds or HTTP date), else ``RateLimit-Reset`` (unix seconds), else None.

    Never in the past, never more than a day ahead. Sources: RFC 9110 section 10.2.3; GitLab
    doc/administration/settings/user_and_ip_rate_limits.md, "Response headers".
    """
    for read, header in ((_retry_after, "Retry-After"), (_unix, "RateLimit-Reset")):
        written = headers.get(header, "").strip()
        try:
            until = read(written, now) if written else None
        except (ValueError, OverflowError, TypeError, OSError):
            until = None
        if until:
            return min(max(until, now), now + LONGEST_WAIT).replace(microsecond=0)
    return None


def _retry_after(written: str, now: datetime) -> datetime:
    if written.isascii() and written.isdigit():
        # Cut before the sum: a number of thousand digits is a long wait, not an error.
        return now + min(timedelta(seconds=int(written[:9])) if len(written) < 10 else LONGEST_WAIT, LONGEST_WAIT)
    until = parsedate_to_datetime(written)
    return until if until.tzinfo else until.replace(tzinfo=UTC)


def _unix(written: str, _now: datetime) -> datetime:
    return datetime.fromtimestamp(int(written), UTC)


def json_of(response: requests.Response) -> Any:
    """The parsed body. Raises BadAnswer for what is not JSON: an HTML page, a cut text, nonsense."""
    if "html" in response.headers.get("Content-Type", "").lower():
        raise BadAnswer("the answer", "is an HTML page instead of JSON")
    with suppress(ValueError, RecursionError):  # raised below: json's own error would carry the whole text along
        return json.loads(response.content)
    raise BadAnswer("the answer", "is not JSON")
