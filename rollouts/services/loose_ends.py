"""Loose ends: what nobody looks at while it goes well, and that stays behind. For page, API and command.

Each kind is one question to the database, answered by rows of a few words; no title of an issue, for some are
confidential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.urls import reverse

from ..models import AIModel, ChecklistItem, FeatureFlag, Phase, PlanTemplate, Rollout, RolloutIssue
from ..rules.checklist import ItemKind
from ..rules.document import DocumentRefused
from ..rules.expected import Presence
from ..rules.lifetime import overdue_milestones
from ..rules.machine import IN_FLIGHT, PhaseState, RolloutState
from ..rules.phrases import Phrase, listed, say
from ..rules.retirement import NEAR_DAYS
from ..rules.template import Template
from .lists.flags import EXISTS, WITHOUT_ISSUE, AllFlags
from .lists.models import live

#: So many of each kind are told; how many there are is told whole.
MOST = 50
#: Rollouts that nobody need keep in step with a template any more.
OVER = (RolloutState.COMPLETED, RolloutState.CLOSED, RolloutState.ABANDONED)
BEGUN = (PhaseState.ACTIVE, PhaseState.PAUSED, PhaseState.COMPLETED)
User = get_user_model()


@dataclass(frozen=True, slots=True)
class End:
    """One loose end: whose it is, in words; ``url`` leads to it, ``cure_url`` to the button or form that ends it."""

    title: str
    words: Phrase
    url: str
    cure: Phrase
    cure_url: str
    rollout: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    name: str
    title: Phrase
    count: int
    ends: tuple[End, ...]

    def as_json(self) -> dict[str, Any]:
        ends = [
            {
                "title": end.title,
                "words": str(end.words),
                "rollout": end.rollout or None,
                "url": end.url,
                "cure": str(end.cure),
                "cure_url": end.cure_url,
            }
            for end in self.ends
        ]
        return {"kind": self.name, "title": str(self.title), "count": self.count, "items": ends}


def find(now: datetime) -> tuple[Kind, ...]:
    """Every kind, those without any too. The number of queries does not grow with the rows."""
    known = AllFlags.read()
    return (
        _of("flag_without_issue", say("Flags of ours whose definition names no rollout issue"),
            FeatureFlag.objects.filter(WITHOUT_ISSUE & _ours(known)).order_by("name", "pk"), _flag_without_issue),
        _of("flag_gone", say("Rollouts whose flag GitLab does not know any more"), _flags_gone(), _flag_gone),
        _of("no_feedback_issue", say("Phases without their feedback issue"), _without_feedback(), _no_feedback),
        _of("reopened", say("Items that were done, whose issue is open again"), _reopened(), _is_reopened),
        _of("closed_early", say("Closed issues whose item is open"), _closed_early(), _is_closed_early),
        _of("flag_overdue", say("Flags of ours past their lifetime"), _overdue(known, now), _is_overdue),
        _of("owner_left", say("Open rollouts whose owner left"), _owners_left(), _owner_left),
        _of("model_retires", say("AI models that retire while they are in use"), _retiring(now), _retires),
        _differing(),
    )  # fmt: skip


def _of(name: str, title: Phrase, rows: QuerySet[Any], tell: Callable[[Any], End]) -> Kind:
    shown = tuple(tell(row) for row in rows[: MOST + 1])
    return Kind(name, title, rows.count() if len(shown) > MOST else len(shown), shown[:MOST])


def _ours(known: AllFlags) -> Q:
    """Carried by a rollout, or of a group that has one that is."""
    ours = Q(pk__in=FeatureFlag.objects.carried().values("pk"))
    for instance, groups in known.our_groups.items():
        ours |= Q(instance=instance, group__in=sorted(groups))
    return ours


def _flag_end(flag: FeatureFlag, words: Phrase, cure: Phrase, cure_url: str = "") -> End:
    url = reverse("portal:flag", args=[flag.pk])
    return End(flag.name, words, url, cure, cure_url or url)


def _flag_without_issue(flag: FeatureFlag) -> End:
    words = say("GitLab wants a rollout issue for flags of type {type}.", type=flag.type)
    return _flag_end(flag, words, say("Name it in the definition"), flag.introduced_by_url)


def _flags_gone() -> QuerySet[Rollout]:
    rows = Rollout.objects.open().filter(flag__presence=Presence.UNKNOWN.value).exclude(state=RolloutState.COMPLETED)
    return rows.select_related("flag").order_by("title", "pk")


def _rollout_end(rollout: Rollout, words: Phrase, cure: Phrase, cure_url: str) -> End:
    return End(rollout.title, words, rollout.get_absolute_url(), cure, cure_url, rollout.slug)


def _flag_gone(rollout: Rollout) -> End:
    words = say("GitLab does not know the flag {flag}.", flag=rollout.flag.name)
    return _rollout_end(rollout, words, say("Abandon it, or bring the flag back"), rollout.get_absolute_url())


def _items(*kinds: ItemKind) -> QuerySet[ChecklistItem]:
    rows = ChecklistItem.objects.filter(kind__in=[kind.value for kind in kinds], rollout__in=Rollout.objects.open())
    return rows.select_related("rollout", "phase").order_by("rollout__title", "position", "pk")


def _linked(**issue: Any) -> Exists:
    """That the item's issue, the phase's own or else the rollout's, is so."""
    links = RolloutIssue.objects.filter(rollout=OuterRef("rollout"), role=OuterRef("role"))
    own = links.filter(phase_name=OuterRef("phase__name"))
    wanted = {f"issue__{name}": value for name, value in issue.items()}
    shared = links.filter(~Exists(RolloutIssue.objects.filter(_same_role())), phase_name="", **wanted)
    return Exists(own.filter(**wanted)) | Exists(shared)  # type: ignore[return-value]


