"""What can be done to many rows of a list at once. Each entry is one service, called once for each row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..audit.actor import Actor
from ..models import Phase, Rollout
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say, spoken
from ..rules.waivers import VERB_LABELS
from ..services import calendars, checklist, facts, locks, outbox, overrides, retirement, transitions, waivers
from ..services.refusals import Refused
from .bulk import Bulk, Does, ReasonForm
from .fields import bounded

# Rollouts


def _live_phases(rollout: Rollout, verb: str) -> list[Phase]:
    whole = Rollout.objects.for_rules().get(pk=rollout.pk)
    phases = facts.newest_attempts(whole)
    if verb == "withdraw":
        return [phase for phase in phases if phase.standing_requests]
    return [phase for phase in phases if phase.state == "active"]


def _withdraw(rollout: Rollout, by: Actor, inputs: dict[str, Any]) -> str:
    return _on_phases(rollout, "withdraw", by, inputs, _("No request of it is open."))


def _pause(rollout: Rollout, by: Actor, inputs: dict[str, Any]) -> str:
    return _on_phases(rollout, "pause", by, inputs, _("No phase of it is active."))


def _on_phases(rollout: Rollout, verb: str, by: Actor, inputs: dict[str, Any], when_none: str) -> str:
    phases = _live_phases(rollout, verb)
    if not phases:
        raise Refused([Blocker("nothing_to_do", when_none)])
    _refuse_if_changed(inputs["stood"], _phases_stand(rollout))
    for phase in phases:
        transitions.perform(verb, phase, by=by, reason=inputs["reason"], seen=phase.version)
    names = ", ".join(spoken(str(phase)) for phase in phases)
    if verb == "pause":
        return _("%(phases)s is paused; who sees the model stays as it is.") % {"phases": names}
    return _("The request for %(phases)s is withdrawn.") % {"phases": names}


def _phases_stand(rollout: Rollout) -> str:
    """Each phase's newest attempt with its version: what was looked at."""
    phases = facts.newest_attempts(Rollout.objects.for_rules().get(pk=rollout.pk))
    return " ".join(f"{phase.pk}:{phase.version}" for phase in phases)


def _refuse_if_changed(stood: str, stands: str) -> None:
    if stood != stands:
        message = _("It has changed since this page showed it. Choose it again and look.")
        raise Refused([Blocker("changed_meanwhile", message)])


def _abandon(rollout: Rollout, by: Actor, inputs: dict[str, Any]) -> str:
    _refuse_if_changed(inputs["stood"], _phases_stand(rollout))
    transitions.perform_on_rollout("abandon", rollout, by=by, reason=inputs["reason"])
    return _("It is abandoned, for good.")


ROLLOUTS = (
    Bulk(
        "withdraw",
        gettext_lazy("Withdraw open requests"),
        _withdraw,
        Role.MANAGER,
        gettext_lazy("What was asked for goes back to planned. Approvals that were given count no longer."),
        ReasonForm,
        stands=_phases_stand,
    ),
    Bulk(
        "pause",
        gettext_lazy("Pause active phases"),
        _pause,
        Role.MANAGER,
        gettext_lazy("A paused phase goes no further. It narrows nothing: to take the model away, roll back."),
        ReasonForm,
        stands=_phases_stand,
    ),
    Bulk(
        "abandon",
        gettext_lazy("Abandon rollouts"),
        _abandon,
        Role.MANAGER,
        gettext_lazy("An abandoned rollout is over. It can't be planned anew."),
        ReasonForm,
        is_danger=True,
        stands=_phases_stand,
    ),
)


# Requests, overrides, checklist


def _withdraw_request(request: Any, by: Actor, inputs: dict[str, Any]) -> str:
    return _answer(request, "withdraw", by, inputs)


def _reject_request(request: Any, by: Actor, inputs: dict[str, Any]) -> str:
    return _answer(request, "reject", by, inputs)


def _answer(request: Any, verb: str, by: Actor, inputs: dict[str, Any]) -> str:
    if request.state not in ("open", "granted"):
        raise Refused(
            [Blocker("ended", _("The request has ended: %(state)s.") % {"state": request.get_state_display()})]
        )
    _refuse_if_changed(inputs["stood"], _request_stands(request))
    looked_at, _sep, _round = inputs["stood"].partition(" ")
    transitions.perform(verb, request.phase, by=by, reason=inputs["reason"], looked_at=looked_at, request=request.pk)
    return _("The phase is planned again.") if request.is_start else _("The phase stays at its step.")


def _request_stands(request: Any) -> str:
    """The digest of what it asks for now, and its round."""
    return f"{transitions.digest_of(request.phase.rollout, request.phase.name) or request.digest} {request.round}"


