"""Put copies of the newest checkpoint outside, where whoever rebuilds the history can't reach them.

Each place has one row. A worker takes what is due by putting the next attempt off, so a dead one's turn passes on;
a folder and an issue are asked whether they hold the checkpoint already, a mail is known again by its Message-ID.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction

from ..audit import sealing
from ..gitlab import GitLabProblem
from ..models import Checkpoint, CheckpointCopy, clock
from ..rules.checkpoint_copies import Destination, Way
from ..rules.issue_url import parse_issue_url
from ..rules.phrases import say
from ..services.instances import all_instances
from . import addresses, rate_limits
from .outcome import phrase_of
from .writes import MARK

log = logging.getLogger(__name__)
#: How long one attempt may take, and the first pause after it; each failure doubles the pause up to the longest.
PAUSE = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(hours=6)


class NotCopied(Exception):
    """It is not there; says why."""


def work(*, now: bool = False) -> list[CheckpointCopy]:
    """Copy to each place where a copy is due, or ``now`` to all of them; returns the places that were tried."""
    places = {place.to: place for place in settings.CHECKPOINT_COPIES}
    newest = Checkpoint.objects.first()
    if newest is None or not places:
        return []
    _begin_rows(places)
    tried = []
    for to, place in places.items():
        row = _take(to, newest, now=now)
        if row is not None:
            _try(row, place, newest)
            tried.append(row)
    return tried


def standing() -> list[CheckpointCopy]:
    """How it goes with each configured place, in their order; one that nobody has tried yet is not stored."""
    places = [place.to for place in settings.CHECKPOINT_COPIES]
    rows = CheckpointCopy.objects.select_related("checkpoint").in_bulk(places, field_name="to")
    return [rows.get(to) or CheckpointCopy(to=to, next_attempt_at=clock.now()) for to in places]


def _begin_rows(places: Iterable[str]) -> None:
    rows = [CheckpointCopy(to=to, next_attempt_at=clock.now()) for to in places]
    CheckpointCopy.objects.bulk_create(rows, ignore_conflicts=True)


def _take(to: str, newest: Checkpoint, *, now: bool) -> CheckpointCopy | None:
    """The row of a place whose turn it is, put off for as long as an attempt may take."""
    moment = clock.now()
    with transaction.atomic():
        can_skip = connection.features.has_select_for_update_skip_locked
        row = CheckpointCopy.objects.select_for_update(skip_locked=can_skip).filter(to=to).first()
        if row is None or row.checkpoint_id == newest.pk or not (now or row.next_attempt_at <= moment):
            return None
        row.attempts += 1
        row.next_attempt_at = moment + PAUSE
        row.save()
    return row


def _try(row: CheckpointCopy, place: Destination, checkpoint: Checkpoint) -> None:
    try:
        {Way.FOLDER: _to_folder, Way.MAIL: _to_mail, Way.ISSUE: _to_issue}[place.way](place.to, checkpoint)
    except NotCopied as failed:
        row.words = str(failed)
        row.next_attempt_at = clock.now() + min(PAUSE * 2 ** min(row.attempts - 1, 10), LONGEST_PAUSE)
        log.warning("checkpoint %s is not copied to %s: %s", checkpoint.size, row.to, failed)
    else:
        row.checkpoint, row.copied_at, row.attempts, row.words = checkpoint, clock.now(), 0, ""
        row.next_attempt_at = row.copied_at + timedelta(hours=settings.AUDIT_CHECKPOINT_HOURS)
    row.save()


def _to_folder(folder: str, checkpoint: Checkpoint) -> None:
    """A file of its own for each: what is there is never written over."""
    path = Path(folder) / f"checkpoint-{checkpoint.size:012}.txt"
    note = checkpoint.note.encode()
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        kept = path.read_bytes()
        if kept != note:
            if note.startswith(kept):  # who wrote it was killed halfway
                path.unlink()
                return _to_folder(folder, checkpoint)
            raise NotCopied(
                say("{path} holds another checkpoint of as many events. Hold the history against it.", path=str(path))
            ) from None
    except OSError as error:
        raise NotCopied(say("{path} can't be written ({reason}).", path=str(path), reason=error.strerror)) from None


def _to_mail(address: str, checkpoint: Checkpoint) -> None:
    host = urlsplit(settings.PORTAL_URL).hostname or "localhost"
    mail = EmailMessage(
        subject=f"Checkpoint over {checkpoint.size} events of {sealing.origin()}",
        body=f"Keep this where nobody of the portal can change it: manage.py audit verify --checkpoint FILE holds the "
        f"history against it.\n\n{checkpoint.note}",
        to=[address],
        headers={
            "Message-ID": f"<checkpoint-{checkpoint.size}-{checkpoint.root[:16]}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
        attachments=[(f"checkpoint-{checkpoint.size:012}.txt", checkpoint.note, "text/plain")],
    )
    try:
        with addresses.guarded():
            mail.send()
    except addresses.PrivateAddress as refused:
        raise NotCopied(say("The mail server is not asked: {words}.", words=str(refused))) from None
    except (OSError, SMTPException) as error:
        # The server's own words may hold what it was told: the kind of failure is enough.
        raise NotCopied(say("The mail server did not take it ({error}).", error=type(error).__name__)) from None


def _to_issue(url: str, checkpoint: Checkpoint) -> None:
    mark = MARK.format(f"checkpoint-{checkpoint.size}-{checkpoint.root[:16]}")
    for instance in all_instances():
        issue = parse_issue_url(url, instance.url or None)
        if issue.base_url != instance.url:
            continue
        if instance.why_not_asked:
            raise NotCopied(instance.why_not_asked)
        try:
            gitlab = rate_limits.connect(instance)
            if gitlab.find_note(issue.project_path, issue.iid, mark) is None:
                text = f"Checkpoint over {checkpoint.size} events of `{sealing.origin()}`."
                gitlab.post_note(
                    issue.project_path, issue.iid, f"{text}\n\n```text\n{checkpoint.note.rstrip()}\n```\n\n{mark}"
                )
        except GitLabProblem as problem:
            raise NotCopied(phrase_of(problem)) from None
        return
    raise NotCopied(say("No GitLab of this portal has that issue: see GITLAB_URL and GITLAB_INSTANCES."))
