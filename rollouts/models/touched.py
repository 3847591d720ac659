"""In whose history an event stands besides that of the object that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .history import AuditEvent

#: What several rollouts rest on: an event of one of them, or of none, may change it by the way.
SHARED = frozenset(
    """AIModel ChangeLock FeatureFlag GitLabActor GitLabInstance GitLabProject IncidentSource LockCalendar PlanTemplate
    TrackedIssue User""".split()
)


class AlsoTouched(models.Model):
    """An object that several rollouts rest on, changed by the way in an event that is about something else.

    An index of what the event says itself, and no more: a plan that brings its AI model along stands in the model's
    history by this.
    """

    event = models.ForeignKey(
        AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+", db_index=False
    )
    object_type = models.CharField(max_length=50)
    object_id = models.CharField(max_length=50, help_text=_("As in the event."))

    class Meta:
        indexes = [models.Index(fields=("object_type", "object_id", "event"), name="touched_by_object")]

    def __str__(self) -> str:
        return f"{self.object_type} {self.object_id}"

    @classmethod
    def events_about(cls, kind: str, keys: Iterable[str], until: datetime | None = None) -> models.QuerySet[AuditEvent]:
        """The events that tell of these objects of one kind, whatever they are about; by index."""
        wanted = list(keys)
        also = cls.objects.filter(object_type=kind, object_id__in=wanted).values("event")
        found = AuditEvent.objects.filter(Q(object_type=kind, object_id__in=wanted) | Q(pk__in=also))
        return found if until is None else found.filter(at__lte=until)