def _same_role() -> Q:
    """Of a link of the whole rollout: that the phase of the item has one of its own."""
    return Q(rollout=OuterRef("rollout"), role=OuterRef("role"), phase_name=OuterRef(OuterRef("phase__name")))


def _without_feedback() -> QuerySet[ChecklistItem]:
    about = _items(ItemKind.ISSUE, ItemKind.ISSUE_CLOSED, ItemKind.TASKS_DONE)
    return about.filter(~_linked(found=True), role__endswith="feedback", phase__state__in=sorted(IN_FLIGHT))


def _item_end(item: ChecklistItem, words: Phrase, cure: Phrase, cure_url: str = "") -> End:
    rollout = item.rollout
    where = f"{rollout.get_absolute_url()}#item-{item.phase.name if item.phase else 'rollout'}-{item.key}"
    return End(rollout.title, words, where, cure, cure_url or where, rollout.slug)


def _no_feedback(item: ChecklistItem) -> End:
    assert item.phase is not None
    words = say("{phase} is under way, and no issue gathers its feedback.", phase=item.phase.title)
    return _item_end(item, words, say("Link it in the plan"), _plan_of(item.rollout))


def _reopened() -> QuerySet[ChecklistItem]:
    """Past their gate; only an issue that must be closed was done by being so."""
    past = Q(gate="start", phase__state__in=BEGUN) | Q(phase__state=PhaseState.COMPLETED)
    past |= Q(phase=None, rollout__state__in=(RolloutState.UNDERWAY, RolloutState.COMPLETED))
    return _items(ItemKind.ISSUE_CLOSED).filter(past, _linked(found=True, state="opened"))


def _is_reopened(item: ChecklistItem) -> End:
    words = say("{item}: it was done, and its issue is open again.", item=item.title)
    return _item_end(item, words, say("Look at the issue"))


def _closed_early() -> QuerySet[ChecklistItem]:
    undone = _linked(found=True, state="closed", task_done__lt=F("issue__task_count"))
    listless = _linked(found=True, state="closed", task_count=0)
    return _items(ItemKind.TASKS_DONE).filter(undone | listless)


def _is_closed_early(item: ChecklistItem) -> End:
    words = say("{item}: its issue is closed, and its task list is not done.", item=item.title)
    return _item_end(item, words, say("Look at the issue"))


