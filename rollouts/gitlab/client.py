"""Ask GitLab, and change it. Every method is one question or one change; the answer is records, or one of our errors.

gitlab = GitLab("https://gitlab.example.com", token)
gitlab.issues("acme/app", [11, 12, 13])      # one call
gitlab.calls                                 # HTTP requests really sent so far

A change is sent exactly once. Where its answer is lost the error is ``unsure``: find_issue, find_note and features say
whether it was made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rollouts.gitlab import fields, wishes
from rollouts.gitlab.answers import json_of
from rollouts.gitlab.connection import PER_PAGE, flag_segment, read_row, segment
from rollouts.gitlab.errors import BadAnswer, Forbidden, Gone
from rollouts.gitlab.flag_log import FlagChange
from rollouts.gitlab.hooks import Hooks
from rollouts.gitlab.note_record import emoji_from_gitlab
from rollouts.gitlab.records import (
    DefinitionRecord,
    FeatureRecord,
    IssueRecord,
    NoteRecord,
    ProjectFlagRecord,
    ProjectRecord,
    TokenRecord,
)

IIDS_PER_CALL = 100
#: Characters of the numbers in one address: web servers take 8 kB for it (nginx: large_client_header_buffers).
LONGEST_QUERY = 6_000


class GitLab(Hooks):
    """One GitLab, seen with one token; see Connection for how it is made."""

    def features(self, *, unless: str = "") -> list[FeatureRecord]:
        """All instance flags that were ever set, in one call (``GET /features`` is not paginated).

        Raises Unchanged where ``unless`` is still its ETag.
        """
        return self._records("/features", {}, FeatureRecord.from_gitlab, needs=Forbidden.FEATURES, unless=unless)

    def feature_definitions(self) -> list[DefinitionRecord]:
        """The YAML definitions of all instance flags, those never set included (``GET /features/definitions``)."""
        return self._records("/features/definitions", {}, DefinitionRecord.from_gitlab, needs=Forbidden.FEATURES)

    def project_flags(self, project: str | int, *, unless: str = "") -> list[ProjectFlagRecord]:
        """All flags of a project (``GET /projects/:id/feature_flags``, all pages).

        Raises Unchanged where ``unless`` is still the ETag of the only page.
        """
        return self._records(
            _flags(project),
            {"per_page": PER_PAGE},
            ProjectFlagRecord.from_gitlab,
            needs=Forbidden.PROJECT,
            unless=unless,
        )

    def issues(
        self, project: str | int, iids: Iterable[int], *, updated_after: datetime | None = None
    ) -> list[IssueRecord]:
        """These issues of a project, by their numbers; those that are gone or hidden are not in the answer.

        One call for up to 100 numbers (``GET /projects/:id/issues?iids[]=``). With ``updated_after`` only those that
        changed then or later, one call for as many numbers as an address holds, and one more for each 100 that did.
        Raises Gone for an unknown project.
        """
        records: list[IssueRecord] = []
        unread: list[BadAnswer] = []
        for batch in self.issue_batches(project, iids, updated_after=updated_after):
            records += batch
            unread += self.unread
        self.unread = unread
        return records

    def issue_batches(
        self, project: str | int, iids: Iterable[int], *, updated_after: datetime | None = None
    ) -> Iterator[list[IssueRecord]]:
        """The same, question by question, so that memory stays small; ``unread`` is the newest question's."""
        longest = None if updated_after is None else LONGEST_QUERY
        for batch in _batches(sorted(set(iids)), longest=longest):
            yield list(self._issue_batch(project, batch, updated_after).values())

    def issue_by_id(self, id: int) -> IssueRecord | None:
        """An issue by its id, in whatever project it is (``GET /issues/:id``, administrators only), or None."""
        try:
            answer = json_of(self._get(f"/issues/{int(id)}", {}, needs=Forbidden.ANY_ISSUE))
        except Gone:
            return None
        return IssueRecord.from_gitlab(answer)

    def own_token(self) -> TokenRecord:
        """What our token is (``GET /personal_access_tokens/self``). Gone or Unauthorized for other kinds of token."""
        return TokenRecord.from_gitlab(json_of(self._get("/personal_access_tokens/self", {})))

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

    def project(self, project: str | int) -> ProjectRecord:
        """A project by id or path, also by one that it had before (``GET /projects/:id``). Raises Gone."""
        return ProjectRecord.from_gitlab(json_of(self._get(f"/projects/{segment(project)}", {})))

    def project_id(self, path: str) -> int | None:
        """The id of a project by its full path (``GET /projects/:id``), or None."""
        return self._id_of(f"/projects/{segment(path)}", {})

    def open_issues(self, project: str | int, label: str) -> list[IssueRecord]:
        """The open issues of a project with this label (``?state=opened&labels=``, all pages); none for no label."""
        if not label.strip():
            return []
        by_iid: dict[int, IssueRecord] = {}
        query = {"state": "opened", "labels": label, "scope": "all", "per_page": PER_PAGE}
        for place, row in self._rows(_issues(project), query, needs=Forbidden.PROJECT):
            record = read_row(IssueRecord.from_gitlab, row, place)
            if record.state == "opened" and label in record.labels:  # a plainer server may ignore the filters
                by_iid[record.iid] = record
        return list(by_iid.values())

    def flag_changes(self, project: str | int, flag: str, since: datetime) -> list[FlagChange]:
        """What a log project has of a flag since then, the newest first, a hundred at most; what is no log is left out.

        Gone for an unknown project.
        """
        query = {
            "search": flag,
            "in": "title",
            "scope": "all",
            "state": "all",
            "created_after": since.astimezone(UTC).isoformat(timespec="seconds"),
            "order_by": "created_at",
            "sort": "desc",
            "per_page": PER_PAGE,
        }
        rows = islice(self._rows(_issues(project), query, needs=Forbidden.PROJECT), PER_PAGE)
        found = (read_row(FlagChange.from_gitlab, row, place) for place, row in rows)
        return [change for change in found if change is not None and change.flag == flag and change.at >= since]

    def find_issue(self, project: str | int, marker: str, mark: str = "") -> IssueRecord | None:
        """The issue, open or closed, whose description holds this marker; the oldest of several, or None.

        ``mark`` is what the marker stands in, which alone counts: the marker may be quoted by anybody.

        GitLab's search knows words: it does not find a marker with 50 or more letters and digits in a row, nor one
        that a description was given in the last moment (app/models/concerns/pg_full_text_searchable.rb). Rejected
        without a call for an empty marker.
        """
        is_marked = wishes.holds(marker and (mark or marker))
        query = {
            "search": marker,
            "in": "description",
            "scope": "all",
            "state": "all",
            "order_by": "created_at",
            "sort": "asc",
            "per_page": PER_PAGE,
        }
        records: list[IssueRecord] = []
        for place, row in self._rows(_issues(project), query, needs=Forbidden.PROJECT):
            if is_marked(fields.as_object(row, place).get("description")):
                records.append(read_row(IssueRecord.from_gitlab, row, place))
        return min(
            records, key=lambda issue: (issue.created_at is None, issue.created_at or 0, issue.iid), default=None
        )

    def find_note(self, project: str | int, iid: int, marker: str) -> int | None:
        """The id of the newest note on an issue that holds this marker, or None. Reads pages, the newest first.

        Gone for an unknown project or issue; Rejected without a call for an empty marker.
        """
        is_marked = wishes.holds(marker)
        query = {"sort": "desc", "order_by": "created_at", "per_page": PER_PAGE}
        for place, row in self._rows(_notes(project, iid), query, needs=Forbidden.PROJECT):
            note = fields.as_object(row, place)
            if is_marked(note.get("body")):
                return int(fields.within(place, fields.required_number, note, "id"))
        return None

    def comments(self, project: str | int, iid: int, most: int = PER_PAGE) -> list[NoteRecord]:
        """The newest comments of an issue, the newest first (``GET …/notes?activity_filter=only_comments``); one call.

        Raises Gone for an unknown project or issue.
        """
        most = min(most, PER_PAGE)
        query = {"sort": "desc", "order_by": "created_at", "activity_filter": "only_comments", "per_page": most}
        rows = islice(self._rows(_notes(project, iid), query, needs=Forbidden.PROJECT), most)
        return [note for note in self._readable(NoteRecord.from_gitlab, rows) if not note.is_system]

    def reactions(self, project: str | int, iid: int, note: int | None = None) -> dict[str, int]:
        """How many gave which emoji to an issue, or to a comment of it (``GET …/award_emoji``, the first page)."""
        about = f"{_issues(project)}/{int(iid)}" if note is None else f"{_notes(project, iid)}/{int(note)}"
        rows = islice(self._rows(f"{about}/award_emoji", {"per_page": PER_PAGE}, needs=Forbidden.PROJECT), PER_PAGE)
        return dict(Counter(self._readable(emoji_from_gitlab, rows)))

    def set_feature(self, name: str, value: str, *, parameter: str = "", target: str = "") -> FeatureRecord:
        """Set one gate of an instance flag (``POST /features/:name``) and return the flag as it then is.

        ``value``: true, false, a percentage, opt_out or remove_opt_out. ``parameter`` and ``target``: none (everyone),
        key and percentage_of_actors, or feature_group, user, group, project, namespace and whom. What would hit more
        than it says (GitLab takes an empty target for everyone) is Rejected without a call. Raises Gone where there is
        no such API, Rejected with GitLab's reason.
        """
        body = wishes.feature_change(value, parameter, target)
        path = f"/features/{flag_segment(name)}"
        return self._change("post", path, body, FeatureRecord.from_gitlab, needs=Forbidden.SET_FEATURES)

    def set_project_flag(
        self, project: str | int, name: str, *, active: bool, strategies: Sequence[Mapping[str, Any]]
    ) -> ProjectFlagRecord:
        """Switch a project flag and change its strategies (``PUT /projects/:id/feature_flags/:name``).

        Each strategy has name, parameters and scopes (a new one), with ``id`` changes that one, with ``_destroy`` takes
        it away; those not named stay. Not to be sent twice: a new strategy would be there twice. Raises Gone for an
        unknown project, flag or strategy, Rejected with GitLab's reason.
        """
        body = {"active": active, "strategies": wishes.as_json(strategies)}
        path = f"{_flags(project)}/{flag_segment(name)}"
        return self._change("put", path, body, ProjectFlagRecord.from_gitlab, needs=Forbidden.SET_FLAGS)

    def create_issue(
        self,
        project: str | int,
        *,
        title: str,
        description: str,
        labels: Sequence[str] = (),
        confidential: bool = False,
    ) -> IssueRecord:
        """Open an issue (``POST /projects/:id/issues``). GitLab obeys lines of the description that begin with ``/``.

        Raises Gone for an unknown project, Rejected with GitLab's reason (no title, title over 255 characters).
        """
        body: dict[str, Any] = {"title": title, "description": description, "confidential": confidential}
        if labels:
            body["labels"] = ",".join(labels)
        return self._change("post", _issues(project), body, IssueRecord.from_gitlab, needs=Forbidden.WRITE_ISSUES)

    def post_note(self, project: str | int, iid: int, body: str) -> int:
        """Comment on an issue (``POST /projects/:id/issues/:iid/notes``); the note's id.

        GitLab obeys lines that begin with ``/``. Raises Gone for an unknown project or issue, Rejected for an empty
        note or one over 1,000,000 characters.
        """
        return self._change("post", _notes(project, iid), {"body": body}, _note_id, needs=Forbidden.WRITE_ISSUES)

    def _issue_batch(
        self, project: str | int, iids: list[int], updated_after: datetime | None
    ) -> dict[int, IssueRecord]:
        wanted = set(iids)
        by_iid: dict[int, IssueRecord] = {}
        query: dict[str, Any] = {"iids[]": iids, "scope": "all", "per_page": PER_PAGE}
        if updated_after is not None:
            query["updated_after"] = updated_after.astimezone(UTC).isoformat(timespec="seconds")
        rows = self._rows(_issues(project), query, needs=Forbidden.PROJECT)
        for record in self._readable(IssueRecord.from_gitlab, rows):
            if record.iid in wanted:  # a plainer server may ignore iids[]
                by_iid[record.iid] = record
            if len(by_iid) == len(wanted):
                break
        return by_iid

    def _id_of(self, path: str, query: dict[str, Any]) -> int | None:
        try:
            answer = json_of(self._get(path, query))
        except Gone:
            return None
        return fields.required_number(fields.as_object(answer, "the answer"), "id")


def _batches(iids: list[int], *, longest: int | None) -> Iterator[list[int]]:
    """A hundred numbers at a time, or as many as fit into a query of so many characters."""
    batch: list[int] = []
    length = 0
    for iid in iids:
        length += len(f"iids%5B%5D={iid}&")
        if batch and (len(batch) == IIDS_PER_CALL if longest is None else length > longest):
            yield batch
            batch, length = [], len(f"iids%5B%5D={iid}&")
        batch.append(iid)
    if batch:
        yield batch


def _issues(project: str | int) -> str:
    return f"/projects/{segment(project)}/issues"


def _notes(project: str | int, iid: int) -> str:
    return f"{_issues(project)}/{int(iid)}/notes"


def _flags(project: str | int) -> str:
    return f"/projects/{segment(project)}/feature_flags"


def _note_id(raw: Any) -> int:
    return fields.required_number(fields.as_object(raw, "note"), "id")
