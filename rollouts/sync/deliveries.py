"""Webhook deliveries: taken and stored at once, worked after, many in one go.

What a delivery says of an issue is applied if it is newer than what is known; what it can't say is only a hint, upon
which the project is read. Deliveries may come twice, late and in any order; polling finds what never came.

A delivery tells the time in whole seconds, so two changes of one second are a tie: then nothing is applied, and GitLab
is asked which is the last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from ..audit.actor import Actor
from ..gitlab import webhooks
from ..gitlab.webhooks import LARGEST_DELIVERY, NotGenuine, NotUnderstood, WebhookContent
from ..models import GitLabInstance, GitLabProject, HookDelivery, SyncScope, TrackedIssue, clock
from ..rules.datetimes import is_before, may_be_same
from ..rules.phrases import say
from ..services import deliveries, due
from . import issues

log = logging.getLogger(__name__)
JOB = Actor.job("webhook")
State = HookDelivery.State
#: Deliveries that are worked in one transaction.
BATCH = 200
TIMES = ("changed_at", "closed_at")


@dataclass(frozen=True, slots=True)
class Taken:
    """How a delivery is answered: an HTTP status, words where something is wrong, and whether to ring a worker."""

    status: int
    words: str = ""
    rings: bool = False


def take(instance: GitLabInstance | None, headers: Mapping[str, str], read_body: Callable[[int], bytes]) -> Taken:
    """Take one delivery in: 204 stored, 202 genuine but of no use, 401 not genuine, 413 too large.

    GitLab never sends a failed delivery again, and switches a hook off that fails four times in a row: what is
    genuine is taken, whatever it says. ``read_body`` gives at most so many bytes.
    """
    secret, signing = (instance.hook_secret, instance.hook_signing_token) if instance else ("", "")
    try:
        is_trusted = webhooks.check_token(headers, secret=secret, signing_token=signing)
        length = headers.get("Content-Length", "")
        is_long = length.isascii() and length.isdigit() and (len(length) > 12 or int(length) > LARGEST_DELIVERY)
        body = b"" if is_long else read_body(LARGEST_DELIVERY + 1)
        if is_long or len(body) > LARGEST_DELIVERY:
            return Taken(413, f"A delivery has at most {LARGEST_DELIVERY // 1024 // 1024} MB.")
        if not is_trusted:
            webhooks.check_signature(body, headers, signing_token=signing)
    except NotGenuine as refusal:
        log.warning("a webhook delivery was refused: %s", refusal.words)
        return Taken(401, refusal.words)
    assert instance is not None  # without one there is no secret, and nothing is genuine
    try:
        content = webhooks.read(body)
    except NotUnderstood as problem:
        log.warning("a webhook delivery was not understood: %s", problem)
        return Taken(202, f"Taken, and not understood: {problem}")
    if content.kind is None or not deliveries.is_followed(instance, content.project_id, content.project_path):
        return Taken(202)
    rings = deliveries.store(
        instance,
        key=webhooks.key_of(body, headers),
        event=headers.get("X-Gitlab-Event", content.kind),
        project_path=content.project_path,
        happened_at=content.at,
        content=_content(content),
    )
    return Taken(204, rings=rings)


def work() -> set[int]:
    """Work all deliveries that wait; the instances of which something is to be read now."""
    hinted: set[int] = set()
    while worked := _work_some():
        hinted |= worked.hinted
        due.settle(rollout__issue_links__issue__in=worked.changed)
    return hinted


@dataclass(slots=True)
class Worked:
    """One batch: issues that changed, instances with something to read. False where nothing waited."""

    count: int
    changed: set[int]
    hinted: set[int]

    def __bool__(self) -> bool:
        return self.count > 0


def _work_some() -> Worked:
    """A batch; where something in it breaks, one by one, so that what is broken holds up no other delivery."""
    waiting = HookDelivery.objects.filter(state=State.WAITING).order_by("pk")
    try:
        return _work_batch(waiting[:BATCH])
    except (OperationalError, InterfaceError):
        raise  # the database is away: they wait on
    except Exception:
        log.exception("a batch of webhook deliveries could not be worked; now one by one")
    whole = Worked(0, set(), set())
    for pk in list(waiting.values_list("pk", flat=True)[:BATCH]):
        try:
            worked = _work_batch(waiting.filter(pk=pk))
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            log.exception("webhook delivery %s could not be worked", pk)
            words = say(
                "Working it failed ({error}): see the log. Polling reads what it told.", error=type(error).__name__
            )
            HookDelivery.objects.filter(pk=pk).update(
                state=State.FAILED, worked_at=clock.now(), words=words, content={}
            )
            worked = Worked(1, set(), set())
        whole.count += worked.count
        whole.changed |= worked.changed
        whole.hinted |= worked.hinted
    return whole


def _work_batch(waiting: QuerySet[HookDelivery]) -> Worked:
    """Some deliveries, the oldest first: applied and marked as worked in one transaction, so a kill is harmless."""
    now = clock.now()
    with transaction.atomic():
        can_skip = transaction.get_connection().features.has_select_for_update_skip_locked
        rows = list(waiting.select_for_update(skip_locked=can_skip))
        of_row = _projects_of(rows)
        known = _issues_of(rows, of_row)
        values, notes, tied = _newest(rows, of_row, known)
        changed = issues.write_values(values, notes, now, by=JOB) if values else set()
        hinted = {of_row[row.pk] for row in rows if row.pk in of_row and _hints(row, of_row, known)} | tied
        _hint(hinted, now)
        used = [row.pk for row in rows if row.pk in of_row and (_key(row, of_row) in known or not row.content["iid"])]
        HookDelivery.objects.filter(pk__in=used).update(state=State.DONE, worked_at=now, content={})
        HookDelivery.objects.filter(pk__in={row.pk for row in rows} - set(used)).delete()  # nothing that is followed
    return Worked(len(rows), changed, {project.instance_id for project in hinted})


Projects = dict[int, GitLabProject]
Tracked = dict[tuple[int, int], TrackedIssue]


def _projects_of(rows: Sequence[HookDelivery]) -> Projects:
    """The project that each delivery is about, by the delivery's id."""
    instances = {row.instance_id for row in rows}
    projects = GitLabProject.objects.filter(instance__in=instances)
    by_id = {(project.instance_id, project.gitlab_id): project for project in projects if project.gitlab_id}
    by_path = {(project.instance_id, project.path): project for project in projects if not project.gitlab_id}
    found = {
        row.pk: by_id.get((row.instance_id, row.content["project_id"]))
        or by_path.get((row.instance_id, row.project_path))
        for row in rows
    }
    return {pk: project for pk, project in found.items() if project is not None}


