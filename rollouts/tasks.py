"""Thin Celery tasks: each is safe to run twice, at once, late, or never (beat rings again)."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.db import InterfaceError, OperationalError

import config.celery  # noqa: F401 - the app whose tasks these are, also where another process rings for them

from .audit import sealing, verifying
from .audit.source import coming_from
from .models import GitLabInstance
from .portal import mails
from .services import conditions, due, notices, weekly
from .services.instances import all_instances
from .services.keeping import runs as keeping
from .sync import calendars, chatting, copies, deliveries, mailing, metrics, outbox, passes

log = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def sync_due() -> None:
    """Begin the passes that are due, and ring again for what waits: a worker may have died, a doorbell been lost."""
    for instance in all_instances():
        if instance.is_asked:
            try:
                passes.begin_if_due(instance)
                ring_readers(instance)
            except (OperationalError, InterfaceError):
                raise
            except Exception:  # one GitLab at which we fail keeps no other from being read
                log.exception("no pass of %s could be begun", instance.name)


@shared_task(ignore_result=True)
def read_waiting(instance_id: int) -> None:
    """Take part in reading one GitLab for a while, then let others have a turn."""
    with coming_from("sync"):
        instance = GitLabInstance.objects.get(pk=instance_id)
        if passes.work(instance):
            read_waiting.delay(instance_id)


@shared_task(ignore_result=True)
def flags_due() -> None:
    """Ring for each instance's flags: no webhook tells of them, so they are asked for more often than all else."""
    for instance in all_instances():
        if instance.is_asked:
            read_flags.delay(instance.pk)


@shared_task(ignore_result=True)
def read_flags(instance_id: int) -> None:
    """Read the flags of one instance, and nothing else of it."""
    with coming_from("sync"):
        passes.read_flags(GitLabInstance.objects.get(pk=instance_id))


@shared_task(ignore_result=True, expires=60)  # each webhook rings, and beat does
def work_deliveries() -> None:
    """Work the webhook deliveries that wait, then read what they only hinted at."""
    with coming_from("webhook"):
        for instance_id in deliveries.work():
            read_waiting.delay(instance_id)


@shared_task(ignore_result=True)
def work_due() -> None:
    """Look at what is due, for a while: settle it, take steps that begin by themselves, work out portfolio rows."""
    with coming_from("ramp"):
        for _ in range(20):
            if not due.work().looked:
                break


@shared_task(ignore_result=True)
def seal_history() -> None:
    """Seal the events that are not sealed yet, and sign a checkpoint when one is due."""
    sealing.work()
    if verifying.was_never():
        verify_history.apply_async(expires=60)


@shared_task(ignore_result=True)
def tell_people() -> None:
    """Make notices of what happened since."""
    notices.work()


@shared_task(ignore_result=True)
def tell_loose_ends() -> None:
    """Once a week, tell of what stays behind."""
    weekly.work()


@shared_task(ignore_result=True)
def watch_clock() -> None:
    """Write down what began and ended by the clock, for people to be told."""
    conditions.work()


@shared_task(ignore_result=True)
def verify_history() -> None:
    """Verify the whole history, and remember what was found."""
    verifying.keep(verifying.verify())


@shared_task(ignore_result=True)
def copy_checkpoints() -> None:
    """Put copies of the newest checkpoint where they are due."""
    copies.work()


@shared_task(ignore_result=True)
def keep() -> None:
    """Let go of what is past its age, once a day; what is more than one turn's work is gone on with at once."""
    run = keeping.work()
    if run is not None and run.ended_at is None:
        keep.apply_async(expires=3600)


def ring_readers(instance: GitLabInstance) -> None:
    """As many readers as may read one instance at a time, if anything of it waits."""
    if passes.waiting(instance):
        for _ in range(settings.SYNC_PARALLEL):
            read_waiting.delay(instance.pk)


@shared_task(ignore_result=True)
def work_outbox() -> None:
    """Do what the portal owes to GitLab and is due."""
    with coming_from("outbox"):
        outbox.work()


@shared_task(ignore_result=True)
def read_metrics() -> None:
    """Read the guard metrics that are due from Prometheus, then do what they ask for."""
    with coming_from("ramp"):
        if metrics.read_due():
            due.work()


@shared_task(ignore_result=True)
def read_calendars() -> None:
    """Read the calendars of change locks that are due."""
    with coming_from("sync"):
        calendars.read_due()


@shared_task(ignore_result=True, expires=60)
def send_chat() -> None:
    """Tell chats what they are owed."""
    chatting.work(mails.line)


@shared_task(ignore_result=True, expires=60)
def send_mail() -> None:
    """Send the mails that are owed and due."""
    mailing.work(mails.compose)
