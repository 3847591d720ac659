"""``python -m tests.drills.ground WHAT N``: prepare a portal for a drill, or work its outbox, in a process of its own.

The database, the GitLab and the rest come from the environment, as for any process of the portal.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import django

STEPS = [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 100]


class Remote:
    """A simulated GitLab that runs in the drill itself: seeded there, only its address is needed here."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token


def world() -> Any:
    """A world on a GitLab that was seeded already, with its people."""
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    from tests.walk import ROLES, World

    found = World(Remote(settings.GITLAB_URL, settings.GITLAB_TOKEN))  # type: ignore[arg-type]
    for name, role in ROLES.items():
        user, created = get_user_model().objects.get_or_create(username=name)
        if created:
            user.groups.add(Group.objects.get(name=role))
        found.people[name] = user
    return found


def ramps(count: int) -> None:
    """So many rollouts at 1 % of a ramp whose next steps begin by themselves; the outbox has set their flags."""
    from rollouts.services import plans
    from rollouts.sync import outbox

    there = world()
    for number in range(count):
        there.plan = {
            "slug": f"r{number}", "title": f"R{number}", "flag": f"flag_{number}", "steps": STEPS, "soak": "0",
        }  # fmt: skip
        text = there.document().replace("{method: percentage,", "{method: percentage, auto: true,")
        plans.apply(text, by=there.actor("mia"), source="plan.yaml")
        there.sync()
        there.confirm()
        there.skip("team", reason="drill")
        for phase in ("company", "everyone"):
            there.confirm(phase)
            there.do("request", phase, "mia")
            there.approve(phase)
            there.do("start", phase, "mia")
            outbox.work()
            there.sync()
            if phase == "company":
                there.confirm(phase)  # its decisions: not before GitLab was read at its exposure
                there.do("complete", phase, "mia")


GUARDED = """
guard_metrics:
  latency_p95:
    above_baseline: 5
    query: latency_seconds{{model="new"}}
    baseline_query: latency_seconds{{model="old"}}
    window: 1m
    hurt_for: 1m
    then: {then}
"""


def guarded(count: int) -> None:
    """So many rollouts whose first phase is live; each second one is paused by a guard metric, the others rolled back."""
    from rollouts.services import plans
    from rollouts.sync import outbox

    there = world()
    for number in range(count):
        there.plan = {
            "slug": f"r{number}", "title": f"R{number}", "flag": f"flag_{number}", "steps": STEPS, "soak": "0",
        }  # fmt: skip
        text = there.document() + GUARDED.format(then="pause" if number % 2 else "roll_back")
        plans.apply(text, by=there.actor("mia"), source="plan.yaml")
        there.sync()
        there.confirm()
        there.confirm("team")
        there.do("request", "team", "mia")
        there.approve("team")
        there.do("start", "team", "mia")
        outbox.work()
        there.sync()


def writes(count: int) -> None:
    """So many notes on three issues, half as many new issues, and one flag to set: owed, not done."""
    from rollouts.audit.recording import recorded
    from rollouts.models import GitLabWrite, Rollout
    from rollouts.services import plans

    there = world()
    by = there.actor("mia")
    if not Rollout.objects.exists():
        plans.apply(there.document(), by=by, source="plan.yaml")
        there.sync()
    rollout, now = there.rollout(), there.now()
    first = GitLabWrite.objects.count()
    with recorded("drill", by=by):
        for number in range(first, first + count):
            is_note = number % 3 != 2
            GitLabWrite.objects.create(
                kind="post_note" if is_note else "create_issue",
                lane=f"issue:{number % 5}" if is_note else f"new:{number}",
                instance=rollout.flag.instance,
                rollout=rollout,
                title=f"write {number}",
                payload={"project": "acme/app", "iid": 12, "body": f"note {number}"}
                if is_note
                else {"project": "acme/app", "role": f"drill_{number}", "title": f"issue {number}",
                      "description": "x", "labels": [], "confidential": False},
                asked_by="mia",
                asked_at=now,
                next_attempt_at=now,
            )  # fmt: skip


def work(seconds: int) -> None:
    """Work the outbox, again and again, as a worker does."""
    from rollouts.sync import outbox

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        outbox.work()
        time.sleep(0.05)


def projects(count: int) -> None:
    """So many rollouts, each with four issues in a project of its own; somebody who may look at their pages."""
    from rollouts.services import plans

    there = world()
    for number in range(count):
        text = there.document(slug=f"r{number}", title=f"R{number}", flag=f"flag_{number}")
        text = text.replace("/acme/app/", f"/acme/app{number}/")
        plans.apply(text, by=there.actor("mia"), source="plan.yaml")
    there.people["mia"].set_password("rollout")
    there.people["mia"].save()


def read(seconds: int) -> None:
    """Read GitLab, pass after pass, as a worker does."""
    from rollouts.services.instances import default_instance
    from rollouts.sync import deliveries, passes

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        deliveries.work()
        passes.begin(default_instance(), trigger="drill")
        passes.work(default_instance())
        time.sleep(0.02)


def owners(count: int) -> None:
    """One rollout that so many people own, who are told by mail."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    from rollouts.services import plans

    there = world()
    names = [f"p{number}" for number in range(count)]
    for name in names:
        user = get_user_model().objects.create(username=name, email=f"{name}@example.com")
        user.groups.add(Group.objects.get(name="manager"))
    text = there.document().replace("owners: [mia]", f"owners: [{', '.join(names)}]")
    plans.apply(text, by=there.actor("mia"), source="plan.yaml")


def events(count: int) -> None:
    """So many events that concern the owners, each about another thing, so that none stands for another."""
    from rollouts.audit.recording import recorded
    from rollouts.models import FeatureFlag, Rollout

    there = world()
    rollout = Rollout.objects.get()
    for number in range(count):
        with recorded(
            "drift.began", by=there.actor("root"), about=FeatureFlag(pk=number + 1_000), rollout=rollout
        ) as one:
            one.notes |= {"gitlab": f"{number} users", "plan": "nobody"}


def tell(seconds: int) -> None:
    """Tell people and send mails, again and again, as a worker does."""
    from rollouts import tasks

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tasks.tell_people()
        tasks.send_mail()
        time.sleep(0.05)


if __name__ == "__main__":
    django.setup()
    parts = {"ramps": ramps, "guarded": guarded, "writes": writes, "work": work, "projects": projects, "read": read,
             "owners": owners, "events": events, "tell": tell}  # fmt: skip
    parts[sys.argv[1]](int(sys.argv[2]))
