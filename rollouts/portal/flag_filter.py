"""The flags list: what its address asks for, and which flags are «ours»."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, Value, When

from ..models import FeatureFlag, Rollout
from ..models.flags import PRESENCES, FeatureFlagQuerySet
from ..rules.expected import Presence
from ..rules.health import release_day
from ..rules.lifetime import ROLLED_OUT, overdue_milestones
from .asking import PageQuery
from .sorting import ListFilter


@dataclass(frozen=True, slots=True)
class Known:
    """What all flags together say: the choices of the filters, and whose flags the portal's rollouts are."""

    types: list[str]
    groups: list[str]
    instances: list[tuple[int, str]]
    releases: set[tuple[str, str]]
    our_groups: dict[int, set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Known:
        """Two queries."""
        columns = ("instance_id", "instance__name", "type", "group", "milestone")
        rows = list(FeatureFlag.objects.order_by().values_list(*columns).distinct())
        carried = FeatureFlag.objects.carried().order_by().exclude(group="").values_list("instance_id", "group")
        ours: dict[int, set[str]] = defaultdict(set)
        for instance, group in carried:
            ours[instance].add(group)
        return cls(
            types=sorted({row[2] for row in rows} - {""}),
            groups=sorted({row[3] for row in rows} - {""}),
            instances=sorted({(row[0], row[1]) for row in rows}, key=lambda row: row[1]),
            releases={(row[2], row[4]) for row in rows if row[4]},
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
        exists = ~Q(presence=Presence.UNKNOWN.value)
        return ours & exists & Q(project=None, type__in=ROLLED_OUT, rollouts__isnull=True)


class FlagFilter(ListFilter):
    #: ``age`` is by the release that brought the flag. Usually what rolls out comes first.
    SORTS = {"rollout": "carried", "name": "name", "age": "released", "group": "group", "read": "reading__read_at"}
    USUAL = "-rollout"
    ASKED = ("q", "type", "group", "presence", "instance", "with", "age", "issue")

    @classmethod
    def read(cls, asked: PageQuery, known: Known) -> FlagFilter:
        choices: dict[str, Iterable[str]] = {
            "type": known.types,
            "group": known.groups,
            "instance": [name for _pk, name in known.instances],
            "presence": [value for value, _words in PRESENCES],
            "with": ("rollout", "none", "ours"),
            "age": ("overdue",),
            "issue": ("missing",),
        }
        return cls.of(asked, choices)

    def flags(self, known: Known, now: datetime) -> FeatureFlagQuerySet:
        """The flags that fit, in order."""
        found, asked = FeatureFlag.objects.for_list(), self.asked
        if asked["q"]:
            found = found.filter(Q(name__icontains=asked["q"]) | Q(description__icontains=asked["q"]))
        if asked["type"]:
            found = found.filter(type=asked["type"])
        if asked["group"]:
            found = found.filter(group=asked["group"])
        if asked["presence"]:
            found = found.filter(_present(asked["presence"]))
        if asked["instance"]:
            found = found.filter(instance__name=asked["instance"])
        if asked["with"]:
            found = found.filter(self._by_rollout(known))
        if asked["age"] == "overdue":
            found = found.filter(_overdue(known, now))
        if asked["issue"] == "missing":
            found = found.filter(without_rollout_issue())
        return self._in_order(found, known)

    def _by_rollout(self, known: Known) -> Q:
        carried = Q(pk__in=FeatureFlag.objects.carried().values("pk"))
        match self.asked["with"]:
            case "rollout":
                return carried
            case "none":
                return ~carried
            case "ours":
                return known.without_a_plan()
            case _:
                return Q(pk__in=[])

    def _in_order(self, flags: FeatureFlagQuerySet, known: Known) -> FeatureFlagQuerySet:
        key = self.SORTS[self.sort.removeprefix("-")]
        if key == "carried":
            flags = flags.annotate(carried=Exists(Rollout.objects.filter(flag=OuterRef("pk"))))
        if key == "released":
            flags = flags.annotate(released=_released(known))
        by = F(key).desc(nulls_last=True) if self.sort.startswith("-") else F(key).asc(nulls_last=True)
        return flags.order_by(by, "name", "environment", "pk")


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


def without_rollout_issue() -> Q:
    """Definitions that name no rollout issue, though GitLab wants one for their type."""
    return Q(project=None, type__in=ROLLED_OUT, rollout_issue_url="") & ~Q(presence=Presence.UNKNOWN.value)


def presences() -> list[tuple[str, str]]:
    return PRESENCES


def _overdue(known: Known, now: datetime) -> Q:
    """Flags that have outlived their type and still exist, as far as GitLab was read."""
    old = Q(pk__in=[])
    for flag_type, milestones in overdue_milestones(known.releases, now).items():
        old |= Q(type=flag_type, milestone__in=sorted(milestones))
    return old & ~Q(presence=Presence.UNKNOWN.value)


def _released(known: Known) -> Case:
    """The release that brought a flag as a number that grows with time: texts sort 18.10 before 18.9."""
    days = {milestone: born.toordinal() for _, milestone in known.releases if (born := release_day(milestone))}
    cases = [When(milestone=milestone, then=Value(-day)) for milestone, day in sorted(days.items())]
    return Case(*cases, default=Value(None), output_field=IntegerField())
