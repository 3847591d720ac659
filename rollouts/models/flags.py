"""Feature flags and what was read of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..rules.expected import FlagReading as Reading
from ..rules.expected import Presence
from ..rules.exposure import EVERYONE, NOBODY, Exposure
from ..rules.phrases import say
from .change_log import AuditedModel, AuditedQuerySet
from .checks import validate_web_address
from .gitlab import GitLabInstance, GitLabProject

FLAG_NAME = RegexValidator(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", _("Letters, digits, _, - and . only: no space, no slash."))
PRESENCES = [(presence.value, presence.words) for presence in Presence]


class FeatureFlagQuerySet(AuditedQuerySet):
    def for_list(self) -> FeatureFlagQuerySet:
        """Flags with all that the list shows; two queries."""
        return self.select_related("instance", "project", "reading").prefetch_related("rollouts")

    def carried(self) -> FeatureFlagQuerySet:
        """Flags that some rollout goes live behind."""
        return self.filter(rollouts__isnull=False).distinct()


class FeatureFlag(AuditedModel):
    """A GitLab feature flag: of an instance, or of a project for one environment."""

    instance = models.ForeignKey(GitLabInstance, on_delete=models.PROTECT, related_name="flags")
    project = models.ForeignKey(
        GitLabProject,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="flags",
        help_text=_("Empty for a flag of the whole instance."),
    )
    environment = models.CharField(max_length=255, blank=True, help_text=_("Only for a project's flag: production."))
    name = models.CharField(max_length=255, validators=[FLAG_NAME])
    description = models.TextField(blank=True)
    type = models.CharField(max_length=40, blank=True, help_text=_("gitlab_com_derisk, wip, beta, ops, experiment …"))
    group = models.CharField(max_length=100, blank=True, help_text=_("The group that owns it: group::ai coding."))
    milestone = models.CharField(max_length=20, blank=True, help_text=_("The release that brought it."))
    default_enabled = models.BooleanField(null=True, blank=True, help_text=_("Its default where no gate was ever set."))
    introduced_by_url = models.URLField(max_length=500, blank=True, validators=[validate_web_address])
    rollout_issue_url = models.URLField(max_length=500, blank=True, validators=[validate_web_address])
    feature_issue_url = models.URLField(max_length=500, blank=True, validators=[validate_web_address])
    presence = models.CharField(
        max_length=20, choices=PRESENCES, default=Presence.UNREAD.value, help_text=_("What GitLab says of it.")
    )
    reading = models.ForeignKey(
        "FlagReading",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("The newest reading."),
    )

    objects = FeatureFlagQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ("name", "environment")
        constraints = [
            models.UniqueConstraint(
                fields=("instance", "name"), condition=Q(project__isnull=True), name="instance_flag_once"
            ),
            models.UniqueConstraint(
                fields=("project", "name", "environment"),
                condition=Q(project__isnull=False),
                name="project_flag_once_per_environment",
            ),
            models.CheckConstraint(
                condition=Q(project__isnull=True, environment="") | (Q(project__isnull=False) & ~Q(environment="")),
                name="environment_only_with_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.path}: {self.name} ({self.environment})" if self.project else self.name

    @property
    def scope_read_at(self) -> datetime | None:
        return self.project.flags_read_at if self.project else self.instance.flags_read_at

    @property
    def latest(self) -> Reading:
        """The newest reading as the rules take it. A reading by hand counts until GitLab is read again."""
        presence = Presence(self.presence)
        if presence is Presence.UNREAD or self.reading is None:
            return Reading(Presence.UNREAD, None, None, None)
        read_at = max(filter(None, (self.reading.read_at, self.scope_read_at)))
        exposure = {
            Presence.SET: self.reading.exposure,
            Presence.UNSET_OFF: NOBODY,
            Presence.UNSET_ON: EVERYONE,
        }.get(presence)
        return Reading(presence, exposure, self.reading.read_at, read_at)

    @property
    def as_listed(self) -> Reading:
        """As ``latest``. A flag that is known by its definition only stands at its default once GitLab's list, which
        names every flag that was ever set, was read without it. For flags loaded with ``for_list``.
        """
        read_at = self.scope_read_at
        is_unread = self.presence == Presence.UNREAD and self.project_id is None and self.default_enabled is not None
        if not is_unread or read_at is None or self.rollouts.all():  # a rollout's flag is looked for by name
            return self.latest
        if self.default_enabled:
            return Reading(Presence.UNSET_ON, EVERYONE, None, read_at)
        return Reading(Presence.UNSET_OFF, NOBODY, None, read_at)


class FlagReading(AuditedModel):
    """The exposure that was read from GitLab at a moment; kept when it differs from the one before."""

    class Source(models.TextChoices):
        SYNC = "sync", say("read from GitLab")
        BY_HAND = "by_hand", say("entered by hand")

    flag = models.ForeignKey(FeatureFlag, on_delete=models.PROTECT, related_name="readings")
    read_at = models.DateTimeField(help_text=_("When GitLab was first read so."))
    presence = models.CharField(max_length=20, choices=PRESENCES)
    gates = models.JSONField(default=dict, help_text=_("The exposure: boolean, percentages, groups, actors."))
    raw = models.JSONField(default=list, blank=True, help_text=_("Gates or strategies as GitLab sent them."))
    source = models.CharField(max_length=20, choices=Source.choices, default=Source.SYNC)
    entered_by = models.CharField(max_length=150, blank=True, help_text=_("Who entered it, if it was entered by hand."))
    evidence = models.CharField(max_length=500, blank=True, help_text=_("Link or note that proves it."))

    class Meta:
        ordering = ("-read_at", "-pk")
        indexes = [models.Index(fields=("flag", "-read_at"), name="reading_by_flag_and_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(source="sync") | (~Q(entered_by="") & ~Q(evidence="")), name="by_hand_needs_evidence"
            )
        ]

    def __str__(self) -> str:
        return say("{flag} at {time}", flag=self.flag, time=f"{self.read_at:%Y-%m-%d %H:%M:%S} UTC")

    @property
    def exposure(self) -> Exposure:
        return Exposure.from_json(self.gates)

    @property
    def strategies(self) -> list[dict[str, Any]]:
        """A project flag's strategies as GitLab sent them; empty for an instance flag."""
        return [entry for entry in self.raw if isinstance(entry, dict) and "parameters" in entry]
