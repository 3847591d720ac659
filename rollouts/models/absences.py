"""Who is away, and who is asked instead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from ..rules.absences import Away, stand_ins
from ..rules.phrases import say
from . import accounts, clock
from .change_log import AuditedModel


class Absence(AuditedModel):
    """Somebody is away from a moment until just before another; one that was ended earlier keeps when."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="absences")
    instead = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text=_("Who is asked meanwhile.")
    )
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True, help_text=_("When it was taken back."))

    class Meta:
        ordering = ("begins_at", "pk")
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("begins_at")), name="absence_lasts"),
            models.CheckConstraint(condition=~Q(person=F("instead")), name="nobody_stands_in_for_themselves"),
        ]

    def __str__(self) -> str:
        return say("absence {number}", number=str(self.pk or ""))  # names stand in the event, where they can be hidden


def not_over(now: datetime) -> QuerySet[Any]:
    """Absences of now and later, with both people."""
    return Absence.objects.filter(ended_at=None, ends_at__gt=now).select_related("person", "instead")


def away(**of: Any) -> list[Away]:
    """Those that are not over, as the rules see them. Who is switched off stands in for nobody."""
    rows = not_over(clock.now()).filter(instead__is_active=True, **of)
    return [Away(*row) for row in rows.values_list("person__username", "instead__username", "begins_at", "ends_at")]


def now_away() -> dict[str, str]:
    """Names of who is away now, each with who is asked instead; one query."""
    now = clock.now()
    return stand_ins(away(begins_at__lte=now), now)


def know_stand_ins(users: Iterable[Any]) -> dict[str, str]:
    """``now_away``, and each of these users remembers for whom they stand in."""
    instead_of = now_away()
    names: dict[str, set[str]] = {}
    people = get_user_model()._default_manager.filter(username__in=instead_of).select_related("identity")
    if instead_of:
        accounts.know_handles(gone := list(people))
        for person in gone:
            told = {person.get_username(), accounts.handle_of(person)} - {""}
            names.setdefault(instead_of[person.get_username()], set()).update(told)
    for user in users:
        user._stands_for = frozenset(names.get(user.get_username(), ()))
    return instead_of


def stands_for(user: Any) -> frozenset[str]:
    """Names, here and in GitLab, of those who are away now and instead of whom this person is asked."""
    if user is None or not user.pk:
        return frozenset()
    if not hasattr(user, "_stands_for"):
        know_stand_ins([user])
    names: frozenset[str] = user._stands_for
    return names
