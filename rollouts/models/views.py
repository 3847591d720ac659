"""Views of the portfolio that somebody keeps under a name: filters, grouping and order, as its address has them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .change_log import AuditedModel


class SavedView(AuditedModel):
    """One person's view of the portfolio; a shared one is there for everybody."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True, help_text=_("The part of the address after the ?."))
    shared = models.BooleanField(default=False, help_text=_("Everybody sees it."))
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name", "pk")
        constraints = [models.UniqueConstraint(fields=("person", "name"), name="one_view_of_a_name")]

    def __str__(self) -> str:
        return self.name
