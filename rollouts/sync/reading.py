"""Read one scope: an instance's own flags, people and token, or one project's issues and flags, and what follows."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..gitlab import GitLab, GitLabProblem
from ..models import (
    FeatureFlag,
    GitLabActor,
    GitLabInstance,
    GitLabProject,
    IncidentSource,
    InstanceHealth,
    Outcome,
    SyncScope,
    TrackedIssue,
    clock,
)
from ..rules.phrases import say
from ..services import due
from . import feedback, flag_log, flags, issues, renames
from .leases import Lease
from .outcome import Problem, Report, phrase_of

log = logging.getLogger(__name__)
JOB = Actor.job("sync")
#: How often our own token is asked for when it expires.
TOKEN_EVERY = timedelta(hours=6)
#: How long an actor that GitLab did not know is not asked for again.
ASK_AGAIN = timedelta(minutes=10)


@dataclass(slots=True)
class Reading:
    """What is read under one lease, and what it brought."""

    gitlab: GitLab
    lease: Lease
    full: bool
    report: Report
    began: datetime
    kept: dict[str, Any] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.full:
            self.etags = dict(self.scope.etags)

    @property
    def scope(self) -> SyncScope:
        return self.lease.scope


def read(gitlab: GitLab, lease: Lease, *, full: bool = False) -> Reading:
    """Read all of a scope. What GitLab does wrong is in the report; raises Lost where the lease ran out.

    Every batch is a transaction of its own: a reading that is killed leaves nothing half done, and is done again.
    """
    scope, began, calls, started = lease.scope, clock.now(), gitlab.calls, time.monotonic()
    reading = Reading(gitlab, lease, full or _is_due_in_full(scope, began), Report(scope.instance.name), began)
    if scope.project is None:
        _read_instance(reading)
    else:
        _read_project(reading, scope.project)
    lease.renew()
    settle_all_of(scope)
    report = reading.report
    report.calls = gitlab.calls - calls
    report.seconds = time.monotonic() - started
    reading.kept |= {
        "read_at": began,
        "etags": reading.etags,
        "calls": report.calls,
        "seconds": report.seconds,
        "changed": report.issues.changed + report.flags.changed,
    }
    if reading.full and not report.problems:
        reading.kept["full_at"] = began
    return reading


def read_flags(gitlab: GitLab, lease: Lease) -> None:
    """Only the flags of an instance; what else of it waits to be read waits on."""
    scope, began = lease.scope, clock.now()
    reading = Reading(gitlab, lease, False, Report(scope.instance.name), began)
    try:
        flags.sync_instance_flags(gitlab, scope.instance, reading.report, reading.etags)
        settle_all_of(scope)
    finally:
        lease.release(etags=reading.etags)


def settle_all_of(scope: SyncScope) -> None:
    """Look at the rollouts on this GitLab that a reading has marked, whoever's it was: also one that was killed."""
    due.settle(rollout__flag__instance=scope.instance_id)


def finish(reading: Reading) -> bool:
    """Give the lease back, keep what was learned, and forget the hints that this reading has answered.

    To be called in a transaction; False where the lease has passed on, and nothing is kept.
    """
    SyncScope.objects.filter(pk=reading.scope.pk, hinted_at__lte=reading.began).update(hinted_at=None)
    return reading.lease.release(run=None, **reading.kept)


def _read_instance(reading: Reading) -> None:
    gitlab, instance, report = reading.gitlab, reading.scope.instance, reading.report
    if reading.full:  # a list that is the same as before says nothing of the definitions of flags that it lacks
        reading.etags.pop("flags", None)
    flags.sync_instance_flags(gitlab, instance, report, reading.etags)
    flag_log.sync(gitlab, instance, report)
    sync_incidents(gitlab, instance, report)
    resolve_actors(gitlab, instance, report, full=reading.full)
    _read_token(reading)


