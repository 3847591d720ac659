"""Work the outbox: each write that the portal owes to GitLab is done exactly once, whatever dies in between.

A worker claims a row, asks GitLab whether the effect is there already (gates by reading the flag, issues and notes by
their marker), does what is missing, reads back, and notes the end in one transaction. What fails is tried again later
by whoever comes first; what can't succeed is given up loudly.
"""

from __future__ import annotations

import logging
import random
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..gitlab import GitLab, GitLabProblem
from ..models import FeatureFlag, GitLabProject, GitLabWrite, Outcome, Rollout, RolloutIssue, TrackedIssue, clock
from ..rules.exposure import NOBODY, Exposure, widens
from ..services import facts as facts_of
from ..services.gates import commands_to
from ..services.locks import standing
from ..services.reconcile import reconcile_alone
from . import flags, limits
from .outcome import Report

log = logging.getLogger(__name__)
JOB = Actor.job("outbox")
LONGEST_PAUSE = timedelta(minutes=5)
#: A way on that GitLab does not take within a day is given up; a way back never is.
PATIENCE = timedelta(days=1)
#: What no waiting cures.
HOPELESS = (Outcome.UNAUTHORIZED, Outcome.FORBIDDEN, Outcome.NOT_FOUND, "rejected")
MARK = "<!-- model-rollout-portal:{} -->"
MOST_IN_ONE_GO = 50


class Later(Exception):
    """Not now: ``until`` says when to try again, if that is known."""

    def __init__(self, words: str, until: datetime | None = None) -> None:
        super().__init__(words)
        self.until = until


class Never(Exception):
    """It can't be done; a person must look."""


class Stopped(Exception):
    """Somebody cancelled it while it was being done."""


@dataclass(slots=True)
class Worked:
    """What one go at the outbox did, by how it ended."""

    done: int = 0
    later: int = 0
    given_up: int = 0
    ids: list[int] = field(default_factory=list)


def work(*, limit: int = MOST_IN_ONE_GO) -> Worked:
    """Do what is due, oldest first, until nothing is left or ``limit`` is reached."""
    worked = Worked()
    while len(worked.ids) < limit and (write := claim()) is not None:
        worked.ids.append(write.pk)
        try:
            result = _do(write)
        except Later as later:
            _postpone(write, str(later), later.until)
            worked.later += 1
        except Never as never:
            _end(write, words=str(never))
            worked.given_up += 1
        except Stopped:
            _release(write)
        else:
            _end(write, result=result)
            worked.done += 1
    return worked


def claim() -> GitLabWrite | None:
    """The oldest write that is due, with no unfinished or claimed one before it in its lane; taken for a while."""
    now = clock.now()
    with transaction.atomic():
        blocking = GitLabWrite.objects.filter(lane=OuterRef("lane")).exclude(pk=OuterRef("pk"))
        blocking = blocking.filter(
            Q(claimed_until__gt=now) | Q(pk__lt=OuterRef("pk"), state__in=GitLabWrite.UNFINISHED)
        )
        due = (
            GitLabWrite.objects.unfinished()
            .filter(Q(claimed_until=None) | Q(claimed_until__lte=now), next_attempt_at__lte=now)
            .filter(~Exists(blocking))
            .select_for_update(of=("self",), skip_locked=_can_skip())
        )
        write = due.first()
        if write is None:
            return None
        write.claimed_by, write.claimed_until = uuid.uuid4().hex, now + _claim()
        write.attempts += 1
        if write.state == GitLabWrite.State.WAITING:
            with deed("outbox.begin", by=JOB, about=write, rollout=write.rollout):
                write.begin()
                write.save()
        else:
            write.save()
        return write


def _claim() -> timedelta:
    """How long a write belongs to the worker that took it: longer than any call to GitLab may last."""
    return timedelta(seconds=settings.OUTBOX_CLAIM_SECONDS)


def _can_skip() -> bool:
    return bool(transaction.get_connection().features.has_select_for_update_skip_locked)


