"""The bookkeeping of passes: what each has read so far, and how it ends."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Coalesce

from ..models import GitLabInstance, SyncRun, SyncScope, clock
from .outcome import Problem, Report

#: A pass in which nothing was read for so long, and nothing is being read, has lost its workers and is closed.
LOST_AFTER = timedelta(minutes=20)


def credit(run_id: int | None, part: Report) -> None:
    """Count one scope's reading in the pass that waited for it; the last one closes it."""
    running = SyncRun.objects.select_for_update().filter(outcome=SyncRun.Result.RUNNING)
    run = running.filter(pk=run_id).first() if run_id else None
    if run is None:
        return
    run.done += 1
    run.heard_at = clock.now()
    _count(run, part)
    if not SyncScope.objects.filter(run=run).exists():
        _finish(run)
    run.save()


def _count(run: SyncRun, part: Report) -> None:
    run.calls += part.calls
    run.flags_seen += part.flags.seen
    run.flags_changed += part.flags.changed
    run.flags_missing += part.flags.missing
    run.issues_tracked += part.issues.tracked
    run.issues_changed += part.issues.changed
    run.issues_missing += part.issues.missing
    known = {(problem["scope"], problem["words"]) for problem in run.problems}
    run.problems += [
        {"scope": p.scope, "kind": p.kind, "words": p.words} for p in part.problems if (p.scope, p.words) not in known
    ]


def _finish(run: SyncRun) -> None:
    run.finished_at = clock.now()
    read_something = run.flags_seen or run.issues_tracked > run.issues_missing
    run.outcome = (
        SyncRun.Result.OK if not run.problems else SyncRun.Result.PARTIAL if read_something else SyncRun.Result.FAILED
    )


def close(run: SyncRun, report: Report) -> None:
    """End a pass that one process made."""
    run.refresh_from_db()
    _count(run, report)
    _finish(run)
    run.save()


def stop_waiting(instance: GitLabInstance, problem: Problem) -> None:
    """Nothing may be asked: close the pass with the reason; the next one begins when it may. Hints stay."""
    with transaction.atomic():
        planned = SyncScope.objects.filter(instance=instance, run__isnull=False).values("run")
        for run in SyncRun.objects.select_for_update().filter(pk__in=planned, outcome=SyncRun.Result.RUNNING):
            _count(run, Report(instance.name, problems=[problem]))
            SyncScope.objects.filter(run=run).update(run=None)
            _finish(run)
            run.save()


def bury_the_lost(instance: GitLabInstance) -> None:
    """Close what no worker reads any more, however long ago it began."""
    now = clock.now()
    heard = Coalesce("heard_at", "started_at")
    running = SyncRun.objects.filter(instance=instance, outcome=SyncRun.Result.RUNNING)
    silent = running.annotate(heard=heard).filter(heard__lt=now - LOST_AFTER)
    if not silent.exists() or SyncScope.objects.filter(instance=instance, held_until__gt=now).exists():
        return
    with transaction.atomic():
        lost = list(silent.select_for_update().values_list("pk", flat=True))
        SyncScope.objects.filter(run__in=lost).update(run=None)
        SyncRun.objects.filter(pk__in=lost).update(outcome=SyncRun.Result.INTERRUPTED, finished_at=now)
