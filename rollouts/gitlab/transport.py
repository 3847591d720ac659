"""How a request travels: python-gitlab's backend with our own rules for failing, waiting and trusting.

- It asks a question again at once, at most twice, after a 5xx or a dropped connection; never after 429, never by
  sleeping (a sleeping worker serves nobody). Every other status becomes one of our errors here, with what only the
  headers know.
- It sends a change exactly once: an answer that was lost does not say that the change was not made. The error's
  ``unsure`` tells which. PUT is no exception: GitLab takes new strategies without an id, and a second PUT doubles them.
- It never sends the token to another host: redirects are followed by hand, within scheme, host and port only, and a
  change only where it is to be made there instead (307, 308).
- Answers are read piece by piece, up to a size and a time, so that a broken or hostile server cannot fill the memory.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3
from gitlab._backends.requests_backend import RequestsBackend, RequestsResponse

from rollouts.gitlab.answers import body_of, date_of, problem_of
from rollouts.gitlab.errors import (
    BadAnswer,
    GitLabProblem,
    ServerError,
    Unauthorized,
    Unreachable,
)
from rollouts.gitlab.phrases import worded
from rollouts.gitlab.rate import Rate

Permit = Callable[[], None]
Heard = Callable[[GitLabProblem | None, Rate | None], None]

QUESTIONS = ("GET", "HEAD")  # all else changes something
LONGEST_ETAG = 200
TRIES = 3
REDIRECTS = 3


def _refused(host: str) -> Unreachable:
    return Unreachable(
        worded(
            "GitLab at {host} cannot be reached: the connection was refused or its name is not known. "
            "Check the URL and that it runs.",
            host=host,
        )
    )


def _dropped(host: str) -> Unreachable:
    return Unreachable(
        worded(
            "GitLab at {host} drops the connection. "
            "The portal tries again later; check the proxy before it if it lasts.",
            host=host,
        )
    )


def _untrusted(host: str) -> Unreachable:
    return Unreachable(
        worded(
            "GitLab at {host} shows a certificate that we do not trust. Install its authority on this machine.",
            host=host,
        )
    )


def _slow(host: str) -> Unreachable:
    return Unreachable(
        worded(
            "GitLab at {host} does not answer in time. The portal tries again later; check the network if it lasts.",
            host=host,
        ),
        kind="timeout",
    )


class _Failed(Exception):
    """One request without a whole answer. Inside this module only.

    ``arrived``: GitLab may have read it and done what it asks; ``passes``: worth asking once more at once.
    """

    def __init__(self, problem: GitLabProblem, *, arrived: bool, passes: bool = False) -> None:
        super().__init__()
        self.problem = problem
        self.arrived = arrived
        self.passes = passes


class Unchanged(Exception):
    """304: what was asked for is what its ETag says. No problem, and no answer either."""


class _Session(requests.Session):
    """A session that leaves redirects to us: requests would read their whole body, and follow to any host.

    It keeps connections and nothing else: no cookies, for tokens may share it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


_kept = threading.local()


def _session_to(base: SplitResult) -> _Session:
    """This thread's session to a GitLab: its connections stay open from one pass to the next."""
    sessions: dict[tuple[str, str], _Session] = _kept.__dict__.setdefault("sessions", {})
    return sessions.setdefault((base.scheme, base.netloc), _Session())


