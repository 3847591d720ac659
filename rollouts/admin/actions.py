"""What can be done to many rows of a list at once. Each entry is one service, called once for each row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from kombu.exceptions import OperationalError

from .. import tasks
from ..audit.actor import Actor
from ..models import GitLabInstance, GitLabProject, Phase, Rollout
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..services import checklist, facts, feed_keys, locks, outbox, overrides, people, retirement, tokens, transitions
from ..services.instances import DEFAULT
from ..services.refusals import Refused
from ..sync import asked, hooks
from .bulk import Bulk, ReasonForm

# Rollouts


def _live_phases(rollout: Rollout, verb: str) -> list[Phase]:
    whole = transitions.whole(rollout.pk)
    phases = facts.newest_attempts(whole)
    if verb == "withdraw":
        return [phase for phase in phases if phase.standing_requests]
    return [phase for phase in phases if phase.state == "active"]


def _withdraw(rollout: Rollout, by: Actor, said: dict[str, Any]) -> str:
    return _on_phases(rollout, "withdraw", by, said, _("No request of it is open."))


def _pause(rollout: Rollout, by: Actor, said: dict[str, Any]) -> str:
    return _on_phases(rollout, "pause", by, said, _("No phase of it is active."))


def _on_phases(rollout: Rollout, verb: str, by: Actor, said: dict[str, Any], when_none: str) -> str:
    phases = _live_phases(rollout, verb)
    if not phases:
        raise Refused([Blocker("nothing_to_do", when_none)])
    for phase in phases:
        transitions.perform(verb, phase, by=by, reason=said["reason"])
    names = ", ".join(map(str, phases))
    if verb == "pause":
        return _("%(phases)s is paused; who sees the model stays as it is.") % {"phases": names}
    return _("The request for %(phases)s is withdrawn.") % {"phases": names}


def _abandon(rollout: Rollout, by: Actor, said: dict[str, Any]) -> str:
    transitions.perform_on_rollout("abandon", rollout, by=by, reason=said["reason"])
    return _("It is abandoned, for good.")


ROLLOUTS = (
    Bulk(
        "withdraw",
        gettext_lazy("Withdraw open requests"),
        _withdraw,
        Role.MANAGER,
        gettext_lazy("What was asked for goes back to planned. Approvals that were given count no longer."),
        ReasonForm,
    ),
    Bulk(
        "pause",
        gettext_lazy("Pause active phases"),
        _pause,
        Role.MANAGER,
        gettext_lazy("A paused phase goes no further. It narrows nothing: to take the model away, roll back."),
        ReasonForm,
    ),
    Bulk(
        "abandon",
        gettext_lazy("Abandon rollouts"),
        _abandon,
        Role.MANAGER,
        gettext_lazy("An abandoned rollout is over. It can't be planned anew."),
        ReasonForm,
        is_danger=True,
    ),
)


# Requests, overrides, checklist


def _withdraw_request(request: Any, by: Actor, said: dict[str, Any]) -> str:
    return _answer(request, "withdraw", by, said)


def _reject_request(request: Any, by: Actor, said: dict[str, Any]) -> str:
    return _answer(request, "reject", by, said)


def _answer(request: Any, verb: str, by: Actor, said: dict[str, Any]) -> str:
    if request.state not in ("open", "granted"):
        raise Refused([Blocker("ended", _("The request has ended: %(state)s.") % {"state": request.state})])
    transitions.perform(verb, request.phase, by=by, reason=said["reason"])
    return _("The phase is planned again.") if request.is_start else _("The phase stays at its step.")


REQUESTS = (
    Bulk("withdraw", gettext_lazy("Withdraw requests"), _withdraw_request, Role.MANAGER, asks=ReasonForm),
    Bulk("reject", gettext_lazy("Reject requests"), _reject_request, Role.APPROVER, asks=ReasonForm, is_danger=True),
)


class VerdictForm(forms.Form):
    verdict = forms.CharField(
        label=gettext_lazy("What the review found"), max_length=5000, widget=forms.Textarea(attrs={"rows": 3})
    )
    rehearsed_with = {"verdict": "-"}


def _review(override: Any, by: Actor, said: dict[str, Any]) -> str:
    overrides.review(override, by=by, verdict=said["verdict"])
    return _("The review is closed.")


OVERRIDES = (
    Bulk(
        "review",
        gettext_lazy("Close reviews"),
        _review,
        Role.APPROVER,
        gettext_lazy("Somebody else than who made the override says whether it was right."),
        VerdictForm,
    ),
)


class EvidenceForm(forms.Form):
    evidence = forms.CharField(
        label=gettext_lazy("Evidence: a link or a note"),
        max_length=checklist.LONGEST_EVIDENCE,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    channel = forms.CharField(
        label=gettext_lazy("Channel"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Only for announcements: where it was announced."),
    )
    rehearsed_with = {"evidence": "-", "channel": "-"}


def _confirm(item: Any, by: Actor, said: dict[str, Any]) -> str:
    checklist.confirm(item, by=by, evidence=said["evidence"], channel=said["channel"])
    return _("It is confirmed with this evidence.")


def _unconfirm(item: Any, by: Actor, said: dict[str, Any]) -> str:
    checklist.unconfirm(item, by=by, reason=said["reason"])
    return _("Its confirmation is taken back. Approvals that rested on it are asked for again.")


ITEMS = (
    Bulk("confirm", gettext_lazy("Confirm with evidence"), _confirm, Role.MANAGER, asks=EvidenceForm),
    Bulk("unconfirm", gettext_lazy("Take confirmations back"), _unconfirm, Role.MANAGER, asks=ReasonForm),
)


# Change locks and the outbox


def _end_lock(lock: Any, by: Actor, said: dict[str, Any]) -> str:
    locks.end(lock, by=by, reason=said["reason"])
    return _("It locks no longer.")


def _remove_calendar(calendar: Any, by: Actor, said: dict[str, Any]) -> str:
    locks.remove_calendar(calendar, by=by, reason=said["reason"])
    return _("Its periods lock no longer.")


LOCKS = (Bulk("end", gettext_lazy("End change locks now"), _end_lock, Role.MANAGER, asks=ReasonForm),)
CALENDARS = (
    Bulk("remove", gettext_lazy("Remove calendars"), _remove_calendar, asks=ReasonForm, is_danger=True),
)  # fmt: skip


def _again(write: Any, by: Actor, said: dict[str, Any]) -> str:
    outbox.again(write, by=by)
    return _("It is tried again.")


def _cancel(write: Any, by: Actor, said: dict[str, Any]) -> str:
    outbox.cancel(write, by=by, reason=said["reason"])
    return _("It will not be done.")


WRITES = (
    Bulk("again", gettext_lazy("Try again"), _again, Role.MANAGER, gettext_lazy("Only what was given up.")),
    Bulk("cancel", gettext_lazy("Cancel"), _cancel, Role.MANAGER, asks=ReasonForm, is_danger=True),
)


# AI models


class RetirementForm(forms.Form):
    day = forms.DateField(
        label=gettext_lazy("Retires on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Today: it is retired. Empty: the day is taken back."),
    )
    begin_with = {"day": timezone.localdate}
    rehearsed_with: dict[str, Any] = {"day": None}


def _retire(model: Any, by: Actor, said: dict[str, Any]) -> str:
    retirement.retire(model, said["day"], by=by)
    if said["day"] is None:
        return _("Its day of retirement is taken back.")
    return _("It retires on %(day)s.") % {"day": date_format(said["day"])}


def _would_retire(model: Any, by: Actor, said: dict[str, Any]) -> str:
    now = _("now %(day)s") % {"day": date_format(model.deprecated_on)} if model.deprecated_on else _("no day now")
    live = [rollout.title for rollout in model.rollouts.filter(state="underway")]
    warning = " " + _("It is going live in %(rollouts)s.") % {"rollouts": ", ".join(live)} if live else ""
    return _("It gets the day below (%(now)s).") % {"now": now} + warning


MODELS = (
    Bulk("retire", gettext_lazy("Set the day of retirement"), _retire, asks=RetirementForm, would=_would_retire),
)  # fmt: skip


# GitLab


def _ring(instance: GitLabInstance) -> None:
    try:
        tasks.ring_readers(instance)
    except (OperationalError, OSError):
        said = _("The broker does not answer: it is read at the next beat.")
        raise Refused([Blocker("broker", said)]) from None


def _would_read(row: Any, by: Actor, said: dict[str, Any]) -> str:
    instance = row if isinstance(row, GitLabInstance) else _scope(row)[0]
    if found := asked.blockers(instance, by):
        raise Refused(found)
    return _("Workers read it in a few seconds.")


def _scope(row: Any) -> tuple[GitLabInstance, GitLabProject | None]:
    """Where a flag, an issue or a project is read."""
    if isinstance(row, GitLabProject):
        return row.instance, row
    project = row.project
    return (project.instance if project else row.instance), project


def _read_soon(row: Any, by: Actor, said: dict[str, Any]) -> str:
    instance, project = _scope(row)
    asked.soon(instance, project, by=by)
    _ring(instance)
    return _("It is being read.")


def _read_whole(instance: GitLabInstance, by: Actor, said: dict[str, Any]) -> str:
    asked.whole(instance, by=by)
    _ring(instance)
    return _("It is being read. Look at the Sync page in a few seconds.")


def _would_check(instance: GitLabInstance, by: Actor, said: dict[str, Any]) -> str:
    _hook_address(instance)
    return _would_read(instance, by, said) and _("GitLab is asked for the webhooks of each project; nothing changes.")


def _hook_address(instance: GitLabInstance) -> str:
    if not instance.hook_secret and not instance.hook_signing_token:
        names = f"{instance.hook_secret_variable} / {instance.hook_signing_variable}"
        said = _("It has no secret for webhooks: set %(names)s.") % {"names": names}
        raise Refused([Blocker("no_secret", said)])
    path = reverse("hook") if instance.name == DEFAULT else reverse("instance_hook", args=[instance.name])
    return f"{settings.PORTAL_URL}{path}"


def _check_hooks(instance: GitLabInstance, by: Actor, said: dict[str, Any]) -> str:
    findings = hooks.check(instance, _hook_address(instance))
    wrong = [f"{one.project}: {one.state}. {one.words}".strip() for one in findings if not one.is_well]
    if wrong:
        raise Refused([Blocker("hooks", words) for words in wrong])
    if not findings:
        return _("No project is followed yet.")
    return _("All webhooks are well.")


READ = (Bulk("read", gettext_lazy("Read now"), _read_soon, Role.MANAGER, would=_would_read),)
INSTANCES = (
    Bulk("sync", gettext_lazy("Read all of it now"), _read_whole, Role.MANAGER, would=_would_read),
    Bulk("check_hooks", gettext_lazy("Check webhooks"), _check_hooks, would=_would_check),
)


# People and tokens


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[(role.value, role.value) for role in Role if role is not Role.VIEWER],
        help_text=gettext_lazy("Everybody who is signed in is a viewer."),
    )


def _give_role(person: Any, by: Actor, said: dict[str, Any]) -> str:
    people.give_role(person, Role(said["role"]), by=by)
    return _("%(person)s is %(role)s.") % {"person": person, "role": said["role"]}


def _take_role(person: Any, by: Actor, said: dict[str, Any]) -> str:
    people.take_role(person, Role(said["role"]), by=by)
    return _("%(person)s is no longer %(role)s.") % {"person": person, "role": said["role"]}


def _roles_now(person: Any, by: Actor, said: dict[str, Any]) -> str:
    names = ", ".join(sorted(group.name for group in person.groups.all())) or Role.VIEWER.value
    return _("Now: %(roles)s.") % {"roles": names}


PEOPLE = (
    Bulk("give_role", gettext_lazy("Give a role"), _give_role, asks=RoleForm, would=_roles_now),
    Bulk("take_role", gettext_lazy("Take a role"), _take_role, asks=RoleForm, would=_roles_now, is_danger=True),
)


def _revoke(token: Any, by: Actor, said: dict[str, Any]) -> str:
    tokens.revoke(token, by)
    return _("It opens nothing any more.")


TOKENS = (
    Bulk(
        "revoke",
        gettext_lazy("Revoke API tokens"),
        _revoke,
        None,
        gettext_lazy("A revoked token stays revoked. Scripts that use it stop working at once."),
        is_danger=True,
    ),
)


def _end_feeds(key: Any, by: Actor, said: dict[str, Any]) -> str:
    feed_keys.end(key.person, by=by)
    return _("Their addresses open nothing any more.")


FEEDS = (
    Bulk(
        "end",
        gettext_lazy("Switch feeds off"),
        _end_feeds,
        None,
        gettext_lazy("Calendars and feed readers get nothing any more, until the person makes other addresses."),
        is_danger=True,
    ),
)
