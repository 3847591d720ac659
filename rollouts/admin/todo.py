"""What needs an admin now, in sentences with the place that clears each. Constant queries, whatever the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import (
    AIModel,
    ChecklistItem,
    FeatureFlag,
    HookDelivery,
    Outcome,
    Override,
    OwedMail,
    PlanTemplate,
    Rollout,
    clock,
)
from ..rules.blockers import in_words
from ..rules.document import DocumentRefused
from ..rules.expected import Presence
from ..rules.phrases import spoken
from ..rules.user_names import taken_for_others
from ..services.freshness import is_stale
from ..sync import copies, mailing, senders, status
from ..sync.status import InstanceStatus

#: How long ahead the end of a model that is live is told.
SOON = timedelta(days=90)
LATELY = timedelta(days=1)
MOST_NAMES = 3
TOKEN_REFUSED = (Outcome.UNAUTHORIZED, Outcome.FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Concern:
    """``look`` is stop (something does not work), wait (it will not for long) or rest (worth tidying)."""

    look: str
    words: str
    url: str
    do: str

    @property
    def rank(self) -> int:
        return ("stop", "wait", "rest").index(self.look)


def concerns() -> list[Concern]:
    """What does not work first."""
    now = clock.now()
    found = [
        *(one for instance in status.of_all() for one in _instance(instance, now)),
        *_hooks(now),
        *_overrides(now),
        *_models(now),
        *_templates(),
        *_flags(),
        *_people(),
        *_copies(),
        *_mails(now),
    ]
    return sorted(found, key=lambda concern: concern.rank)


def _instance(stands: InstanceStatus, now: datetime) -> Iterator[Concern]:
    """The token, whether it answers, how old the readings are, and what could not be written."""
    instance, sync = stands.instance, reverse("portal:sync")
    edit = reverse("admin:rollouts_gitlabinstance_change", args=[instance.pk])
    if unasked := instance.why_not_asked:
        yield Concern("stop", spoken(unasked), edit, _("See the instance"))
        return
    if not instance.token:
        words = _("%(name)s has no token: set %(variable)s.") % {"name": instance, "variable": instance.token_variable}
        yield Concern("stop", words, edit, _("See the instance"))
    if stands.token_warning:
        ended = stands.token_ends is not None and stands.token_ends <= now.date()
        yield Concern("stop" if ended else "wait", stands.token_warning, edit, _("See the instance"))
    refused = [_("its flags")] if instance.flags_outcome in TOKEN_REFUSED else []
    refused += [
        str(project)
        for project in stands.projects
        if (project.issues_outcome or project.flags_outcome) in TOKEN_REFUSED
    ]
    if instance.token and refused:
        words = _("%(name)s refuses our token for %(what)s.") % {"name": instance, "what": _names(refused)}
        yield Concern("stop", words, sync, _("See what it said"))
    if stands.wait is not None and stands.wait.why == "circuit" and not refused:
        words = _("%(name)s does not answer. %(words)s") % {"name": instance, "words": spoken(stands.trouble)}
        yield Concern("stop", words, sync, _("See the Sync page"))
    elif instance.flags_outcome in (Outcome.CONNECTION_REFUSED, Outcome.TIMEOUT, Outcome.SERVER_ERROR):
        values = {"name": instance, "words": spoken(instance.flags_words or instance.get_flags_outcome_display())}
        yield Concern("stop", _("%(name)s could not be read. %(words)s") % values, sync, _("See the Sync page"))
    elif instance.flags_read_at and is_stale(instance.flags_read_at, now):
        age = spoken(in_words(now - instance.flags_read_at, units=1))
        words = _("%(name)s was last read %(age)s ago: nothing can start. Do worker and beat run?")
        yield Concern("stop", words % {"name": instance, "age": age}, sync, _("See the Sync page"))
    if stands.owed.given_up:
        words = ngettext(
            "%(number)s write to %(name)s was given up: GitLab is not as it should be.",
            "%(number)s writes to %(name)s were given up: GitLab is not as it should be.",
            stands.owed.given_up,
        )
        url = reverse("admin:rollouts_gitlabwrite_changelist") + "?state__exact=given_up"
        yield Concern("stop", words % {"number": stands.owed.given_up, "name": instance}, url, _("Try again or cancel"))


def _hooks(now: datetime) -> Iterator[Concern]:
    failed = HookDelivery.objects.filter(state=HookDelivery.State.FAILED, received_at__gte=now - LATELY)
    by_instance = failed.order_by().values_list("instance__name").annotate(number=Count("pk"))
    for name, number in by_instance:
        words = ngettext(
            "%(number)s webhook delivery of %(name)s failed in the last day.",
            "%(number)s webhook deliveries of %(name)s failed in the last day.",
            number,
        )
        url = reverse("admin:rollouts_gitlabinstance_changelist")
        yield Concern("wait", words % {"number": number, "name": name}, url, _("Check its webhooks"))


def _overrides(now: datetime) -> Iterator[Concern]:
    overdue = Override.objects.filter(reviewed_at=None, due_at__lt=now).select_related("phase__rollout")
    titles = [f"{one.phase} · {one.phase.rollout}" for one in overdue[: MOST_NAMES + 1]]
    if titles:
        words = ngettext(
            "The review of an override is overdue: %(what)s.",
            "Reviews of overrides are overdue: %(what)s.",
            len(titles),
        )
        url = reverse("admin:rollouts_override_changelist") + "?review=overdue"
        yield Concern("stop", words % {"what": _names(titles)}, url, _("Close the review"))


def _copies() -> Iterator[Concern]:
    for copy in copies.standing():
        if copy.words:
            words = _("Checkpoints do not reach %(place)s: %(words)s") % {"place": copy.to, "words": spoken(copy.words)}
            yield Concern("stop", words, reverse("portal:proof"), _("See the copies"))


def _mails(now: datetime) -> Iterator[Concern]:
    """That none goes out, and whom none reaches."""
    for sender in senders.failing():
        words = _("No mail goes out: %(words)s") if sender.way == mailing.WAY else _("No chat is told: %(words)s")
        url = reverse("portal:sync") + "#telling"
        yield Concern("stop", words % {"words": spoken(sender.words)}, url, _("See the Sync page"))
    given_up = OwedMail.objects.filter(state=OwedMail.State.GIVEN_UP, ended_at__gte=now - LATELY)
    names = list(given_up.order_by().values_list("notice__person__username", flat=True).distinct()[: MOST_NAMES + 1])
    if names:
        words = _("These people could not be mailed: %(names)s. Are their addresses right?")
        url = reverse("admin:auth_user_changelist")
        yield Concern("stop", words % {"names": _names(names)}, url, _("See the people"))


def _models(now: datetime) -> Iterator[Concern]:
    """Models that users meet, or are about to, and that end soon."""
    ending = AIModel.objects.filter(deprecated_on__lte=(now + SOON).date()).order_by("deprecated_on", "name")
    going = ending.filter(rollouts__state__in=("draft", "underway", "completed")).distinct()
    for model in going[:MOST_NAMES]:
        assert model.deprecated_on is not None
        values = {"model": spoken(str(model)), "day": date_format(model.deprecated_on)}
        url = reverse("admin:rollouts_aimodel_change", args=[model.pk])
        if model.deprecated_on <= now.date():
            yield Concern("stop", _("%(model)s retired on %(day)s and is still rolled out.") % values, url, _("See it"))
        else:
            yield Concern("wait", _("%(model)s retires on %(day)s and is rolled out.") % values, url, _("See it"))


def _templates() -> Iterator[Concern]:
    """What can't be read, and items whose issue no template knows any more."""
    roles: dict[int, tuple[str, ...]] = {}
    for template in PlanTemplate.objects.all():
        try:
            roles[template.pk] = template.template.roles
        except DocumentRefused as refused:
            values = {"title": template.title, "words": spoken(str(refused.faults[0]))}
            url = reverse("admin:rollouts_plantemplate_change", args=[template.pk])
            words = _("The template %(title)s can't be read, so no rollout can be made from it. %(words)s") % values
            yield Concern("stop", words, url, _("Mend it"))
    used = (
        ChecklistItem.objects.filter(rollout__in=Rollout.objects.open())
        .exclude(role="")
        .order_by("role")
        .values_list("rollout__template_id", "role")
        .distinct()
    )
    unknown = sorted({role for pk, role in used if pk in roles and role not in roles[pk]})
    if unknown:
        words = _("Checklist items ask for issues that their template no longer has: %(roles)s.")
        url = reverse("admin:rollouts_checklistitem_changelist") + f"?q={unknown[0]}"
        yield Concern("wait", words % {"roles": _names(unknown)}, url, _("See the items"))