def _overdue(known: AllFlags, now: datetime) -> QuerySet[FeatureFlag]:
    old = Q(pk__in=[])
    for flag_type, milestones in overdue_milestones(known.releases, now).items():
        old |= Q(type=flag_type, milestone__in=sorted(milestones))
    return FeatureFlag.objects.filter(old & EXISTS & _ours(known)).order_by("name", "pk")


def _is_overdue(flag: FeatureFlag) -> End:
    words = say("It came with {milestone}: flags of type {type} do not live so long.", milestone=flag.milestone,
                type=flag.type)  # fmt: skip
    return _flag_end(flag, words, say("Remove it from the code, then its record"))


def _owners_left() -> QuerySet[Rollout]:
    names = User._default_manager.filter(is_active=False).values_list("username", flat=True)
    return Rollout.objects.open().owned_by(*names).order_by("title", "pk")


def _owner_left(rollout: Rollout) -> End:
    gone = set(User._default_manager.filter(is_active=False).values_list("username", flat=True)) & {*rollout.owners}
    words = say("{names} left.", names=listed(sorted(gone)))
    return _rollout_end(rollout, words, say("Name another owner in the plan"), _plan_of(rollout))


def _retiring(now: datetime) -> QuerySet[AIModel]:
    soon = (now + timedelta(days=NEAR_DAYS)).date()
    return AIModel.objects.filter(live(), deprecated_on__lte=soon).order_by("deprecated_on", "name", "pk")


def _retires(model: AIModel) -> End:
    url = reverse("portal:model", args=[model.slug])
    words = say("It retires on {day}, and is live.", day=str(model.deprecated_on))
    return End(str(model), words, url, say("Plan what replaces it"), f"{reverse('portal:new_rollout')}")


def _plan_of(rollout: Rollout) -> str:
    return reverse("portal:plan", args=[rollout.slug])


# Templates that differ from what rollouts run on


def _differing() -> Kind:
    """Rollouts whose phases or items are not those that their template has now."""
    ends = list(_differ())
    title = say("Templates that differ from what rollouts run on")
    return Kind("template_differs", title, len(ends), tuple(ends[:MOST]))


def _differ() -> Iterator[End]:
    templates = dict(_parsed())
    open_ones = Rollout.objects.exclude(state__in=OVER).order_by("title", "pk").select_related("template")
    items = ChecklistItem.objects.filter(rollout__in=open_ones.values("pk")).exclude(kind=ItemKind.CRITERION.value)
    newest = ~Exists(
        Phase.objects.filter(
            rollout=OuterRef("rollout"), name=OuterRef("phase__name"), attempt__gt=OuterRef("phase__attempt")
        )
    )
    asked: dict[int, set[tuple[Any, ...]]] = {}
    rows = items.filter(newest).order_by("rollout_id")
    for pk, *item in rows.values_list("rollout_id", "phase__name", "key", "kind", "gate", "required", "role"):
        asked.setdefault(pk, set()).add(tuple(item))
    for rollout in open_ones.defer("template__document"):
        template = templates.get(rollout.template_id)
        if template is None:
            continue
        known = _asked_by(template)
        has = asked.get(rollout.pk, set())
        if keys := sorted({item[1] for item in known ^ has}):
            words = say("{template} has changed since: {items}.", template=template.title, items=", ".join(keys[:5]))
            yield _rollout_end(rollout, words, say("See the template"), _template_of(rollout))


def _template_of(rollout: Rollout) -> str:
    return reverse("admin:rollouts_plantemplate_change", args=[rollout.template_id])


def _parsed() -> Iterator[tuple[int, Template]]:
    for row in PlanTemplate.objects.all():
        try:
            yield row.pk, row.template
        except DocumentRefused:  # the admin's first page tells of it
            continue


def _asked_by(template: Template) -> set[tuple[Any, ...]]:
    return {
        (item.phase, item.key, item.kind.value, item.gate.value, item.required, item.role) for item in template.items
    }
