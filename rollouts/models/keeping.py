"""What letting go of what is past its age did, and what there was afterwards."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _


class KeepingRun(models.Model):
    """One run over all rules (``services.keeping``). One that was broken off has no end yet, and is gone on with.

    Each batch is counted here in its own transaction, so the event at the end tells all of it whoever died meanwhile.
    """

    begun_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    gone = models.JSONField(default=dict, help_text=_("How many rows went, by rule."))
    sizes = models.JSONField(default=dict, help_text=_("Rows, bytes and the oldest, by rule, at its end."))

    class Meta:
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.begun_at:%Y-%m-%d %H:%M:%S} UTC"

    def size_of(self, name: str) -> dict[str, object]:
        """``rows``, ``bytes`` (None where the database does not tell) and ``oldest``; empty where none was measured."""
        size: dict[str, object] = dict(self.sizes.get(name, {}))
        if size.get("oldest"):
            size["oldest"] = datetime.fromisoformat(str(size["oldest"]))
        return size
