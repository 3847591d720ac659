"""Cases of drift: in which way GitLab stood elsewhere than the plan, from when to when, whose it was, how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_fsm import FSMField, transition

from ..rules.drift_cases import (
    ANSWER_WORDS,
    CASE_STATE_WORDS,
    CLASS_WORDS,
    ENDING_WORDS,
    KEPT_ANSWERS,
    Answer,
    CaseState,
    DriftClass,
    Ending,
)
from ..rules.phrases import say
from .guarded import GuardedModel, GuardedQuerySet, refuse_forged_waiver
from .phrase_fields import PhraseTextField

S = CaseState


class DriftCaseQuerySet(GuardedQuerySet):
    def open(self) -> DriftCaseQuerySet:
        return self.filter(state=S.OPEN)

    def with_rollout(self) -> DriftCaseQuerySet:
        return self.select_related("rollout__template", "rollout__flag__reading", "waiver")


class DriftCase(GuardedModel):
    """One way in which a rollout's flag or issues stand elsewhere than the plan says; open until they no longer do.

    A job opens and ends it by what was read; people answer it.
    """

    first_state = S.OPEN

    rollout = models.ForeignKey("rollouts.Rollout", on_delete=models.PROTECT, related_name="drift_cases")
    kind = models.CharField(_("class"), max_length=20, choices=[(each.value, CLASS_WORDS[each]) for each in DriftClass])
    state = FSMField(
        choices=[(state.value, words) for state, words in CASE_STATE_WORDS.items()], default=S.OPEN, protected=True
    )
    owner = models.CharField(max_length=150, blank=True, help_text=_("Whose it is: the rollout's first owner then."))
    since = models.DateTimeField(help_text=_("From when GitLab stood so, as far as it was read."))
    found_at = models.DateTimeField(help_text=_("When the portal found it."))
    what = models.JSONField(default=list, blank=True, help_text=_("Who or what it is, as far as it has a name."))
    read_words = PhraseTextField(blank=True, help_text=_("Where GitLab stood when it was found."))
    plan_words = PhraseTextField(blank=True, help_text=_("Where the plan stood when it was found."))
    waiver = models.ForeignKey(
        "rollouts.Waiver",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        editable=False,
        help_text=_("The newest by which it is let stand, or was."),
    )
    answer = models.CharField(
        max_length=20,
        blank=True,
        choices=[(each.value, ANSWER_WORDS[each]) for each in KEPT_ANSWERS],
        help_text=_("What was done about it."),
    )
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.CharField(
        max_length=255, blank=True, help_text=_("Who changed the flag in GitLab, by the log of changes there.")
    )
    changed_at = models.DateTimeField(null=True, blank=True)
    command = models.CharField(max_length=500, blank=True, help_text=_("What they typed after /chatops."))
    log_url = models.URLField(max_length=2000, blank=True, help_text=_("The issue that logs it."))
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(
        max_length=20,
        blank=True,
        choices=[(each.value, words) for each, words in ENDING_WORDS.items()],
        help_text=_("How it ended."),
    )

    objects = DriftCaseQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("-state", "-found_at", "-pk")
        verbose_name = _("drift case")
        indexes = [models.Index(fields=("-state", "-found_at", "-id"), name="drift_open_ones_first")]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in S]), name="drift_case_state_known"),
            models.CheckConstraint(condition=Q(kind__in=[each.value for each in DriftClass]), name="drift_class_known"),
            models.CheckConstraint(
                condition=Q(state=S.OPEN, ended_at__isnull=True, ending="")
                | (Q(state=S.ENDED, ended_at__isnull=False) & ~Q(ending="")),
                name="drift_case_ended_somehow",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("found_at")),
                name="drift_case_ends_later",
            ),
            models.UniqueConstraint(
                fields=("rollout", "kind"), condition=Q(state="open"), name="one_open_drift_case_per_class"
            ),
        ]

    def refuse_shortcuts(self, fields: Any = None) -> None:
        super().refuse_shortcuts(fields)
        refuse_forged_waiver(self)

    def __str__(self) -> str:
        return say("{kind} ({rollout})", kind=self.get_kind_display(), rollout=self.rollout.title)

    @property
    def is_open(self) -> bool:
        return bool(self.state == S.OPEN)

    def lasted(self, now: datetime) -> timedelta:
        """How long GitLab stood so, up to its end or now."""
        return max((self.ended_at or now) - self.since, timedelta(0))

    def answered(self, answer: Answer, *, by: str, at: datetime) -> None:
        self.answer, self.answered_by, self.answered_at = answer.value, by, at

    @transition(state, source=S.OPEN, target=S.ENDED)
    def end(self, how: Ending, *, at: datetime) -> None:
        self.ended_at, self.ending = at, how.value
        self.passed()
