"""One pass over a GitLab: flags, actors, issues, then each rollout's drift. Run by jobs and by the command alike."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from ..audit.actor import Actor
from ..gitlab import GitLab, GitLabProblem
from ..models import FeatureFlag, GitLabInstance, GitLabProject, Outcome, Rollout, SyncRun, TrackedIssue, clock
from ..rules.expected import Drift
from ..services.facts import for_rollout
from ..services.locks import Locks
from ..services.reconcile import look, reconcile_alone
from . import actors, flags, incidents, issues
from .outcome import Problem, Report
from .scopes import must_wait

log = logging.getLogger(__name__)
JOB = Actor.job("sync")
#: A pass that did not end within this time was killed: passes have a time limit of half of it.
LOST_AFTER = timedelta(minutes=20)


def sync_instance(instance: GitLabInstance, *, trigger: str, full: bool = False) -> Report:
    """Read all that is tracked on one instance. Never raises for what GitLab does: the report says it.

    Every change is a transaction of its own, so a pass that is killed leaves nothing half done; the next one
    goes on. ``full`` asks again for what GitLab did not know lately.
    """
    _bury_the_lost(instance)
    report = Report(instance.name)
    run = SyncRun.objects.create(instance=instance, trigger=trigger, started_at=clock.now())
    begun = time.monotonic()
    try:
        _read(instance, report, full=full)
    except Exception as error:
        log.exception("sync of %s failed", instance.name)
        report.problems.append(Problem("portal", "failed", f"The pass broke off: {type(error).__name__}. See the log."))
        raise
    finally:
        report.seconds = time.monotonic() - begun
        _close(run, report)
    return report


def drifting(instances: Iterable[GitLabInstance] | None = None) -> list[dict[str, Any]]:
    """Each open rollout whose flag does not stand as expected: ``{"rollout", "kind", "expected", "read"}``."""
    now = clock.now()
    rollouts = Rollout.objects.whole().open().exclude(drift=Drift.NONE)
    if instances is not None:
        rollouts = rollouts.filter(flag__instance__in=instances)
    found = []
    for rollout in rollouts:
        facts = for_rollout(rollout, now, Locks())
        read = facts.reading.exposure
        found.append(
            {
                "rollout": rollout.slug,
                "kind": rollout.drift,
                "expected": facts.expected.as_json(),
                "read": read.as_json() if read is not None else None,
            }
        )
    return found


def _read(instance: GitLabInstance, report: Report, *, full: bool) -> None:
    if not instance.url:
        report.problems.append(
            Problem(
                instance.name, Outcome.CONNECTION_REFUSED, "No GitLab is connected: set GITLAB_URL and GITLAB_TOKEN."
            )
        )
        return
    gitlab = GitLab(instance.url, instance.token)
    try:
        flags.sync_instance_flags(gitlab, instance, report)
        incidents.sync_incidents(gitlab, instance, report)
        actors.resolve_actors(gitlab, instance, report, full=full)
        tracked, carried = _tracked_issues(instance), _project_flags(instance)
        for project in GitLabProject.objects.filter(instance=instance).order_by("pk"):
            wanted = tracked.get(project.pk), carried.get(project.pk)
            if not any(wanted) or must_wait(project, clock.now(), report, project.path):
                continue
            if wanted[0]:
                issues.sync_project_issues(gitlab, project, wanted[0], report)
            if wanted[1]:
                flags.sync_project_flags(gitlab, project, wanted[1], report)
    except GitLabProblem as problem:  # nothing that was asked for by itself: the address or the client
        report.problems.append(Problem(instance.name, problem.kind, problem.words))
    finally:
        report.calls = gitlab.calls
    now = clock.now()
    for rollout in Rollout.objects.whole().open().filter(flag__instance=instance):
        if look(rollout, now):
            reconcile_alone(rollout.pk, by=JOB, now=now)


def _tracked_issues(instance: GitLabInstance) -> dict[int, list[TrackedIssue]]:
    by_project: dict[int, list[TrackedIssue]] = defaultdict(list)
    linked = TrackedIssue.objects.filter(project__instance=instance, links__isnull=False).distinct()
    for issue in linked.select_related("project"):
        by_project[issue.project_id].append(issue)
    return by_project


def _project_flags(instance: GitLabInstance) -> dict[int, list[FeatureFlag]]:
    by_project: dict[int, list[FeatureFlag]] = defaultdict(list)
    for flag in FeatureFlag.objects.filter(instance=instance, project__isnull=False).select_related("reading"):
        by_project[flag.project_id].append(flag)
    return by_project


def _bury_the_lost(instance: GitLabInstance) -> None:
    now = clock.now()
    lost = SyncRun.objects.filter(instance=instance, outcome=SyncRun.Result.RUNNING, started_at__lt=now - LOST_AFTER)
    lost.update(outcome=SyncRun.Result.INTERRUPTED, finished_at=now)


def _close(run: SyncRun, report: Report) -> None:
    run.finished_at = clock.now()
    run.calls = report.calls
    run.flags_seen, run.flags_changed, run.flags_missing = report.flags.seen, report.flags.changed, report.flags.missing
    run.issues_tracked, run.issues_changed = report.issues.tracked, report.issues.changed
    run.issues_missing = report.issues.missing
    run.problems = [{"scope": p.scope, "kind": p.kind, "words": p.words} for p in report.problems]
    read_something = report.flags.seen or report.issues.tracked > report.issues.missing
    run.outcome = (
        SyncRun.Result.OK
        if not report.problems
        else SyncRun.Result.PARTIAL
        if read_something
        else SyncRun.Result.FAILED
    )
    run.save()
