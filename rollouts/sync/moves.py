"""What moves in GitLab and stays the same thing: issues to another project, projects and groups to a new path."""

from __future__ import annotations

from collections.abc import Iterable

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..gitlab import GitLab, GitLabProblem
from ..models import FeatureFlag, GitLabInstance, GitLabProject, Rollout, RolloutIssue, SyncScope, TrackedIssue, clock
from ..rules.words import joined, say
from .outcome import Problem, Report
from .said import said

JOB = Actor.job("sync")


def follow_issues(gitlab: GitLab, instance: GitLabInstance, issues: Iterable[int], report: Report) -> None:
    """Those of these issues that were moved: their rollouts follow the issue that they became.

    GitLab tells only administrators where an issue went (``GET /issues/:id``); to others the problem says so.
    """
    moved = TrackedIssue.objects.filter(pk__in=issues, moved_to_id__isnull=False, successor=None, links__isnull=False)
    for issue in moved.select_related("project__instance").distinct():
        assert issue.moved_to_id is not None
        try:
            record = gitlab.issue_by_id(issue.moved_to_id)
        except GitLabProblem as problem:
            report.problems.append(
                Problem(issue.reference, problem.kind, joined((say("It was moved."), said(problem))))
            )
            continue
        if record is None or not record.path:
            report.problems.append(
                Problem(
                    issue.reference,
                    "not_found",
                    say("It was moved to where our token can't see it: name the new issue in the plan."),
                )
            )
            continue
        _follow(issue.pk, instance, record.path, record.project_id, record.iid)


def learn_project(project: GitLabProject, gitlab_id: int | None, path: str) -> None:
    """Keep a project's id, and its new path where it was moved or renamed (``references.full`` of its issues)."""
    path = path or project.path
    if gitlab_id is None or (project.gitlab_id, project.path) == (gitlab_id, path):
        return
    with deed("project.learn", by=JOB) as doing:
        doing.about = project = GitLabProject.objects.select_for_update().get(pk=project.pk)
        others = GitLabProject.objects.filter(instance=project.instance).exclude(pk=project.pk)
        if older := others.filter(gitlab_id=gitlab_id).first():  # the same project under its former path
            doing.verb = "project.fold"
            _fold(older, project)
        elif path != project.path:
            doing.verb = "project.move"
        if newer := others.filter(path=path).first():  # a plan has named the new path already
            doing.verb = "project.fold"
            doing.about = newer
            _fold(project, newer)
            project = newer
        project.gitlab_id, project.path = gitlab_id, path
        project.save()


def _follow(issue_id: int, instance: GitLabInstance, path: str, project_id: int | None, iid: int) -> None:
    with deed("issue.follow", by=JOB) as doing:
        issue = TrackedIssue.objects.select_for_update(of=("self",)).select_related("project").get(pk=issue_id)
        if issue.successor_id:
            return
        projects = GitLabProject.objects.filter(instance=instance)
        project = (
            (projects.filter(gitlab_id=project_id).first() if project_id else None)
            or projects.filter(path=path).first()
            or GitLabProject.objects.create(instance=instance, path=path, gitlab_id=project_id)
        )
        doing.about = issue
        doing.rollout = _replace(issue, project, iid)
    SyncScope.objects.update_or_create(instance=instance, project=project, defaults={"hinted_at": clock.now()})


def _replace(issue: TrackedIssue, project: GitLabProject, iid: int) -> Rollout | None:
    """Link what was linked to ``issue`` to this one from now on; the rollout that is concerned."""
    successor, _ = TrackedIssue.objects.get_or_create(project=project, iid=iid)
    issue.successor = successor
    issue.save()
    rollout = None
    for link in RolloutIssue.objects.filter(issue=issue).select_related("rollout"):
        link.issue = successor
        link.save()
        rollout = link.rollout
    return rollout


def _fold(old: GitLabProject, new: GitLabProject) -> None:
    """Two rows turned out to be one project: all of the old row goes over to the new one."""
    for issue in TrackedIssue.objects.filter(project=old, successor=None).select_related("project__instance"):
        _replace(issue, new, issue.iid)
    taken = set(FeatureFlag.objects.filter(project=new).values_list("name", "environment"))
    for flag in FeatureFlag.objects.filter(project=old):
        if (flag.name, flag.environment) not in taken:
            flag.project = new
            flag.save()
    old.gitlab_id = None
    old.save()
