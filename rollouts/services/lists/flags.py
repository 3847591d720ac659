"""Feature flags, and which of them are «ours»."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from ...models import FeatureFlag, Rollout, clock
from ...models.flags import PRESENCES, FeatureFlagQuerySet
from ...models.keyset import Keyset
from ...rules.expected import Presence
from ...rules.health import release_day
from ...rules.lifetime import ROLLED_OUT, overdue_milestones
from .asked import OneOf, Shown, Sorted, Text, in_any

BY_NAME = Keyset("flags", {"name": str, "pk": int})


@dataclass(frozen=True, slots=True)
class AllFlags:
    """What all flags together say: the choices of the filters, and whose flags the portal's rollouts are."""

    types: list[str]
    groups: list[str]
    instances: list[str]
    releases: set[tuple[str, str]]
    our_groups: dict[int, set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> AllFlags:
        """Two queries."""
        said = ("instance__name", "type", "group", "milestone")
        rows = list(FeatureFlag.objects.order_by().values_list(*said).distinct())
        carried = FeatureFlag.objects.carried().order_by().exclude(group="").values_list("instance_id", "group")
        ours: dict[int, set[str]] = defaultdict(set)
        for instance, group in carried:
            ours[instance].add(group)
        return cls(
            types=sorted({row[1] for row in rows} - {""}),
            groups=sorted({row[2] for row in rows} - {""}),
            instances=sorted({row[0] for row in rows}),
            releases={(row[1], row[3]) for row in rows if row[3]},
            our_groups=dict(ours),
        )

    def lacks_a_plan(self, flag: FeatureFlag) -> bool:
        """Whether a flag is of ours without a plan: see ``without_a_plan``. ``flag`` comes from ``for_list()``."""
        return (
            flag.project_id is None
            and flag.type in ROLLED_OUT
            and flag.presence != Presence.UNKNOWN
            and flag.group in self.our_groups.get(flag.instance_id, ())
            and not flag.rollouts.all()
        )

    def without_a_plan(self) -> Q:
        """Flags of ours without a plan.

        Ours: the definition names a group that already has a flag carried by a rollout, on the same GitLab. Without a
        plan: no rollout carries it, though it is of a type that GitLab rolls out (``ROLLED_OUT``) and still exists.
        """
        ours = Q(pk__in=[])
        for instance, groups in self.our_groups.items():
            ours |= Q(instance=instance, group__in=sorted(groups))
        return ours & EXISTS & Q(project=None, type__in=ROLLED_OUT, rollouts__isnull=True)


#: As far as GitLab was read.
EXISTS = ~Q(presence=Presence.UNKNOWN.value)
#: Definitions that name no rollout issue, though GitLab wants one for their type.
WITHOUT_ISSUE = EXISTS & Q(project=None, type__in=ROLLED_OUT, rollout_issue_url="")


class FlagFilter(Sorted):
    #: ``age`` is by the release that brought the flag. Usually what rolls out comes first.
    SORTS = {"rollout": "carried", "name": "name", "age": "released", "group": "group", "read": "reading__read_at"}
    THEN = ("name", "environment", "pk")

    q = Text(method="search", help_text="In the flag's name or description.")
    type = OneOf(lambda asked: asked.known.types, help_text="As the flag's definition says.")
    group = OneOf(lambda asked: asked.known.groups, help_text="The team, as the flag's definition says.")
    presence = OneOf(
        [value for value, _words in PRESENCES], method="present", help_text="What GitLab knows of the flag."
    )
    instance = OneOf(
        lambda asked: asked.known.instances, field_name="instance__name", help_text="Short name of the GitLab instance."
    )
    with_ = OneOf(
        ("rollout", "none", "ours"),
        method="carried",
        help_text="With a rollout, without one, or of a team that rolls out AI models and without one.",
    )
    age = OneOf(("overdue",), method="overdue", help_text="Overdue: those that have outlived their type.")
    issue = OneOf(("missing",), method="unlinked", help_text="Missing: definitions that name no rollout issue.")
    sort = Shown(lambda asked: asked.sorts(), usual="-rollout")

    def __init__(self, query: Any, **kwargs: Any) -> None:
        super().__init__(query, FeatureFlag.objects.for_list(), **kwargs)

    @cached_property
    def known(self) -> AllFlags:
        return AllFlags.read()

    def search(self, flags: FeatureFlagQuerySet, name: str, text: str) -> FeatureFlagQuerySet:
        return flags.filter(in_any(("name", "description"), text))

    def present(self, flags: FeatureFlagQuerySet, name: str, presence: str) -> FeatureFlagQuerySet:
        return flags.filter(_present(presence))

    def carried(self, flags: FeatureFlagQuerySet, name: str, what: str) -> FeatureFlagQuerySet:
        if what == "ours":
            return flags.filter(self.known.without_a_plan())
        carried = Q(pk__in=FeatureFlag.objects.carried().values("pk"))
        return flags.filter(carried if what == "rollout" else ~carried)

    def overdue(self, flags: FeatureFlagQuerySet, name: str, what: str) -> FeatureFlagQuerySet:
        """Those that have outlived their type and still exist."""
        old = Q(pk__in=[])
        for flag_type, milestones in overdue_milestones(self.known.releases, clock.now()).items():
            old |= Q(type=flag_type, milestone__in=sorted(milestones))
        return flags.filter(old & EXISTS)

    def unlinked(self, flags: FeatureFlagQuerySet, name: str, what: str) -> FeatureFlagQuerySet:
        return flags.filter(WITHOUT_ISSUE)

    def with_key(self, rows: QuerySet[Any], key: str) -> QuerySet[Any]:
        match key:
            case "carried":
                return rows.annotate(carried=Exists(Rollout.objects.filter(flag=OuterRef("pk"))))
            case "released":
                return rows.annotate(released=self._released())
        return rows

    def _released(self) -> Case:
        """The release that brought a flag as a number that grows with time: texts sort 18.10 before 18.9."""
        releases = self.known.releases
        days = {milestone: born.toordinal() for _, milestone in releases if (born := release_day(milestone))}
        cases = [When(milestone=milestone, then=Value(-day)) for milestone, day in sorted(days.items())]
        return Case(*cases, default=Value(None), output_field=IntegerField())


def _present(presence: str) -> Q:
    """As ``FeatureFlag.as_listed`` says it: what GitLab's list does not name stands at its default."""
    never_set = Q(presence=Presence.UNREAD.value, project=None, instance__flags_read_at__isnull=False)
    absent = never_set & ~Q(pk__in=FeatureFlag.objects.carried().order_by().values("pk"))
    match presence:
        case Presence.UNSET_OFF | Presence.UNSET_ON:
            return Q(presence=presence) | absent & Q(default_enabled=presence == Presence.UNSET_ON)
        case Presence.UNREAD:
            return Q(presence=presence) & ~(absent & Q(default_enabled__isnull=False))
    return Q(presence=presence)
