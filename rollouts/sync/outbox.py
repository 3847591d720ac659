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

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, OuterRef, Q

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import GitLabProject, GitLabWrite, RolloutIssue, TrackedIssue, clock
from ..rules.phrases import say
from ..services import due
from ..services.rollout_work import working_on
from . import claims, writes
from .claims import Stopped
from .writes import Later, Never

log = logging.getLogger(__name__)
JOB = Actor.job("outbox")
LONGEST_PAUSE = timedelta(minutes=5)
#: A way on that GitLab does not take within a day is given up; a way back never is.
PATIENCE = timedelta(days=1)
MOST_IN_ONE_GO = 50


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
            with claims.renewed(write):
                _do(write, worked)
        except (OperationalError, InterfaceError):
            raise  # the database is away: the claim runs out, and the next worker takes it
        except Exception as error:
            log.exception("write %s to GitLab broke: %s", write.pk, write.title)
            words = say("The portal itself failed at it ({error}): see the log.", error=type(error).__name__)
            _postpone(write, words, None)
            worked.later += 1
    return worked


def _do(write: GitLabWrite, worked: Worked) -> None:
    """Do one write and note how it ended; raises what nobody expects."""
    try:
        result = writes.do(write)
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
            .select_for_update(of=("self",), no_key=True, skip_locked=_can_skip())
        )
        write = due.first()
        if write is None:
            return None
        write.claimed_by, write.claimed_until = uuid.uuid4().hex, now + claims.length()
        write.attempts += 1
        if write.state == GitLabWrite.State.WAITING:
            with recorded("outbox.begin", by=JOB, about=write, rollout=write.rollout):
                write.begin()
                write.save()
        else:
            write.save()
        return write


def _can_skip() -> bool:
    return bool(transaction.get_connection().features.has_select_for_update_skip_locked)


def _mine(write: GitLabWrite) -> GitLabWrite | None:
    """The row, locked, if this worker still holds the claim."""
    row = GitLabWrite.objects.locked().select_related("rollout", "phase").get(pk=write.pk)
    return row if row.claimed_by == write.claimed_by else None


def _end(write: GitLabWrite, *, result: dict[str, Any] | None = None, words: str = "") -> None:
    """Done, or given up: noted with one event; an issue that was made is linked in the same transaction."""
    verb = "outbox.done" if result is not None else "outbox.given_up"
    with working_on(write.rollout_id, verb, by=JOB, reason=words) as work:
        row = _mine(write)
        if row is None:
            return
        work.recording.about, work.recording.rollout = row, row.rollout
        row.claimed_until = None
        if row.state not in GitLabWrite.UNFINISHED:  # cancelled while the last call was on its way
            row.save()
        elif result is not None:
            row.finish(at=work.now, result=result)
            row.save()
            if row.kind == GitLabWrite.Kind.CREATE_ISSUE:
                _link(row, result)
        else:
            row.give_up(at=work.now, words=words)
            row.save()
            log.error("given up: %s (%s)", row.title, words)
        work.settle()
    due.settle(rollout__flag__instance=write.instance_id)


def _link(row: GitLabWrite, result: dict[str, Any]) -> None:
    project = GitLabProject.objects.at(row.instance, result["project"])
    issue, _ = TrackedIssue.objects.get_or_create(project=project, iid=result["iid"])
    known = RolloutIssue.objects.filter(rollout=row.rollout, phase_name="", role=result["role"]).first()
    if known is None:
        RolloutIssue.objects.create(rollout=row.rollout, role=result["role"], issue=issue)


def _postpone(write: GitLabWrite, words: str, until: datetime | None) -> None:
    """Try again later: sooner at first, then every few minutes; given up after a day unless it is the way back."""
    now = clock.now()
    if not write.is_narrowing and now - write.asked_at > PATIENCE:
        _end(write, words=say("Not done within a day. Last: {words}", words=words))
        return
    pause = min(timedelta(seconds=2.0 ** min(write.attempts, 12)), LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311
    with transaction.atomic():
        row = _mine(write)
        if row is not None:
            row.words, row.claimed_until = words, None
            row.next_attempt_at = max(now + pause, min(until, now + LONGEST_PAUSE)) if until else now + pause
            row.save()


def _release(write: GitLabWrite) -> None:
    with transaction.atomic():
        row = _mine(write)
        if row is not None:
            row.claimed_until = None
            row.save()