REQUESTS = (
    Bulk(
        "withdraw",
        gettext_lazy("Withdraw requests"),
        _withdraw_request,
        Role.MANAGER,
        asks=ReasonForm,
        stands=_request_stands,
    ),
    Bulk(
        "reject",
        gettext_lazy("Reject requests"),
        _reject_request,
        Role.APPROVER,
        asks=ReasonForm,
        is_danger=True,
        stands=_request_stands,
    ),
)


class VerdictForm(forms.Form):
    verdict = forms.CharField(
        label=gettext_lazy("What the review found"), max_length=5000, widget=forms.Textarea(attrs={"rows": 3})
    )
    tried_with = {"verdict": "-"}


def _review(override: Any, by: Actor, inputs: dict[str, Any]) -> str:
    overrides.review(override, by=by, verdict=inputs["verdict"])
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


def _decides(verb: str) -> Does:
    def does(waiver: Any, by: Actor, inputs: dict[str, Any]) -> str:
        waivers.decide(verb, waiver, by=by, note=inputs.get("reason", ""))
        return spoken(say("{verb}: {what}.", verb=VERB_LABELS[verb], what=waiver))

    return does


def _granted(waiver: Any, by: Actor, inputs: dict[str, Any]) -> str:
    _refuse_if_changed(inputs["stood"], _waiver_stands(waiver))
    return _decides("grant")(waiver, by, inputs)


def _waiver_stands(waiver: Any) -> str:
    return f"{waiver.pk}:{waiver.version}"


WAIVERS = (
    Bulk("grant", VERB_LABELS["grant"], _granted, None, stands=_waiver_stands),
    Bulk("refuse", VERB_LABELS["refuse"], _decides("refuse"), None, asks=ReasonForm, is_danger=True),
    Bulk("withdraw", VERB_LABELS["withdraw"], _decides("withdraw"), Role.MANAGER),
    Bulk("end", VERB_LABELS["end"], _decides("end"), Role.MANAGER, asks=ReasonForm, is_danger=True),
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
    tried_with = {"evidence": "-", "channel": "-"}


def _confirm(item: Any, by: Actor, inputs: dict[str, Any]) -> str:
    checklist.confirm(item, by=by, evidence=inputs["evidence"], channel=inputs["channel"])
    return _("It is confirmed with this evidence.")


def _unconfirm(item: Any, by: Actor, inputs: dict[str, Any]) -> str:
    checklist.unconfirm(item, by=by, reason=inputs["reason"])
    return _("Its confirmation is taken back. Approvals that rested on it are asked for again.")


ITEMS = (
    Bulk("confirm", gettext_lazy("Confirm with evidence"), _confirm, Role.MANAGER, asks=EvidenceForm),
    Bulk("unconfirm", gettext_lazy("Take confirmations back"), _unconfirm, Role.MANAGER, asks=ReasonForm),
)


# Change locks and the outbox


def _end_lock(lock: Any, by: Actor, inputs: dict[str, Any]) -> str:
    locks.end(lock, by=by, reason=inputs["reason"])
    return _("It locks no longer.")


def _remove_calendar(calendar: Any, by: Actor, inputs: dict[str, Any]) -> str:
    calendars.remove_calendar(calendar, by=by, reason=inputs["reason"])
    return _("Its periods lock no longer.")


LOCKS = (Bulk("end", gettext_lazy("End change locks now"), _end_lock, Role.MANAGER, asks=ReasonForm),)
CALENDARS = (
    Bulk("remove", gettext_lazy("Remove calendars"), _remove_calendar, asks=ReasonForm, is_danger=True),
)  # fmt: skip


def _again(write: Any, by: Actor, inputs: dict[str, Any]) -> str:
    outbox.again(write, by=by)
    return _("It is tried again.")


def _cancel(write: Any, by: Actor, inputs: dict[str, Any]) -> str:
    outbox.cancel(write, by=by, reason=inputs["reason"])
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
        validators=[bounded],
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Today: it is retired. Empty: the day is taken back."),
    )
    begin_with = {"day": timezone.localdate}
    tried_with: dict[str, Any] = {"day": None}


def _retire(model: Any, by: Actor, inputs: dict[str, Any]) -> str:
    retirement.retire(model, inputs["day"], by=by)
    if inputs["day"] is None:
        return _("Its day of retirement is taken back.")
    return _("It retires on %(day)s.") % {"day": date_format(inputs["day"])}


def _would_retire(model: Any, by: Actor, inputs: dict[str, Any]) -> str:
    now = _("now %(day)s") % {"day": date_format(model.deprecated_on)} if model.deprecated_on else _("no day now")
    live = [rollout.title for rollout in model.rollouts.filter(state="underway")]
    warning = " " + _("It is going live in %(rollouts)s.") % {"rollouts": ", ".join(live)} if live else ""
    return _("It gets the day below (%(now)s).") % {"now": now} + warning


MODELS = (
    Bulk("retire", gettext_lazy("Set the day of retirement"), _retire, asks=RetirementForm, would=_would_retire),
)  # fmt: skip
