"""What moves in GitLab and stays the same thing: issues to another project, projects and groups to a new path."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..gitlab import GitLab, GitLabProblem
from ..models import (
    FeatureFlag,
    GitLabInstance,
    GitLabProject,
    GitLabWrite,
    PortfolioRow,
    Rollout,
    RolloutIssue,
    SyncScope,
    TrackedIssue,
    clock,
)
from ..rules.phrases import joined, say
from ..services import rollout_work
from .outcome import Problem, Report, phrase_of

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
                Problem(issue.reference, problem.kind, joined((say("It was moved."), phrase_of(problem))))
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
        _follow(issue.pk, instance, record.path, record.project_id, record.iid, report)


def learn_project(project: GitLabProject, gitlab_id: int | None, path: str) -> None:
    """Keep a project's id, and its new path where it was moved or renamed (``references.full`` of its issues)."""
    path = path or project.path
    if gitlab_id is None or (project.gitlab_id, project.path) == (gitlab_id, path):
        return
    with recorded("project.learn", by=JOB) as recording:
        concerned = _concerned(project, gitlab_id)
        others = GitLabProject.objects.locked().filter(instance=project.instance).exclude(pk=project.pk)
        project = GitLabProject.objects.locked().get(pk=project.pk)
        home = others.filter(path=path).first() or project  # the row that is called as GitLab calls the project now
        if home.gitlab_id not in (None, gitlab_id):
            return  # that path was another project's: its own reading says where that one is
        former = {row.pk: row for row in (project, *others.filter(gitlab_id=gitlab_id)) if row.pk != home.pk}
        recording.about = home
        recording.verb = "project.fold" if former else "project.move" if path != home.path else recording.verb
        for row in former.values():
            _fold(row, home)
        home.gitlab_id, home.path, home.successor = gitlab_id, path, None
        home.save()
        recording.concerns = list(Rollout.objects.filter(pk__in=concerned))
        PortfolioRow.objects.filter(rollout__in=concerned).mark()


def _concerned(project: GitLabProject, gitlab_id: int) -> list[int]:
    """Rollouts with a flag or an issue in what is, or turns out to be, this project; locked before all else."""
    rows = GitLabProject.objects.filter(Q(pk=project.pk) | Q(instance=project.instance_id, gitlab_id=gitlab_id))
    here = Rollout.objects.filter(Q(flag__project__in=rows) | Q(issue_links__issue__project__in=rows))
    pks = list(here.values_list("pk", flat=True))
    rollout_work.lock(pks)
    return pks


def _follow(
    issue_id: int, instance: GitLabInstance, path: str, project_id: int | None, iid: int, report: Report
) -> None:
    with recorded("issue.follow", by=JOB) as recording:
        concerned = list(Rollout.objects.filter(issue_links__issue=issue_id).values_list("pk", flat=True))
        rollout_work.lock(concerned)
        issue = TrackedIssue.objects.locked().select_related("project").get(pk=issue_id)
        if issue.successor_id:
            return
        projects = GitLabProject.objects.filter(instance=instance)
        project = (projects.filter(gitlab_id=project_id).first() if project_id else None) or projects.at(instance, path)
        if project_id and project.gitlab_id is None:
            project.gitlab_id = project_id
            project.save()
        recording.about = issue
        target = TrackedIssue.objects.get_or_create(project=project, iid=iid)[0]
        if _leads_to(target, issue):
            phrase_of = say("GitLab says that it was moved in a circle: name the issue that counts in the plan.")
            report.problems.append(Problem(issue.reference, "not_found", phrase_of))
            return
        recording.rollout = _replace(issue, target)
        others = Rollout.objects.filter(pk__in=concerned)
        recording.concerns = [each for each in others if each != recording.rollout]
        PortfolioRow.objects.filter(rollout__in=concerned).mark()
    SyncScope.objects.update_or_create(instance=instance, project=project, defaults={"hinted_at": clock.now()})


def _leads_to(issue: TrackedIssue, other: TrackedIssue) -> bool:
    """Whether an issue is another one, or became it."""
    seen = set[int]()
    current: TrackedIssue | None = issue
    while current is not None and current.pk not in seen:
        if current.pk == other.pk:
            return True
        seen.add(current.pk)
        current = current.successor
    return False


def _replace(issue: TrackedIssue, target: TrackedIssue) -> Rollout | None:
    """Link what was linked to ``issue`` to this one from now on; the rollout that is concerned."""
    issue.successor = target
    issue.save()
    rollout = None
    for link in RolloutIssue.objects.filter(issue=issue).select_related("rollout"):
        link.issue = target
        link.save()
        rollout = link.rollout
    return rollout


def _fold(old: GitLabProject, new: GitLabProject) -> None:
    """Two rows turned out to be one project: all of the old row goes over to the new one, once and for all."""
    for issue in TrackedIssue.objects.filter(project=old, successor=None).select_related("project__instance"):
        target = TrackedIssue.objects.get_or_create(project=new, iid=issue.iid)[0]
        if _leads_to(target, issue):  # the path was this one before
            target.successor = None
            target.save()
        _replace(issue, target)
    there = {(flag.name, flag.environment): flag for flag in FeatureFlag.objects.filter(project=new)}
    for flag in FeatureFlag.objects.filter(project=old):
        same = there.get((flag.name, flag.environment))
        if same is None:
            flag.project = new
            flag.save()
        else:
            _take_over(flag, same)
    old.gitlab_id, old.successor = None, new
    old.save()


def _take_over(flag: FeatureFlag, same: FeatureFlag) -> None:
    """One flag under two paths: its rollouts and what is owed to it go to the row that is read; readings stay."""
    for rollout in Rollout.objects.filter(flag=flag):
        rollout.flag = same
        rollout.save()
    for write in GitLabWrite.objects.unfinished().filter(flag=flag):
        write.flag, write.lane = same, f"flag:{same.pk}"
        write.save()
