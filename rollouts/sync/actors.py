"""Resolve actors that plans name (``user:alice``) to GitLab's ids (``User:42``): asked once, kept."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..gitlab import GitLab, GitLabProblem
from ..models import GitLabActor, GitLabInstance, clock
from .outcome import Problem, Report

JOB = Actor.job("sync")
#: How long an actor that GitLab did not know is not asked for again.
ASK_AGAIN = timedelta(minutes=10)


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
