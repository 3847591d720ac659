"""Checklist items: what must be so before a phase or a rollout goes on."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.checklist import ANSWER_WORDS, AUTOMATIC, GATE_WORDS, KIND_WORDS, Answer, Gate, ItemKind
from ..rules.criteria import CRITERION_WORDS
from .change_log import AuditedModel
from .guarded import refuse_forged_waiver
from .percentages import PercentageField
from .phases import Phase


class ChecklistItem(AuditedModel):
    """One prerequisite, with a kind that knows how to check itself. Automatic kinds can't be ticked by hand."""

    rollout = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="items")
    phase = models.ForeignKey(
        Phase,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="items",
        help_text=_("Empty: the whole rollout's."),
    )
    key = models.CharField(max_length=50)
    title = models.CharField(max_length=200)
    help = models.TextField(blank=True)
    kind = models.CharField(max_length=20, choices=[(kind.value, words) for kind, words in KIND_WORDS.items()])
    role = models.CharField(
        max_length=50, blank=True, help_text=_("For kinds about an issue: which of the plan's issues.")
    )
    gate = models.CharField(
        max_length=20, choices=[(gate.value, words) for gate, words in GATE_WORDS.items()], default=Gate.START.value
    )
    required = models.BooleanField(default=True)
    guide = models.CharField(_("rule of the guide"), max_length=20, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    evidence = models.TextField(
        blank=True, help_text=_("Note or link that proves it; for a decision, what was decided.")
    )
    waiver = models.ForeignKey(
        "rollouts.Waiver",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        help_text=_("The newest by which the rollout goes on without it, or went."),
    )
    channel = models.CharField(max_length=200, blank=True, help_text=_("For an announcement: where it was made."))
    owner = models.CharField(max_length=150, blank=True, help_text=_("For a decision: who sees to what was decided."))
    link = models.URLField(
        max_length=500, blank=True, help_text=_("For a decision or a comparison: where it is found.")
    )
    comparison = models.JSONField(
        default=dict, blank=True, help_text=_("For a comparison: latency, correctness, verdict and numbers.")
    )
    criterion = models.CharField(
        max_length=20,
        blank=True,
        choices=[(criterion.value, words) for criterion, words in CRITERION_WORDS.items()],
        help_text=_("For a criterion: what it decides about."),
    )
    step = PercentageField(
        null=True,
        blank=True,
        help_text=_("For a criterion that a step of the ramp asks for: the step's percentage."),
    )
    answer = models.CharField(
        max_length=3,
        blank=True,
        choices=[(answer.value, words) for answer, words in ANSWER_WORDS.items()],
        help_text=_("For a criterion: whether its sentence holds."),
    )

    class Meta:
        ordering = ("rollout", "position", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=("rollout", "key"), condition=Q(phase__isnull=True), name="rollout_item_once"
            ),
            models.UniqueConstraint(fields=("phase", "key"), condition=Q(phase__isnull=False), name="phase_item_once"),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True, confirmed_by="")
                | (Q(confirmed_at__isnull=False) & ~Q(confirmed_by="") & ~Q(evidence="")),
                name="confirmed_by_somebody_with_evidence",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_at__isnull=True) | ~Q(kind__in=sorted(kind.value for kind in AUTOMATIC)),
                name="automatic_items_are_never_ticked",
            ),
            models.CheckConstraint(
                condition=Q(answer="", confirmed_at__isnull=True)
                | (Q(answer="") & ~Q(kind=ItemKind.CRITERION.value))
                | Q(
                    kind=ItemKind.CRITERION.value,
                    answer__in=[answer.value for answer in Answer],
                    confirmed_at__isnull=False,
                ),
                name="criteria_are_answered_yes_or_no",
            ),
            models.CheckConstraint(
                condition=Q(kind=ItemKind.CRITERION.value, phase__isnull=False) & ~Q(criterion="")
                | (~Q(kind=ItemKind.CRITERION.value) & Q(criterion="", step__isnull=True)),
                name="criteria_say_what_they_decide",
            ),
        ]

    def refuse_shortcuts(self, fields: Any = None) -> None:
        super().refuse_shortcuts(fields)
        refuse_forged_waiver(self)

    def __str__(self) -> str:
        return self.title

    def forget_confirmation(self) -> None:
        self.confirmed_by, self.confirmed_at, self.evidence, self.channel, self.answer = "", None, "", "", ""
        self.owner, self.link, self.comparison = "", "", {}

    @property
    def is_automatic(self) -> bool:
        return self.kind in AUTOMATIC