def _read_project(reading: Reading, project: GitLabProject) -> None:
    gitlab, report, scope = reading.gitlab, reading.report, reading.scope
    rows = TrackedIssue.objects.filter(project=project, links__isnull=False).distinct().order_by("iid")
    followed = [issues.Followed(*row) for row in rows.values_list(*issues.Followed._fields)]
    if followed:
        since = None if reading.full else scope.cursor
        known = issues.sync_project_issues(
            gitlab, project, followed, report, since=since, still_mine=reading.lease.renew
        )
        reading.kept["cursor"] = known.cursor
        for record in known.records:
            renames.learn_project(project, record.project_id, record.path)
        renames.follow_issues(gitlab, scope.instance, known.changed, report)
        feedback.read_due(gitlab, project, report, reading.lease.renew)
    carried = list(FeatureFlag.objects.filter(project=project).select_related("reading"))
    if carried and not followed and reading.full:
        _learn_project(gitlab, project)
    if carried:
        flags.sync_project_flags(gitlab, project, carried, report, reading.etags)


def _learn_project(gitlab: GitLab, project: GitLabProject) -> None:
    """Of a project's flags none says whose they are: so it is asked for its id and path. What is wrong, they say."""
    with suppress(GitLabProblem):
        record = gitlab.project(project.address)
        renames.learn_project(project, record.id, record.path)


def _is_due_in_full(scope: SyncScope, now: datetime) -> bool:
    """Once in ``SYNC_FULL_SECONDS``, spread over the scopes so that they do not all come at once."""
    if scope.full_at is None or (scope.project and scope.cursor is None):
        return True
    spread = 0.75 + (scope.pk * 0.618034) % 0.5
    return now - scope.full_at >= timedelta(seconds=settings.SYNC_FULL_SECONDS * spread)


def _read_token(reading: Reading) -> None:
    """When our token expires, from GitLab's own answer; a token that may not say so is no trouble."""
    instance = reading.scope.instance
    health = InstanceHealth.objects.filter(instance=instance).first()
    if health and health.token_read_at and reading.began - health.token_read_at < TOKEN_EVERY and not reading.full:
        return
    try:
        token = reading.gitlab.own_token()
    except GitLabProblem:
        return
    InstanceHealth.objects.filter(instance=instance).update(
        token_name=token.name[:255],
        token_scopes=list(token.scopes),
        token_expires_on=token.expires_at,
        token_read_at=reading.began,
    )


def resolve_actors(gitlab: GitLab, instance: GitLabInstance, report: Report, *, full: bool = False) -> None:
    """One call for each actor that is not resolved yet and was not asked for lately (``full``: asked anyway)."""
    now = clock.now()
    unresolved = GitLabActor.objects.filter(instance=instance, gitlab_id="")
    if not full:
        unresolved = unresolved.filter(Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN))
    for actor in unresolved:
        kind, _, name = actor.name.partition(":")
        ask = {"user": gitlab.user_id, "group": gitlab.group_id, "project": gitlab.project_id}[kind]
        try:
            answer = ask(name)
        except GitLabProblem as problem:
            report.problems.append(Problem.of(actor.name, problem))
            continue
        actor.asked_at = now
        if answer is None:
            actor.save()
            continue
        with recorded("actor.resolve", by=JOB) as recording:
            actor.gitlab_id = f"{kind.capitalize()}:{answer}"
            actor.save()
            recording.about = actor


def sync_incidents(gitlab: GitLab, instance: GitLabInstance, report: Report) -> None:
    """One call for each label of each source; what was known stays, and grows stale, where GitLab does not answer."""
    for source in IncidentSource.objects.filter(instance=instance):
        read_at = clock.now()
        try:
            labels = {issue.iid: label for label in source.labels for issue in gitlab.open_issues(source.path, label)}
        except GitLabProblem as problem:
            source.outcome, source.words = problem.kind, phrase_of(problem)
            source.save()
            report.problems.append(Problem.of(say("incidents of {project}", project=source.path), problem))
            continue
        still = [{"iid": iid, "label": label} for iid, label in sorted(labels.items())]
        source.read_at, source.outcome, source.words = read_at, Outcome.OK, ""
        if still == source.open_issues:
            source.save()
            continue
        with recorded("incidents.read", by=JOB, about=source):
            source.open_issues = still
            source.save()
