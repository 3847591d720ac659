"""A rollout: one AI model going live behind one feature flag, according to a plan."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import (
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    FilteredRelation,
    Min,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.approvals import STANDING
from ..rules.expected import Audience, Drift
from ..rules.machine import LIVE, OVER, RolloutState, state_in_words
from ..rules.waivers import WaiverState
from .approvals import Approval, Override
from .catalogue import AIModel, PlanTemplate
from .change_log import AuditedModel
from .checklist import ChecklistItem
from .drift import DriftCase
from .flags import FeatureFlag
from .gitlab import TrackedIssue
from .guarded import GuardedModel, GuardedQuerySet
from .in_a_list import InAList
from .orders import RolloutOrder, Told
from .phases import Phase, RampStep

R = RolloutState
SLUG = RegexValidator(r"^[a-z0-9]+(?:[-_][a-z0-9]+)*$", _("Lower-case letters, digits, single - and _ between them."))
STATES = [(state.value, state_in_words(state)) for state in RolloutState]
#: Since when it is in a state, and the states in which that holds.
LASTING = {"completed_at": (R.COMPLETED, R.CLOSED), "abandoned_at": (R.ABANDONED,), "closed_at": (R.CLOSED,)}
DRIFTS = [(kind.value, kind.words) for kind in Drift]


class RolloutQuerySet(GuardedQuerySet):
    def whole(self) -> RolloutQuerySet:
        """Rollouts with all that rules and pages need; the number of queries does not grow with the rows."""
        return self.for_rules().prefetch_related(Prefetch("phases__overrides", Override.objects.order_by("-at")))

    def for_rules(self) -> RolloutQuerySet:
        """Rollouts with all that facts and health need; ``others_live`` are titles, None where there are none."""
        alive = Phase.objects.filter(rollout=OuterRef("pk"), state__in=sorted(LIVE))
        on_the_flag = Rollout.objects.filter(Exists(alive), flag=OuterRef("flag")).exclude(state__in=sorted(OVER))
        others = on_the_flag.exclude(pk=OuterRef("pk")).order_by().values("flag").annotate(found=InAList("title"))
        cases = DriftCase.objects.open().filter(rollout=OuterRef("pk")).order_by().values("rollout")
        accepted = cases.filter(waiver__state=WaiverState.GRANTED)
        return (
            self.select_related(
                "ai_model", "baseline", "template", "flag__instance", "flag__project", "flag__reading", "metric_watch"
            )
            .prefetch_related(
                *self.phases_and_items(),
                Prefetch(
                    "issue_links", RolloutIssue.objects.select_related("issue__project__instance").order_by("role")
                ),
                "flag__instance__actors",
            )
            .annotate(
                others_live=Subquery(others.values("found")),
                open_drift=Subquery(cases.annotate(found=InAList("kind")).values("found")),
                accepted_drift=Subquery(accepted.annotate(found=InAList("kind")).values("found")),
                accepted_until=Subquery(accepted.annotate(first=Min("waiver__ends_at")).values("first")),
                **self._asked_by_others(),
                **RolloutOrder.objects.told(),
            )
        )

    @staticmethod
    def _asked_by_others() -> dict[str, Subquery]:
        """What other rollouts of the AI model ask a minute as their phases stand, and of how many nobody has said it.

        The last phase that lets somebody in says how many; named people and groups count as few.
        """
        live = Phase.objects.filter(state__in=sorted(LIVE))
        later = live.filter(rollout=OuterRef("rollout"), position__gt=OuterRef("position"))
        share = Case(
            When(audience=Audience.ALL_AT_ONCE, then=Value(Decimal(100))),
            default=F("current_step__percentage"),
            output_field=models.DecimalField(max_digits=9, decimal_places=3),
        )
        others = live.filter(~Exists(later), rollout__ai_model=OuterRef("ai_model"))
        others = others.exclude(rollout=OuterRef("pk")).exclude(rollout__state__in=sorted(OVER))
        others = others.annotate(share=share).filter(share__gt=0).order_by().values("rollout__ai_model")
        asked = ExpressionWrapper(
            F("rollout__peak_requests_per_minute") * F("share") / Value(Decimal(100)),
            output_field=models.DecimalField(max_digits=20, decimal_places=5),
        )
        untold = Count("pk", filter=Q(rollout__peak_requests_per_minute=None))
        return {
            "asked_by_others": Subquery(others.annotate(asked=Sum(asked)).values("asked")),
            "untold_by_others": Subquery(others.annotate(untold=untold).values("untold")),
        }

    @staticmethod
    def phases_and_items() -> tuple[Prefetch, ...]:
        """With ``standing_requests`` on each phase, and ``given`` on each of those: the approvals."""
        asked = FilteredRelation("requests", condition=Q(requests__state__in=sorted(STANDING)))
        newest = Phase.objects.order_by("position", "attempt").annotate(asked=asked, knows_asked=Value(True))
        newest = newest.select_related("current_step", "grant", "asked", "waiver")
        return (
            Prefetch("phases", newest.defer("grant__content", "grant__changed")),
            Prefetch("phases__steps", RampStep.objects.order_by("percentage")),
            Prefetch("phases__asked__approvals", Approval.objects.with_people().order_by("at", "pk"), to_attr="given"),
            Prefetch("items", ChecklistItem.objects.select_related("waiver").order_by("position", "pk")),
        )

    def on_flags(self, flags: Iterable[int]) -> dict[int, list[Rollout]]:
        """The rollouts that a change of each of these flags (by key) concerns: first the one that it is about.

        Open ones, those that are underway before all others; where none is open, the newest that was.
        """
        found: dict[int, list[Rollout]] = {}
        rank = {R.UNDERWAY: 0, R.COMPLETED: 1, R.DRAFT: 2, R.ROLLED_BACK: 2}
        rows = self.filter(flag__in=list(flags)).order_by("-pk")
        for rollout in sorted(rows, key=lambda each: rank.get(each.state, len(R))):
            if rollout.state in rank or rollout.flag_id not in found:
                found.setdefault(rollout.flag_id, []).append(rollout)
        return found

    def owned_by(self, *names: str) -> RolloutQuerySet:
        """Those that list any of these people among their owners: as text, because SQLite looks into no list."""
        hit = Q(pk__in=[])
        for name in names:
            for text in {json.dumps(name), json.dumps(name, ensure_ascii=False)}:  # SQLite keeps letters escaped
                hit |= Q(owners_text__contains=text)
        return self.annotate(owners_text=Cast("owners", models.TextField())).filter(hit)

    def of_models(self, models: Iterable[AIModel]) -> RolloutQuerySet:
        """Rollouts that these AI models take part in, new or as baseline, with who sees them; two queries."""
        known = list(models)
        return (
            self.filter(Q(ai_model__in=known) | Q(baseline__in=known))
            .select_related("ai_model", "baseline", "flag__instance", "flag__project", "flag__reading")
            .prefetch_related("phases")
            .order_by("title", "pk")
        )

    def open(self) -> RolloutQuerySet:
        """Everything that still concerns somebody: not closed, not abandoned."""
        return self.exclude(state__in=OVER)


class Rollout(GuardedModel):
    """One AI model going live behind one feature flag, according to a plan."""

    first_state = R.DRAFT
    #: Its portfolio line's, where they were asked for along with it.
    marks: int | None
    settled: int | None
    #: Follows from the phases (``rules.schedule.extent``): the history tells what it follows from.
    unaudited_fields = frozenset({"begins_at", "ends_at", "until", "takes"})

    #: Titles of other rollouts that are live on the flag; there on those of ``for_rules()``.
    others_live: list[str] | None
    #: Classes of its drift cases that are open, None where there are none; there on those of ``for_rules()``.
    open_drift: list[str] | None
    #: Those of them that somebody else let stand, and until when the first of them; likewise.
    accepted_drift: list[str] | None
    accepted_until: datetime | None
    #: What other rollouts of its AI model ask a minute, and of how many nobody has said; None where there are none.
    asked_by_others: Decimal | None
    untold_by_others: int | None
    #: Other rollouts in an order with it (``models.orders``), by its plan and by theirs; None where there are none.
    ordered: list[Told] | None
    never_with: list[Told] | None
    #: Rollouts, by key, whose plans name it.
    named_by: list[int] | None

    slug = models.CharField(
        max_length=100, unique=True, validators=[SLUG], help_text=_("Its name in addresses and commands.")
    )
    title = models.CharField(max_length=200)
    state = FSMField(choices=STATES, default=R.DRAFT, protected=True, db_index=True)
    ai_model = models.ForeignKey(AIModel, on_delete=models.PROTECT, related_name="rollouts", verbose_name=_("AI model"))
    baseline = models.ForeignKey(
        AIModel,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="replaced_by",
        help_text=_("The AI model that it is compared with and replaces."),
    )
    flag = models.ForeignKey(FeatureFlag, on_delete=models.PROTECT, related_name="rollouts")
    template = models.ForeignKey(PlanTemplate, on_delete=models.PROTECT, related_name="rollouts")
    owners = models.JSONField(default=list, blank=True, help_text=_("User names of those who drive it."))
    authors = models.JSONField(
        default=list, blank=True, editable=False, help_text=_("Everybody whose plan or edit changed what is asked for.")
    )
    peak_requests_per_minute = models.PositiveIntegerField(
        _("peak requests per minute"), null=True, blank=True, help_text=_("What all users together ask at peak.")
    )
    criteria = models.JSONField(
        default=dict, blank=True, help_text=_("When to continue, pause, roll back (the plan's words).")
    )
    guard_metrics = models.JSONField(
        default=dict, blank=True, help_text=_("Figures that the plan bounds: beyond them no step begins by itself.")
    )
    measured = models.JSONField(
        default=dict, blank=True, editable=False, help_text=_("The newest value of each guard metric.")
    )
    timeline = models.JSONField(default=dict, blank=True, help_text=_("Planned dates per audience."))
    mitigation = models.TextField(blank=True, help_text=_("What to do when it goes wrong."))
    drift = models.CharField(max_length=20, choices=DRIFTS, default=Drift.NONE.value, editable=False)
    drift_since = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    completed_at = models.DateTimeField(null=True, blank=True)
    abandoned_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    begins_at = models.DateTimeField(
        null=True, editable=False, help_text=_("Its first start; before it, the planned one, or when it was made.")
    )
    ends_at = models.DateTimeField(null=True, editable=False, help_text=_("When it was over; empty before."))
    until = models.DateTimeField(null=True, editable=False, help_text=_("Before it is over: it lasts until then …"))
    takes = models.DurationField(default=timedelta(0), editable=False, help_text=_("… and at least so long from now."))

    objects = RolloutQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("title",)
        indexes = [
            models.Index(fields=("begins_at", "id"), condition=Q(ends_at__isnull=True), name="rollout_open_by_begin"),
            models.Index(fields=("ends_at", "id"), condition=Q(ends_at__isnull=False), name="rollout_over_by_end"),
            models.Index(fields=("ai_model", "title"), name="rollout_by_model"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[state.value for state in R]), name="rollout_state_known"),
            models.CheckConstraint(
                condition=(Q(drift="none") & Q(drift_since__isnull=True))
                | (~Q(drift="none") & Q(drift_since__isnull=False)),
                name="drift_has_a_beginning",
            ),
            models.CheckConstraint(condition=~Q(state="closed") | Q(closed_at__isnull=False), name="closed_has_a_time"),
            models.CheckConstraint(
                condition=~Q(state="abandoned") | Q(abandoned_at__isnull=False), name="abandoned_has_a_time"
            ),
            models.CheckConstraint(
                condition=~Q(state="completed") | Q(completed_at__isnull=False), name="completed_has_a_time"
            ),
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(state__in=[s.value for s in states]),
                    name=f"rollout_{name}_only_while_it_is",
                )
                for name, states in LASTING.items()
            ),
            models.CheckConstraint(condition=~Q(slug="new") & ~Q(slug__contains="/"), name="slug_fits_an_address"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("portal:rollout", args=[self.slug])

    @property
    def is_over(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in OVER

    # What follows from the phases (rules.machine.rollout_state), and the two ends of its own.

    @transition(state, source=[R.UNDERWAY, R.COMPLETED, R.ROLLED_BACK], target=R.DRAFT)
    def back_to_draft(self) -> None:
        self.passed()

    @transition(state, source=[R.DRAFT, R.ROLLED_BACK, R.COMPLETED], target=R.UNDERWAY)
    def go_underway(self) -> None:
        self.completed_at = None
        self.passed()

    @transition(state, source=[R.DRAFT, R.UNDERWAY, R.ROLLED_BACK], target=R.COMPLETED)
    def finish(self) -> None:
        self.passed()

    @transition(state, source=[R.UNDERWAY, R.COMPLETED], target=R.ROLLED_BACK)
    def fall_back(self) -> None:
        self.completed_at = None
        self.passed()

    @transition(state, source=[R.DRAFT, R.UNDERWAY, R.ROLLED_BACK], target=R.ABANDONED)
    def abandon(self) -> None:
        self.passed()

    @transition(state, source=[R.COMPLETED], target=R.CLOSED)
    def close(self) -> None:
        self.passed()


class RolloutIssue(AuditedModel):
    """Which tracked issue plays which role (``rollout_plan``, ``internal_feedback`` …) for a rollout or one phase."""

    rollout = models.ForeignKey(Rollout, on_delete=models.PROTECT, related_name="issue_links")
    phase_name = models.CharField(max_length=50, blank=True, help_text=_("Empty: for the whole rollout."))
    role = models.CharField(
        max_length=50, help_text=_("rollout_plan, flag_rollout, internal_rollout, internal_feedback.")
    )
    issue = models.ForeignKey(TrackedIssue, on_delete=models.PROTECT, related_name="links")

    class Meta:
        ordering = ("rollout", "phase_name", "role")
        constraints = [models.UniqueConstraint(fields=("rollout", "phase_name", "role"), name="one_issue_per_role")]

    def __str__(self) -> str:
        return f"{self.role}: {self.issue}"
