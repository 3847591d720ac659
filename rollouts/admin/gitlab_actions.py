"""What can be asked of GitLab for many rows of a list at once: to be read, and to tell its webhooks."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from kombu.exceptions import OperationalError

from .. import tasks
from ..audit.actor import Actor
from ..models import GitLabInstance, GitLabProject
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import spoken
from ..services import instances
from ..services.instances import DEFAULT
from ..services.refusals import Refused
from ..sync import hooks, read_now
from .bulk import Bulk, ReasonForm


def _ring(instance: GitLabInstance) -> None:
    try:
        tasks.ring_readers(instance)
    except (OperationalError, OSError):
        message = _("The broker does not answer: it is read at the next beat.")
        raise Refused([Blocker("broker", message)]) from None


def _would_read(row: Any, by: Actor, inputs: dict[str, Any]) -> str:
    instance = row if isinstance(row, GitLabInstance) else _scope(row)[0]
    if blockers := read_now.blockers(instance, by):
        raise Refused(blockers)
    return _("Workers read it in a few seconds.")


def _scope(row: Any) -> tuple[GitLabInstance, GitLabProject | None]:
    """Where a flag, an issue or a project is read."""
    if isinstance(row, GitLabProject):
        return row.instance, row
    project = row.project
    return (project.instance if project else row.instance), project


def _read_soon(row: Any, by: Actor, inputs: dict[str, Any]) -> str:
    instance, project = _scope(row)
    read_now.soon(instance, project, by=by)
    _ring(instance)
    return _("It is being read.")


def _read_whole(instance: GitLabInstance, by: Actor, inputs: dict[str, Any]) -> str:
    read_now.whole(instance, by=by)
    _ring(instance)
    return _("It is being read. Look at the Sync page in a few seconds.")


def _would_check(instance: GitLabInstance, by: Actor, inputs: dict[str, Any]) -> str:
    _hook_address(instance)
    return _would_read(instance, by, inputs) and _("GitLab is asked for the webhooks of each project; nothing changes.")


def _hook_address(instance: GitLabInstance) -> str:
    if not instance.hook_secret and not instance.hook_signing_token:
        names = f"{instance.hook_secret_variable} / {instance.hook_signing_variable}"
        message = _("It has no secret for webhooks: set %(names)s.") % {"names": names}
        raise Refused([Blocker("no_secret", message)])
    path = reverse("hook") if instance.name == DEFAULT else reverse("instance_hook", args=[instance.name])
    return f"{settings.PORTAL_URL}{path}"


def _check_hooks(instance: GitLabInstance, by: Actor, inputs: dict[str, Any]) -> str:
    findings = hooks.check(instance, _hook_address(instance))
    wrong = [f"{one.project}: {one.state}. {spoken(one.words)}".strip() for one in findings if not one.is_well]
    if wrong:
        raise Refused([Blocker("hooks", words) for words in wrong])
    if not findings:
        return _("No project is followed yet.")
    return _("All webhooks are well.")


def _retire(instance: GitLabInstance, by: Actor, inputs: dict[str, Any]) -> str:
    instances.retire(instance, by=by, reason=inputs["reason"])
    return _("Nothing is asked of it any more.")


def _take_up(instance: GitLabInstance, by: Actor, inputs: dict[str, Any]) -> str:
    taken = instances.take_up(instance, by=by, reason=inputs["reason"])
    return spoken(taken.why_not_asked) or _("It is read again.")


READ = (Bulk("read", gettext_lazy("Read now"), _read_soon, Role.MANAGER, would=_would_read),)
INSTANCES = (
    Bulk("sync", gettext_lazy("Read all of it now"), _read_whole, Role.MANAGER, would=_would_read),
    Bulk("check_hooks", gettext_lazy("Check webhooks"), _check_hooks, would=_would_check),
    Bulk("retire", gettext_lazy("Retire"), _retire, asks=ReasonForm, is_danger=True),
    Bulk("take_up", gettext_lazy("Take up again"), _take_up, asks=ReasonForm),
)
