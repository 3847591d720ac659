"""Guard metrics over time: a row for each figure and moment, and how they stand. What acted is in the history."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .rollouts import Rollout


class MetricSample(models.Model):
    """One figure at one moment, the new model's beside the baseline's. Each moment once, whoever brought it."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="samples")
    name = models.CharField(max_length=100, help_text=_("As the plan names it."))
    at = models.DateTimeField()
    minute = models.IntegerField(help_text=_("The same in minutes since 1970, which any database can divide."))
    value = models.FloatField(null=True)
    baseline = models.FloatField(null=True)

    class Meta:
        ordering = ("rollout", "name", "at")
        constraints = [models.UniqueConstraint(fields=("rollout", "name", "at"), name="each_moment_once")]
        indexes = [models.Index(fields=("at",), name="sample_by_age")]

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"

    @classmethod
    def of(cls, rollout: int, name: str, at: datetime, value: float | None, baseline: float | None) -> MetricSample:
        minute = int(at.timestamp()) // 60
        return cls(rollout_id=rollout, name=name, at=at, minute=minute, value=value, baseline=baseline)


class MetricWatchQuerySet(models.QuerySet["MetricWatch"]):
    def claim(self, rollout: int, now: datetime, next_at: datetime) -> bool:
        """Whether it is for this process to read the figures of a rollout now: one does, however many look."""
        self.bulk_create([self.model(rollout_id=rollout)], ignore_conflicts=True)
        due = self.filter(Q(next_at=None) | Q(next_at__lte=now), rollout=rollout)
        return due.update(next_at=next_at) == 1


class MetricWatch(models.Model):
    """How the figures of a rollout stand, by name (``rules.series.Judged``). It follows from the series: no history."""

    rollout = models.OneToOneField(Rollout, on_delete=models.CASCADE, related_name="metric_watch")
    judged = models.JSONField(default=dict)
    next_at = models.DateTimeField(null=True, help_text=_("When Prometheus is asked next."))
    counts_from = models.DateTimeField(
        null=True, help_text=_("Somebody let it go on then: what was beyond before does not act again.")
    )

    objects = MetricWatchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "metric watches"

    def __str__(self) -> str:
        return str(self.rollout)