def _do(write: GitLabWrite) -> dict[str, Any]:
    gitlab = limits.connect(write.instance, urgent=write.is_narrowing)
    try:
        match write.kind:
            case GitLabWrite.Kind.SET_GATES:
                return _set_gates(gitlab, write)
            case GitLabWrite.Kind.CREATE_ISSUE:
                return _create_issue(gitlab, write)
        return _post_note(gitlab, write)
    except GitLabProblem as problem:
        if problem.kind in HOPELESS:
            raise Never(problem.words) from None
        raise Later(problem.words, getattr(problem, "until", None)) from None


def _set_gates(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    """Bring the flag to ``wanted``. It is widened only from where the plan believes it, read in this very task."""
    assert write.flag is not None
    wanted, believed = Exposure.from_json(write.wanted), Exposure.from_json(write.believed)
    stands = _read(gitlab, write)
    if not stands.is_exactly(wanted):
        rollout = Rollout.objects.whole().get(pk=write.rollout_id)
        facts = facts_of.for_rollout(rollout, clock.now())
        if not facts.expected.is_exactly(wanted):
            raise Never(f"The plan is at {facts.expected.words} by now, not at {wanted.words}: nothing was written.")
        if write.is_narrowing:
            _refuse_if_narrower(write, stands, wanted)
        elif widens(stands, wanted):
            if not write.payload.get("overridden"):
                _refuse_under_a_lock(write)
            _refuse_from_elsewhere(write, stands, believed, wanted)
        for command in commands_to(rollout, facts, wanted):
            _touch(write)
            if write.flag.project:
                gitlab.set_project_flag(write.flag.project.path, write.flag.name, **command.call)
            else:
                said = command.call
                gitlab.set_feature(write.flag.name, said["value"], parameter=said["parameter"], target=said["target"])
        stands = _read(gitlab, write)
    if not stands.is_exactly(wanted):
        raise Later(f"GitLab is read at {stands.words} after it was set to {wanted.words}.")
    return {"read": stands.as_json()}


def _refuse_under_a_lock(write: GitLabWrite) -> None:
    locks, unread = standing(clock.now()).on(write.instance_id)
    if locks:
        raise Later(f"Waits: change lock, {locks[0].title}.", locks[0].until)
    if unread:
        raise Later(f"Waits: {unread[0]}")


def _refuse_if_narrower(write: GitLabWrite, stands: Exposure, wanted: Exposure) -> None:
    """A way back lets nobody in again whom somebody else has taken out; what our own wipe took out comes back."""
    if not write.touched and not widens(wanted, stands):
        raise Never(
            f"GitLab is at {stands.words} already, which is less than {wanted.words}: nobody was let in again. "
            "Look at who sees it, and set the flag by hand if the earlier phases shall see it."
        )


def _refuse_from_elsewhere(write: GitLabWrite, stands: Exposure, believed: Exposure, wanted: Exposure) -> None:
    """What our own half-done calls left lies within ``wanted``; anything else was somebody else's hand."""
    if stands.is_exactly(believed) or (write.touched and not widens(wanted, stands)):
        return
    raise Never(
        f"GitLab is at {stands.words}, the plan believed {believed.words}: somebody else has set the flag. "
        "Nothing was written. Look at who sees it, then try again."
    )


def _read(gitlab: GitLab, write: GitLabWrite) -> Exposure:
    """Read the flag as a sync does, so that what is read is kept; raises Later where it can't be read."""
    report = Report(write.instance.name)
    flag = write.flag
    assert flag is not None
    if flag.project:
        flags.sync_project_flags(gitlab, flag.project, [flag], report)
    else:
        flags.sync_instance_flags(gitlab, write.instance, report)
    flag = write.flag = FeatureFlag.objects.select_related("reading", "project", "instance").get(pk=flag.pk)
    problems = [problem for problem in report.problems if problem.scope.startswith(("flags", flag.name))]
    if problems:
        kind, words = problems[0].kind, problems[0].words
        raise (Never if kind in HOPELESS else Later)(words)
    return flag.latest.exposure or NOBODY


def _create_issue(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    said, mark = write.payload, MARK.format(write.marker)
    issue = gitlab.find_issue(said["project"], write.marker) if write.touched else None
    if issue is None:
        _touch(write)
        issue = gitlab.create_issue(
            said["project"],
            title=said["title"],
            description=f"{said['description']}\n\n{mark}",
            labels=said["labels"],
            confidential=said["confidential"],
        )
    return {"project": said["project"], "iid": issue.iid, "role": said["role"]}


def _post_note(gitlab: GitLab, write: GitLabWrite) -> dict[str, Any]:
    said, mark = write.payload, MARK.format(write.marker)
    note = gitlab.find_note(said["project"], said["iid"], write.marker) if write.touched else None
    if note is None:
        _touch(write)
        note = gitlab.post_note(said["project"], said["iid"], f"{said['body']}\n\n{mark}")
    return {"note": note}


def _touch(write: GitLabWrite) -> None:
    """Remember before the call that it may have been sent; stop if somebody cancelled it meanwhile."""
    with transaction.atomic():
        row = GitLabWrite.objects.select_for_update().get(pk=write.pk)
        if row.state not in GitLabWrite.UNFINISHED or row.claimed_by != write.claimed_by:
            raise Stopped
        row.touched = write.touched = True
        row.claimed_until = clock.now() + _claim()
        row.save()


def _mine(write: GitLabWrite) -> GitLabWrite | None:
    """The row, locked, if this worker still holds the claim."""
    row = GitLabWrite.objects.select_for_update(of=("self",)).select_related("rollout", "phase").get(pk=write.pk)
    return row if row.claimed_by == write.claimed_by else None


def _end(write: GitLabWrite, *, result: dict[str, Any] | None = None, words: str = "") -> None:
    """Done, or given up: noted with one event; an issue that was made is linked in the same transaction."""
    with deed("outbox.done" if result is not None else "outbox.given_up", by=JOB, reason=words) as doing:
        Rollout.objects.lock(write.rollout_id)
        row = _mine(write)
        if row is None:
            return
        doing.about, doing.rollout = row, row.rollout
        row.claimed_until = None
        if row.state not in GitLabWrite.UNFINISHED:  # cancelled while the last call was on its way
            row.save()
        elif result is not None:
            row.finish(at=clock.now(), result=result)
            row.save()
            if row.kind == GitLabWrite.Kind.CREATE_ISSUE:
                _link(row, result)
        else:
            row.give_up(at=clock.now(), words=words)
            row.save()
            log.error("given up: %s (%s)", row.title, words)
    reconcile_alone(write.rollout_id, by=JOB, now=clock.now())


def _link(row: GitLabWrite, result: dict[str, Any]) -> None:
    project, _ = GitLabProject.objects.get_or_create(instance=row.instance, path=result["project"])
    issue, _ = TrackedIssue.objects.get_or_create(project=project, iid=result["iid"])
    known = RolloutIssue.objects.filter(rollout=row.rollout, phase_name="", role=result["role"]).first()
    if known is None:
        RolloutIssue.objects.create(rollout=row.rollout, role=result["role"], issue=issue)


def _postpone(write: GitLabWrite, words: str, until: datetime | None) -> None:
    """Try again later: sooner at first, then every few minutes; given up after a day unless it is the way back."""
    now = clock.now()
    if not write.is_narrowing and now - write.asked_at > PATIENCE:
        _end(write, words=f"Not done within a day. Last: {words}")
        return
    pause = min(timedelta(seconds=2.0 ** min(write.attempts, 12)), LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311
    with transaction.atomic():
        row = _mine(write)
        if row is not None:
            row.words, row.claimed_until = words[:500], None
            row.next_attempt_at = max(now + pause, min(until, now + LONGEST_PAUSE)) if until else now + pause
            row.save()


def _release(write: GitLabWrite) -> None:
    with transaction.atomic():
        row = _mine(write)
        if row is not None:
            row.claimed_until = None
            row.save()
