"""Views of a list that somebody keeps under a name: filters, grouping and order, as its address has them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from .change_log import AuditedModel


class SavedView(AuditedModel):
    """One person's view of the portfolio, or look-up in the history; a shared one is there for everybody."""

    class Page(models.TextChoices):
        PORTFOLIO = "portfolio", say("portfolio")
        AUDIT = "audit", say("history")

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_views")
    page = models.CharField(max_length=20, choices=Page.choices, default=Page.PORTFOLIO)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True, help_text=_("The part of the address after the ?."))
    shared = models.BooleanField(default=False, help_text=_("Everybody sees it."))
    created_at = models.DateTimeField()

    #: Words that are looked for may come from what needs a role.
    confidential_fields = frozenset({"query"})

    class Meta:
        ordering = ("name", "pk")
        constraints = [models.UniqueConstraint(fields=("person", "page", "name"), name="one_view_of_a_name")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse(f'portal:{self.page}')}?{self.query}"