def _issues_of(rows: Sequence[HookDelivery], of_row: Projects) -> Tracked:
    """The followed issues that the deliveries are about, by project and number."""
    wanted = {_key(row, of_row) for row in rows if row.pk in of_row and row.content["iid"]}
    issues = TrackedIssue.objects.filter(
        project__in={project for project, _ in wanted}, iid__in={iid for _, iid in wanted}, links__isnull=False
    ).select_related("project")
    return {
        (issue.project_id, issue.iid): issue for issue in issues.distinct() if (issue.project_id, issue.iid) in wanted
    }


def _newest(
    rows: Sequence[HookDelivery], of_row: Projects, known: Tracked
) -> tuple[dict[int, dict[str, Any]], dict[int, dict[str, Any]], set[GitLabProject]]:
    """The newest values for each issue, who is said to have changed it, and the projects that have a tie."""
    newest: dict[int, dict[str, Any]] = {}
    notes: dict[int, dict[str, Any]] = {}
    ties: dict[int, GitLabProject] = {}
    for row in rows:
        issue = known.get(_key(row, of_row)) if row.pk in of_row else None
        told = _values(row)
        if issue is None or not told.get("changed_at") or not issue.first_read_at:
            continue
        before = newest.get(issue.pk)
        if before and is_before(told["changed_at"], before["changed_at"]):
            continue
        if before and may_be_same(told["changed_at"], before["changed_at"]):
            if issues.contradict(told, before):
                ties[issue.pk] = of_row[row.pk]
            told = before | told
        else:
            ties.pop(issue.pk, None)
        newest[issue.pk] = told
        notes[issue.pk] = {"delivery": row.pk} | ({"gitlab_user": row.content["user"]} if row.content["user"] else {})
    for issue in known.values():
        told = newest.get(issue.pk, {})
        if not told or not issue.changed_at or not may_be_same(told["changed_at"], issue.changed_at):
            continue
        if issues.contradict(told, {name: getattr(issue, name) for name in told}):
            ties[issue.pk] = issue.project
    values = {pk: told | {"found": True} for pk, told in newest.items() if pk not in ties}
    return values, notes, set(ties.values())


def _hints(row: HookDelivery, of_row: Projects, known: Tracked) -> bool:
    if not row.content["iid"]:
        return bool(row.content["needs_reading"])
    issue = known.get(_key(row, of_row))
    if issue is None:
        return False
    return bool(row.content["needs_reading"]) or not issue.first_read_at


def _values(row: HookDelivery) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in TIMES and value else value
        for name, value in row.content["values"].items()
    }


def _hint(projects: Iterable[GitLabProject], now: datetime) -> None:
    for project in sorted(projects, key=lambda project: project.pk):
        scope, _ = SyncScope.objects.get_or_create(project=project, defaults={"instance_id": project.instance_id})
        SyncScope.objects.filter(pk=scope.pk).update(hinted_at=now)


def _key(row: HookDelivery, of_row: Projects) -> tuple[int, int]:
    return of_row[row.pk].pk, row.content["iid"]


def _content(content: WebhookContent) -> dict[str, Any]:
    return {
        "project_id": content.project_id,
        "iid": content.iid,
        "user": content.user,
        "needs_reading": content.needs_reading,
        "values": {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in content.values.items()
        },
    }