def _flags() -> Iterator[Concern]:
    """Flags that are on for somebody although no plan says so."""
    number = FeatureFlag.objects.filter(presence=Presence.SET.value, rollouts=None).count()
    if number:
        words = ngettext(
            "%(number)s flag is set in GitLab and belongs to no rollout.",
            "%(number)s flags are set in GitLab and belong to no rollout.",
            number,
        )
        url = reverse("admin:rollouts_featureflag_changelist") + "?plan=without&presence__exact=set"
        yield Concern("rest", words % {"number": number}, url, _("See the flags"))


def _people() -> Iterator[Concern]:
    without = User.objects.filter(is_active=True, is_superuser=False, groups=None).order_by("username")
    names = list(without.values_list("username", flat=True)[: MOST_NAMES + 1])
    if names:
        words = _("Without a role, so they only look: %(names)s.") % {"names": _names(names)}
        url = reverse("admin:auth_user_changelist") + "?role=none"
        yield Concern("rest", words, url, _("Give them a role"))
    if odd := taken_for_others(User.objects.filter(is_active=True).values_list("username", flat=True)):
        words = _("User names that may be taken for others: %(names)s. Switch them off and make others.")
        yield Concern(
            "wait", words % {"names": _names(odd)}, reverse("admin:auth_user_changelist"), _("See the people")
        )
    if settings.SECURE_PROXY_SSL_HEADER and not settings.TRUSTED_PROXIES:
        words = _(
            "TRUST_PROXY is on and TRUSTED_PROXIES is 0: all sign-ins come from the proxy's address, so one who "
            "guesses passwords locks everybody out. Say how many proxies there are."
        )
        url = reverse("admin:axes_accessattempt_changelist")
        yield Concern("wait", words, url, _("See failed sign-ins"))


def _names(names: list[str]) -> str:
    """The first few, and that there are more."""
    more = _(" and more") if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
