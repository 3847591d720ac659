"""What somebody is told: one row for each event and person (``services.notices``)."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .history import AuditEvent


class Notice(models.Model):
    """An event that concerns a person. Its words are the event's own; it says besides whether it was read.

    One that was ``dropped`` is shown no more: it became moot, or a newer one stands for it.
    """

    event = models.ForeignKey(AuditEvent, on_delete=models.DO_NOTHING, db_constraint=False, related_name="notices")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=120, help_text=_("The object of the event: Phase 12."))
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    dropped = models.BooleanField(default=False)

    class Meta:
        ordering = ("-event",)
        constraints = [models.UniqueConstraint(fields=("event", "person"), name="told_once")]
        indexes = [
            models.Index(fields=("person", "-event"), name="notice_by_person", condition=Q(dropped=False)),
            models.Index(fields=("person",), name="notice_unread", condition=Q(dropped=False, read_at=None)),
            models.Index(fields=("about", "kind"), name="notice_by_object", condition=Q(dropped=False, read_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.about}"


class NoticePlace(models.Model):
    """Up to which seal notices were made; one row. Whoever holds its lock makes the next."""

    position = models.BigIntegerField(default=-1)

    def __str__(self) -> str:
        return f"{self.position}"
