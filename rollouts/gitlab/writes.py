"""Change GitLab. Every method is one call that is sent once: who calls decides whether to try again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import gitlab as python_gitlab
import requests

from rollouts.gitlab import fields
from rollouts.gitlab.errors import BadAnswer, Forbidden, GitLabProblem, Gone
from rollouts.gitlab.records import FeatureRecord, IssueRecord, ProjectFlagRecord
from rollouts.gitlab.transport import json_of


class Writes:
    """The changing half of ``GitLab``. Raises GitLabProblem; ``unsure`` says whether the change may have been made."""

    _gitlab: python_gitlab.Gitlab
    _rows: Callable[..., Iterator[tuple[str, Any]]]

    def set_feature(self, name: str, value: str, *, parameter: str = "", target: str = "") -> FeatureRecord:
        """``POST /features/:name``: all of the flag, or with ``parameter`` one gate or one actor of it.

        ``parameter`` is ``key`` (with the target ``percentage_of_actors``), ``feature_group``, ``user``, ``group``,
        ``project`` or ``namespace``.
        """
        said = {"value": value, **({parameter: target} if parameter else {})}
        answer = self._change("post", f"/features/{segment(name)}", said, needs=Forbidden.WRITE_FEATURES)
        return FeatureRecord.from_gitlab(answer)

    def set_project_flag(
        self, project: str | int, name: str, *, active: bool, strategies: Sequence[Mapping[str, Any]]
    ) -> ProjectFlagRecord:
        """``PUT /projects/:id/feature_flags/:name``: strategies with an id change, ``_destroy`` takes one away."""
        path = f"/projects/{segment(project)}/feature_flags/{segment(name)}"
        said = {"active": active, "strategies": [dict(strategy) for strategy in strategies]}
        return ProjectFlagRecord.from_gitlab(self._change("put", path, said, needs=Forbidden.WRITE_PROJECT))

    def create_issue(
        self,
        project: str | int,
        *,
        title: str,
        description: str,
        labels: Sequence[str] = (),
        confidential: bool = False,
    ) -> IssueRecord:
        """``POST /projects/:id/issues``."""
        said = {
            "title": title,
            "description": description,
            "labels": ",".join(labels),
            "confidential": confidential,
        }
        path = f"/projects/{segment(project)}/issues"
        return IssueRecord.from_gitlab(self._change("post", path, said, needs=Forbidden.WRITE_PROJECT))

    def find_issue(self, project: str | int, marker: str) -> IssueRecord | None:
        """The oldest issue whose description holds this marker, or None.

        A plainer server may ignore ``search``, so the description itself is looked at.
        """
        query = {"search": marker, "in": "description", "scope": "all", "order_by": "created_at", "sort": "asc"}
        for _, row in self._rows(f"/projects/{segment(project)}/issues", {**query, "per_page": 100}, needs=""):
            if marker in str(fields.as_object(row, "issue").get("description") or ""):
                return IssueRecord.from_gitlab(row)
        return None

    def post_note(self, project: str | int, iid: int, body: str) -> int:
        """``POST /projects/:id/issues/:iid/notes``; the note's id."""
        path = f"/projects/{segment(project)}/issues/{iid}/notes"
        answer = self._change("post", path, {"body": body}, needs=Forbidden.WRITE_PROJECT)
        return fields.required_number(fields.as_object(answer, "note"), "id")

    def find_note(self, project: str | int, iid: int, marker: str) -> int | None:
        """The id of the newest note that holds this marker, or None; pages back to the first note."""
        query = {"order_by": "created_at", "sort": "desc", "per_page": 100}
        for _, row in self._rows(f"/projects/{segment(project)}/issues/{iid}/notes", query, needs=""):
            note = fields.as_object(row, "note")
            if marker in str(note.get("body") or ""):
                return fields.required_number(note, "id")
        return None

    def _change(self, method: str, path: str, said: Mapping[str, Any], *, needs: str) -> Any:
        """One change; the answer's JSON. What python-gitlab itself can't make sense of may still have been done."""
        problem: GitLabProblem
        try:
            answer = self._gitlab.http_request(method, path, post_data=dict(said), obey_rate_limit=False, max_retries=0)
        except Forbidden:
            problem = Forbidden(needs)
        except GitLabProblem as known:
            problem = known
        except (python_gitlab.exceptions.GitlabError, requests.exceptions.RequestException) as raw:
            problem = BadAnswer("the answer", f"cannot be read ({type(raw).__name__})")
            problem.unsure = True
        else:
            try:
                return json_of(answer)
            except BadAnswer as known:
                problem = known
                problem.unsure = True
        raise problem


def segment(reference: str | int) -> str:
    """A project or group, by id or full path, as one segment of an address. Raises Gone for what can be neither."""
    written = str(reference).strip().strip("/")
    if not written or written in (".", "..") or not written.isprintable():
        raise Gone("project or group of that name")
    return quote(written, safe="")
