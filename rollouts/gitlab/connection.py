"""How one GitLab is asked with one token: through python-gitlab, pages made rows, failures made our errors.

The questions and changes themselves are in client.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

import gitlab as python_gitlab
import requests

from rollouts.gitlab import fields
from rollouts.gitlab.answers import json_of
from rollouts.gitlab.errors import BadAnswer, Forbidden, GitLabProblem, Gone, Unreachable
from rollouts.gitlab.phrases import worded
from rollouts.gitlab.transport import Heard, Permit, Transport

PER_PAGE = 100  # GitLab's largest page (doc/api/rest/_index.md, "Pagination")
MOST_PAGES = 1_000
#: Rows of one question that can't be read; with more of them the whole answer counts as one.
MOST_UNREAD = 1_000
USER_AGENT = "model-rollout-portal"

Record = TypeVar("Record")


class Connection:
    """One GitLab, seen with one token. Not for several threads at once: make one for each.

    ``url`` is the base address, with a path prefix where GitLab has one; ``token`` may be empty (public projects only);
    ``timeout`` is seconds to connect and seconds between two bytes. Nothing is sent before the first question.
    ``permit`` is asked before each HTTP request and may raise a GitLabProblem instead; ``heard`` is told how each
    ended. After a question that has several rows, ``unread`` holds those that could not be read, and ``etag`` what
    the same question may be asked with again.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: tuple[float, float] = (5.0, 20.0),
        permit: Permit = lambda: None,
        heard: Heard = lambda problem, rate: None,
    ) -> None:
        self.url = _without_credentials(url)
        self.unread: list[BadAnswer] = []
        token = token.strip()
        sendable = token.isascii() and token.isprintable() and " " not in token
        self._transport = Transport(self.url, permit=permit, heard=heard, sendable=sendable)
        self._gitlab = python_gitlab.Gitlab(
            self.url,
            private_token=token or None,
            timeout=timeout,  # type: ignore[arg-type]  # requests takes the pair, python-gitlab only passes it on
            user_agent=USER_AGENT,
            keep_base_url=True,
            retry_transient_errors=False,
            backend=lambda **_: self._transport,
        )

    @property
    def calls(self) -> int:
        """HTTP requests really sent, those that were asked again included."""
        return self._transport.calls

    @property
    def etag(self) -> str:
        """The ETag of the newest answer, empty where it had none."""
        return self._transport.etag

    @property
    def told_at(self) -> datetime | None:
        """When the newest answer was made, by GitLab's own clock; None where it did not say."""
        return self._transport.told_at

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"  # never the token

    def _records(
        self, path: str, query: dict[str, Any], read: Callable[[Any], Record], *, needs: str, unless: str = ""
    ) -> list[Record]:
        """All rows that can be read; what can't is in ``unread``, and BadAnswer where that is every one."""
        return list(self._readable(read, self._rows(path, query, needs=needs, unless=unless)))

    def _readable(self, read: Callable[[Any], Record], rows: Iterable[tuple[str, Any]]) -> Iterator[Record]:
        self.unread = []
        good = 0
        for place, row in rows:
            try:
                record = read_row(read, row, place)
            except BadAnswer as problem:
                self.unread.append(problem)
                if len(self.unread) == MOST_UNREAD:
                    break  # whoever sends so much of it sends no rows, and no memory holds it all
                continue
            good += 1
            yield record
        if self.unread and (not good or len(self.unread) == MOST_UNREAD):
            raise self.unread[0]

    def _rows(self, path: str, query: dict[str, Any], *, needs: str, unless: str = "") -> Iterator[tuple[str, Any]]:
        """Every row of every page, with its place for error messages. Raises Unchanged where ``unless`` is its ETag.

        Of a page's ``Link`` only the query is taken: the path and the host stay ours, whatever a proxy wrote there.
        """
        what = path.strip("/").rsplit("/", 1)[-1]
        asked: list[dict[str, Any]] = []
        while True:
            response = self._get(path, query, needs=needs, unless=unless)
            asked.append(query)
            for index, row in enumerate(fields.as_rows(json_of(response), what)):
                yield f"{what}[{index}]", row
            following = _next_page(response, query)
            if following is None:
                return
            self._transport.etag = unless = ""  # one page's ETag says nothing of the others
            if len(asked) >= MOST_PAGES or following in asked[-2:]:
                raise BadAnswer(worded("the header Link"), worded("leads in a circle"))
            query = following

    def _get(
        self, path: str, query: dict[str, Any], *, needs: str = Forbidden.ANY, unless: str = ""
    ) -> requests.Response:
        """One GET. Raises GitLabProblem, or Unchanged where ``unless`` is the answer's ETag, and nothing else."""
        headers = {"extra_headers": {"If-None-Match": unless}} if unless else {}
        return self._send("get", path, needs=needs, query_data=query, **headers)

    def _change(
        self,
        verb: Literal["post", "put"],
        path: str,
        body: dict[str, Any],
        read: Callable[[Any], Record],
        *,
        needs: str,
    ) -> Record:
        """Send one change, exactly once, and read what GitLab says it made. Raises GitLabProblem and nothing else.

        Where GitLab took the change and its answer is of no use, the problem is ``unsure`` as well.
        """
        response = self._send(verb, path, needs=needs, post_data=body)
        problem: GitLabProblem
        try:
            return read(json_of(response))
        except GitLabProblem as known:
            problem = known.about_a_change()
        raise problem

    def _send(self, verb: str, path: str, *, needs: str, **what: Any) -> requests.Response:
        problem: GitLabProblem
        try:
            return self._gitlab.http_request(verb, path, **what, obey_rate_limit=False, max_retries=0)
        except Forbidden:
            problem = Forbidden(needs)
        except GitLabProblem as known:
            problem = known
        except (python_gitlab.exceptions.GitlabError, requests.exceptions.RequestException) as raw:
            problem = BadAnswer(worded("the answer"), worded("cannot be read ({error})", error=type(raw).__name__))
        raise problem


def _next_page(response: requests.Response, query: dict[str, Any]) -> dict[str, Any] | None:
    """The query of the next page from ``Link``, or from ``X-Next-Page`` where a proxy dropped that; None at the end."""
    url = response.links.get("next", {}).get("url", "")
    if url:
        try:
            return dict(parse_qs(urlsplit(url).query, keep_blank_values=True))
        except ValueError:
            raise BadAnswer(worded("the header Link"), worded("is not a link")) from None
    page = response.headers.get("X-Next-Page", "").strip()
    return {**query, "page": page} if page.isascii() and page.isdigit() else None


def read_row(read: Callable[[Any], Record], row: Any, place: str) -> Record:
    try:
        return read(row)
    except BadAnswer as problem:
        raise problem.within(place) from None


def segment(reference: str | int) -> str:
    """A project or group, by id or full path, as one segment of an address. Raises Gone for what can be neither."""
    return _quoted(str(reference).strip().strip("/"), worded("project or group of that name"))


def flag_segment(name: str) -> str:
    """A flag's name as one segment of an address, to the letter: a similar name is another flag. Raises Gone."""
    return _quoted(name, worded("flag of that name"))


def _quoted(written: str, what: str) -> str:
    if not written or written in (".", "..") or not written.isprintable():
        raise Gone(what)
    return quote(written, safe="")


def _without_credentials(url: str) -> str:
    """The base address as it may be shown: without user name and password, query, fragment and last slash.

    Raises Unreachable for what is no http(s) address.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise Unreachable(worded("The URL of this GitLab is not one. Write it as https://gitlab.example.com."))
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
