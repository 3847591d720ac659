"""A row of each kind that stands behind an approval."""

from datetime import timedelta

from rollouts import models
from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded


def with_approvals(world):
    """A request, an approval, a waiver that is asked for and an override are there; the phases are as planned."""
    world.gitlab.state.set_feature("use_haiku", "false")
    world.up_to("team", "planned")
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    world.waive("", "considerations", granted=False)
    with recorded("x", by=Actor.system_user()):
        models.Override.objects.create(
            phase=world.phase("team"), verb="start", by="root", at=world.now(), reason="x", due_at=world.now()
        )
        models.ChangeLock.objects.create(
            title="x", starts_at=world.now(), ends_at=world.now() + timedelta(1), created_by="x", created_at=world.now()
        )
        models.LockCalendar.objects.create(name="x")
        instance = world.rollout().flag.instance
        models.IncidentSource.objects.create(instance=instance, path="a/b")
        models.GitLabWrite.objects.create(
            kind="post_note", lane="x", instance=instance, rollout=world.rollout(), title="x", asked_by="x",
            asked_at=world.now(), next_attempt_at=world.now() + timedelta(1),
        )  # fmt: skip
