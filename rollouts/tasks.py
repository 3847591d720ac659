"""Thin Celery tasks: each is safe to run twice, at once, late, or never (beat rings again)."""

from __future__ import annotations

from celery import shared_task

from .audit.source import coming_from
from .models import GitLabInstance
from .services import ramps
from .services.instances import all_instances
from .sync import calendars, outbox, passes


@shared_task(ignore_result=True)
def sync_due() -> None:
    """Ring for each instance, so that a slow or dead one keeps no other waiting."""
    for instance in all_instances():
        if instance.url:
            sync_instance.delay(instance.pk)


@shared_task(ignore_result=True)
def sync_instance(instance_id: int, trigger: str = "beat") -> None:
    """One pass over one GitLab."""
    with coming_from("sync"):
        passes.sync_instance(GitLabInstance.objects.get(pk=instance_id), trigger=trigger)


@shared_task(ignore_result=True)
def work_outbox() -> None:
    """Do what the portal owes to GitLab and is due."""
    with coming_from("outbox"):
        outbox.work()


@shared_task(ignore_result=True)
def advance_due() -> None:
    """Take the steps that are set to advance by themselves and that nothing blocks."""
    with coming_from("ramp"):
        ramps.advance_due()


@shared_task(ignore_result=True)
def read_calendars() -> None:
    """Read the calendars of change locks that are due."""
    with coming_from("sync"):
        calendars.read_due()