class Transport(RequestsBackend):
    """One thread's way to one GitLab. ``calls`` counts the HTTP requests that were really sent.

    ``permit`` is asked before each of them and may raise a GitLabProblem; ``heard`` is told after each how it ended
    and what GitLab said of its rate limit. ``etag`` is that of the newest answer, empty where it had none; ``told_at``
    is when that was by GitLab's own clock, None where it did not say.
    """

    def __init__(self, base_url: str, *, permit: Permit, heard: Heard, sendable: bool = True) -> None:
        """``sendable`` says whether the token can stand in a header at all."""
        super().__init__(_session_to(urlsplit(base_url)))
        self.calls = 0
        self.etag = ""
        self.told_at: datetime | None = None
        self._permit = permit
        self._heard = heard
        self._sendable = sendable
        self._base = urlsplit(base_url)
        self._host = self._base.hostname or base_url[:200]
        if self._host in ("localhost", "127.0.0.1", "::1"):
            self._client.trust_env = False  # a company's proxy cannot reach what runs on this machine

    def http_request(self, method: str, url: str, *args: Any, **options: Any) -> RequestsResponse:
        """Send, ask again where that is right, and return a 2xx answer. Raises GitLabProblem and nothing else."""
        if not self._sendable:  # the libraries below would quote the token in their complaint
            raise Unauthorized(
                worded("The token has characters that no token has. Set it again, without quotes or line ends.")
            )
        is_question = method.upper() in QUESTIONS
        for _ in range(TRIES if is_question else 1):
            try:
                response = self._follow(method, url, options)
            except _Failed as failed:
                problem, arrived = failed.problem, failed.arrived
                self._heard(problem, None)
                if failed.passes:
                    continue
                break
            rate = Rate.from_headers(response.headers, datetime.now(UTC))
            if 200 <= response.status_code < 300:
                self._heard(None, rate)
                self.etag = response.headers.get("ETag", "")[:LONGEST_ETAG]
                self.told_at = date_of(response)
                return RequestsResponse(response)
            if response.status_code == 304 and "If-None-Match" in options.get("headers", {}):
                self._heard(None, rate)
                raise Unchanged
            arrived = not 400 <= response.status_code < 500
            if response.status_code >= 500:
                problem = ServerError(response.status_code, asked_again=is_question)
                self._heard(problem, rate)
                continue
            problem = problem_of(response, is_question=is_question)
            self._heard(problem, rate)
            break
        raise problem if is_question or not arrived else problem.about_a_change()

    def _follow(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        """The answer at the end of all redirects. Raises _Failed, or a GitLabProblem where nothing was done."""
        is_question = method.upper() in QUESTIONS
        for _ in range(REDIRECTS + 1):
            self._refuse_other_hosts(url)
            response = self._send(method, url, options)
            target = response.headers.get("Location")
            if response.status_code not in (301, 302, 303, 307, 308) or not target:
                return response
            if not is_question and response.status_code not in (307, 308):
                problem = BadAnswer(
                    worded("the answer"),
                    worded("sends a change on to another address. Set the instance's URL to that one"),
                )
                # 302 and 303 may also mean "done, look there"
                raise _Failed(problem, arrived=response.status_code in (302, 303))
            url, options = _joined(url, target), {**options, "params": None}
        raise BadAnswer(worded("the answer"), worded("sends us on and on"))

    def _refuse_other_hosts(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            same = _origin(parts) == _origin(self._base)
        except ValueError:
            same = False
        if not same:
            raise BadAnswer(worded("the answer"), worded("sends us on to another host, which may not see our token"))

    def _send(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        """One request and its whole answer, or _Failed. It is raised outside of ``except``: nothing raw hangs on it."""
        self._permit()
        try:
            response = self._client.request(
                method,
                url,
                **{**options, "stream": True, "allow_redirects": False, "verify": options.get("verify", True)},
            )
            self.calls += 1
            with response:
                body = body_of(response)
        except requests.exceptions.SSLError as raw:
            failed = _Failed(_untrusted(self._host), arrived=not _is_distrust(raw))
        except requests.exceptions.ConnectTimeout:
            failed = _Failed(_slow(self._host), arrived=False)
        except requests.exceptions.Timeout:
            self.calls += 1
            failed = _Failed(_slow(self._host), arrived=True)
        except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
            failed = _Failed(BadAnswer(worded("the answer"), worded("ends before its end")), arrived=True, passes=True)
        except requests.exceptions.ConnectionError as raw:
            failed = self._connection_failure(raw)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as raw:
            failed = _Failed(
                BadAnswer(worded("the answer"), worded("cannot be read ({error})", error=type(raw).__name__)),
                arrived=True,
            )
        except GitLabProblem as known:
            failed = _Failed(known, arrived=True)
        else:
            response._content = body  # what .content and .json() look at; requests has no public door to it
            return response
        raise failed

    def _connection_failure(self, raw: requests.exceptions.ConnectionError) -> _Failed:
        """Tell a connection that never was from one that was dropped, and both from a slow answer."""
        cause = raw.args[0] if raw.args else None
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
            return _Failed(_slow(self._host), arrived=True)
        if isinstance(cause, urllib3.exceptions.ProtocolError):
            self.calls += 1
            return _Failed(_dropped(self._host), arrived=True, passes=True)
        return _Failed(_refused(self._host), arrived=False)


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _is_distrust(raw: BaseException) -> bool:
    """Whether TLS failed over the certificate, before anything was sent; it can also break in the middle of an answer.

    requests, urllib3 and ssl wrap each other here: ``args[0]`` or ``reason`` leads one step further in.
    """
    inner: Any = raw
    for _ in range(6):
        if isinstance(inner, ssl.SSLCertVerificationError | ssl.CertificateError):
            return True
        inner = getattr(inner, "reason", None) or (getattr(inner, "args", None) or (None,))[0]
    return False


def _joined(url: str, target: str) -> str:
    """Where a redirect leads; nowhere (and so refused as another host) where it is no address."""
    with suppress(ValueError):
        return urljoin(url, target)
    return ""
