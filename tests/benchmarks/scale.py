"""``python -m tests.benchmarks.scale PART``: one part of ``make bench-sync``, in a process of its own.

``gitlab FILE`` writes the simulated GitLab's state, ``portal`` fills the portal's database, ``sync WHAT`` makes one
pass, ``floor`` and ``naive`` ask GitLab without the portal. Database and GitLab come from the environment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import local
from typing import Any

PROJECTS, PER_PROJECT, FLAGS = 50, 200, 1_000
ROLES = ("rollout_plan", "flag_rollout", "internal_rollout", "internal_feedback")
JOBS = int(os.environ.get("JOBS", "4"))
NAIVE_SAMPLE = 1_000


def long_ago(project: int, iid: int) -> str:
    """When an issue was made: each some hours after the one before."""
    made = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(hours=7 * iid, minutes=project)
    return made.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gitlab(path: str) -> None:
    """10,000 issues in 50 projects, 1,000 flags."""
    from gitlab_simulator.state import State

    state = State(path)
    with state.change():
        state.add_user("ann")
        state.add_group("acme/code")
        for number in range(PROJECTS):
            state.add_project(f"acme/app{number}")
            for iid in range(1, PER_PROJECT + 1):
                words = "- [x] one\n- [ ] two\n" + "What was agreed upon, in some words more. " * 20
                state.add_issue(
                    f"acme/app{number}",
                    f"Rollout issue {iid} of app {number}",
                    iid,
                    description=words,
                    labels=["a", "b"],
                    created_at=long_ago(number, iid),
                )
        for number in range(FLAGS):
            state.set_feature(f"flag_{number}", "false")


def change(path: str, share: float) -> None:
    """Change this share of the issues and flags, from another process than the server's."""
    from gitlab_simulator.state import State

    state = State(path)
    step = int(1 / share)
    with state.change():
        for index in range(0, PROJECTS * PER_PROJECT, step):
            project, iid = divmod(index, PER_PROJECT)
            state.set_issue(f"acme/app{project}", iid + 1, title=f"Changed at {time.time()}")
        for number in range(0, FLAGS, step):
            state.set_feature(f"flag_{number}", str(26 + int(time.time()) % 50), key="percentage_of_actors")


def portal() -> None:
    """1,000 rollouts by their plans; six more issues are linked to each, so that all 10,000 are followed."""
    from rollouts.audit.actor import Actor
    from rollouts.audit.recording import recorded
    from rollouts.models import GitLabProject, Rollout, RolloutIssue, TrackedIssue
    from rollouts.services import plans
    from rollouts.services.instances import default_instance
    from tests.walk import PLAN

    instance, by = default_instance(), Actor.system_user()
    for number in range(FLAGS):
        text = PLAN.format(
            slug=f"r{number}", title=f"R {number}", flag=f"flag_{number}", url=instance.url, steps="[1, 100]", soak="0"
        )
        first = (number // PROJECTS) * len(ROLES) + 1
        for position in range(len(ROLES)):
            old, new = (
                f"/acme/app/-/issues/{11 + position}",
                f"/acme/app{number % PROJECTS}/-/issues/{first + position}",
            )
            text = text.replace(old + "\n", new + "\n")
        plans.apply(text, by=by, source="bench")
    rollouts = {int(slug[1:]): pk for slug, pk in Rollout.objects.values_list("slug", "pk")}
    for index, project in enumerate(GitLabProject.objects.order_by("pk")):
        number = int(project.path.removeprefix("acme/app"))
        with recorded("bench", by=by) as recording:
            known = set(TrackedIssue.objects.filter(project=project).values_list("iid", flat=True))
            rows = [TrackedIssue(project=project, iid=iid) for iid in range(1, PER_PROJECT + 1) if iid not in known]
            issues = TrackedIssue.objects.bulk_create(rows)
            RolloutIssue.objects.bulk_create(
                RolloutIssue(
                    rollout_id=rollouts[number + PROJECTS * (position % (FLAGS // PROJECTS))],
                    role=f"extra_{index}_{position}",
                    issue=issue,
                )
                for position, issue in enumerate(issues)
            )
            recording.about = project


def sync(what: str) -> dict[str, Any]:
    """One pass; its figures."""
    from rollouts.services.instances import default_instance
    from rollouts.sync import passes

    instance = default_instance()
    report = passes.sync_instance(instance, trigger="bench", full=what == "full", jobs=JOBS)
    return {
        "calls": report.calls,
        "seconds": report.seconds,
        "written": report.issues.changed + report.flags.changed,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "problems": [problem.words for problem in report.problems],
    }


def _pool(questions: list[Any]) -> float:
    """Seconds for all questions with bare python-gitlab: one client in each of so many threads."""
    import gitlab as python_gitlab

    mine = local()

    def ask(question: Any) -> int:
        if not hasattr(mine, "gitlab"):
            mine.gitlab = python_gitlab.Gitlab(os.environ["GITLAB_URL"], os.environ["GITLAB_TOKEN"], timeout=30)
        return question(mine.gitlab)

    begun = time.perf_counter()
    with ThreadPoolExecutor(JOBS) as pool:
        list(pool.map(ask, questions))
    return time.perf_counter() - begun


def floor() -> dict[str, Any]:
    """The least calls in which all of it can be read, and no more is done with it."""

    def batch(project: int, first: int) -> Any:
        return lambda gl: len(
            gl.projects.get(f"acme/app{project}", lazy=True).issues.list(
                iids=list(range(first, first + 100)), scope="all", per_page=100, get_all=False
            )
        )

    questions = [lambda gl: len(gl.features.list(get_all=False))]
    questions += [batch(project, first) for project in range(PROJECTS) for first in range(1, PER_PROJECT, 100)]
    return {"calls": len(questions), "seconds": _pool(questions)}


def naive() -> dict[str, Any]:
    """One GET for each issue: a sample, and what all of them would take at its pace."""

    def one(index: int) -> Any:
        project, iid = divmod(index, PER_PROJECT)
        return lambda gl: gl.projects.get(f"acme/app{project}", lazy=True).issues.get(iid + 1).iid

    total = PROJECTS * PER_PROJECT
    questions = [one(index) for index in range(0, total, total // NAIVE_SAMPLE)]
    return {"calls": total, "seconds": _pool(questions) * total / NAIVE_SAMPLE}


def main(part: str, *arguments: str) -> None:
    parts = {"gitlab": gitlab, "portal": portal, "sync": sync, "floor": floor, "naive": naive}
    if part == "change":
        change(arguments[0], float(arguments[1]))
        return
    if part in ("portal", "sync"):
        import django

        django.setup()
    found = parts[part](*arguments)  # type: ignore[operator]
    if found is not None:
        print(json.dumps(found))


if __name__ == "__main__":
    assert Path("manage.py").exists()
    main(*sys.argv[1:])
