"""Ask GitLab. Every method is one question; the answer is records, or one of our errors.

gitlab = GitLab("https://gitlab.example.com", token)
gitlab.issues("acme/app", [11, 12, 13])      # one call
gitlab.calls                                 # HTTP requests really sent so far
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import gitlab as python_gitlab
import requests

from rollouts.gitlab import fields
from rollouts.gitlab.errors import BadAnswer, Forbidden, GitLabProblem, Gone, Unreachable
from rollouts.gitlab.records import DefinitionRecord, FeatureRecord, IssueRecord, ProjectFlagRecord
from rollouts.gitlab.transport import Transport, json_of
from rollouts.gitlab.writes import Writes, segment

PER_PAGE = 100  # GitLab's largest page (doc/api/rest/_index.md, "Pagination")
IIDS_PER_CALL = 100
MOST_PAGES = 1_000
USER_AGENT = "model-rollout-portal"

Record = TypeVar("Record")


class GitLab(Writes):
    """One GitLab, seen with one token. Not for several threads at once: make one for each.

    ``url`` is the base address, with a path prefix where GitLab has one; ``token`` may be empty (public projects only);
    ``timeout`` is seconds to connect and seconds between two bytes. Nothing is sent before the first question.
    """

    def __init__(self, url: str, token: str, *, timeout: tuple[float, float] = (5.0, 20.0)) -> None:
        self.url = _without_credentials(url)
        token = token.strip()
        self._transport = Transport(self.url, sendable=token.isascii() and token.isprintable() and " " not in token)
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

    def __repr__(self) -> str:
        return f"GitLab({self.url!r})"  # never the token

    def features(self) -> list[FeatureRecord]:
        """All instance flags that were ever set, in one call (``GET /features`` is not paginated)."""
        return self._records("/features", {}, FeatureRecord.from_gitlab, needs=Forbidden.FEATURES)

    def feature_definitions(self) -> list[DefinitionRecord]:
        """The YAML definitions of all instance flags, those never set included (``GET /features/definitions``)."""
        return self._records("/features/definitions", {}, DefinitionRecord.from_gitlab, needs=Forbidden.FEATURES)

    def project_flags(self, project: str | int) -> list[ProjectFlagRecord]:
        """All flags of a project (``GET /projects/:id/feature_flags``, all pages)."""
        return self._records(
            f"/projects/{segment(project)}/feature_flags",
            {"per_page": PER_PAGE},
            ProjectFlagRecord.from_gitlab,
            needs=Forbidden.PROJECT,
        )

    def issues(self, project: str | int, iids: Iterable[int]) -> list[IssueRecord]:
        """These issues of a project, by their numbers; those that are gone or hidden are not in the answer.

        One call for up to 100 numbers (``GET /projects/:id/issues?iids[]=``). Raises Gone for an unknown project.
        """
        wanted = sorted(set(iids))
        found: dict[int, IssueRecord] = {}
        for start in range(0, len(wanted), IIDS_PER_CALL):
            batch = wanted[start : start + IIDS_PER_CALL]
            found.update(self._issue_batch(project, batch))
        return list(found.values())

    def open_issues(self, project: str | int, label: str) -> list[IssueRecord]:
        """Open issues with this label, all pages (``GET /projects/:id/issues?state=opened&labels=``).

        A plainer server may ignore the filters, so they are looked at here too.
        """
        query = {"state": "opened", "labels": label, "scope": "all", "per_page": PER_PAGE}
        rows = self._records(
            f"/projects/{segment(project)}/issues", query, IssueRecord.from_gitlab, needs=Forbidden.PROJECT
        )
        return [issue for issue in rows if issue.state == "opened" and label in issue.labels]

    def user_id(self, username: str) -> int | None:
        """The id of a user by user name (``GET /users?username=``), or None. GitLab ignores upper and lower case."""
        try:
            rows = fields.as_rows(json_of(self._get("/users", {"username": username})), "users")
        except Gone:
            return None
        for index, row in enumerate(rows):
            place = f"users[{index}]"
            user = fields.as_object(row, place)
            try:
                if fields.required_text(user, "username").lower() == username.lower():
                    return fields.required_number(user, "id")
            except BadAnswer as problem:
                raise problem.within(place) from None
        return None

    def group_id(self, path: str) -> int | None:
        """The id of a group by its full path (``GET /groups/:id``), or None."""
        return self._id_of(f"/groups/{segment(path)}", {"with_projects": "false"})

    def project_id(self, path: str) -> int | None:
        """The id of a project by its full path (``GET /projects/:id``), or None."""
        return self._id_of(f"/projects/{segment(path)}", {})

    def _issue_batch(self, project: str | int, iids: list[int]) -> dict[int, IssueRecord]:
        wanted = set(iids)
        found: dict[int, IssueRecord] = {}
        path = f"/projects/{segment(project)}/issues"
        query = {"iids[]": iids, "scope": "all", "per_page": PER_PAGE}
        for place, row in self._rows(path, query, needs=Forbidden.PROJECT):
            record = _read(IssueRecord.from_gitlab, row, place)
            if record.iid in wanted:  # a plainer server may ignore iids[]
                found[record.iid] = record
            if len(found) == len(wanted):
                break
        return found

    def _id_of(self, path: str, query: dict[str, Any]) -> int | None:
        try:
            answer = json_of(self._get(path, query))
        except Gone:
            return None
        return fields.required_number(fields.as_object(answer, "the answer"), "id")

    def _records(self, path: str, query: dict[str, Any], read: Callable[[Any], Record], *, needs: str) -> list[Record]:
        return [_read(read, row, place) for place, row in self._rows(path, query, needs=needs)]

    def _rows(self, path: str, query: dict[str, Any], *, needs: str) -> Iterator[tuple[str, Any]]:
        """Every row of every page, with its place for error messages.

        Of a page's ``Link`` only the query is taken: the path and the host stay ours, whatever a proxy wrote there.
        """
        what = path.strip("/").rsplit("/", 1)[-1]
        asked: list[dict[str, Any]] = []
        while True:
            response = self._get(path, query, needs=needs)
            asked.append(query)
            for index, row in enumerate(fields.as_rows(json_of(response), what)):
                yield f"{what}[{index}]", row
            following = _next_page(response, query)
            if following is None:
                return
            if len(asked) >= MOST_PAGES or following in asked[-2:]:
                raise BadAnswer("the header Link", "leads in a circle")
            query = following

    def _get(self, path: str, query: dict[str, Any], *, needs: str = Forbidden.ANY) -> requests.Response:
        """One GET through python-gitlab. Raises GitLabProblem and nothing else."""
        problem: GitLabProblem
        try:
            answer = self._gitlab.http_get(path, query_data=query, raw=True, obey_rate_limit=False, max_retries=0)
        except Forbidden:
            problem = Forbidden(needs)
        except GitLabProblem as known:
            problem = known
        except (python_gitlab.exceptions.GitlabError, requests.exceptions.RequestException) as raw:
            problem = BadAnswer("the answer", f"cannot be read ({type(raw).__name__})")
        else:
            assert isinstance(answer, requests.Response)  # because of raw=True
            return answer
        raise problem


def _next_page(response: requests.Response, query: dict[str, Any]) -> dict[str, Any] | None:
    """The query of the next page from ``Link``, or from ``X-Next-Page`` where a proxy dropped that; None at the end."""
    url = response.links.get("next", {}).get("url", "")
    if url:
        try:
            return dict(parse_qs(urlsplit(url).query, keep_blank_values=True))
        except ValueError:
            raise BadAnswer("the header Link", "is not a link") from None
    page = response.headers.get("X-Next-Page", "").strip()
    return {**query, "page": page} if page.isascii() and page.isdigit() else None


def _read(read: Callable[[Any], Record], row: Any, place: str) -> Record:
    try:
        return read(row)
    except BadAnswer as problem:
        raise problem.within(place) from None


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
        raise Unreachable("The URL of this GitLab is not one. Write it as https://gitlab.example.com.")
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
