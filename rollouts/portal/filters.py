"""The portfolio's filters, in the address."""

from __future__ import annotations

from datetime import datetime

import django_filters
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy as _

from ..audit.actor import Actor
from ..models import PortfolioRow, clock
from ..models.portfolio_rows import PortfolioRowQuerySet
from ..rules.health import Health
from ..rules.machine import Role
from ..services import choices
from ..services.freshness import limit
from .asking import PageQuery

Place = PortfolioRow.Place
STATES = [("", _("Open")), ("over", _("Finished")), ("all", _("All"))]
SHOWN = ("yours", "drifting", "overdue", "reviews")


class PortfolioFilter(django_filters.FilterSet):
    """What the address asks for. ``read`` first tells what there is not: it would be left out here."""

    q = django_filters.CharFilter(method="search")
    state = django_filters.ChoiceFilter(method="in_state", choices=STATES[1:])
    provider = django_filters.CharFilter(field_name="provider")
    owner = django_filters.CharFilter(method="owned")
    phase = django_filters.CharFilter(field_name="phase")
    health = django_filters.ChoiceFilter(method="in_health", choices=[(kind.value, kind.value) for kind in Health])
    show = django_filters.ChoiceFilter(method="just", choices=[(name, name) for name in SHOWN])

    class Meta:
        model = PortfolioRow
        fields: list[str] = []

    @classmethod
    def read(cls, asked: PageQuery) -> tuple[PortfolioFilter, PortfolioRowQuerySet]:
        """And the rows that fit; none, and words in ``asked``, where it asks for what there is not."""
        asked.filter("state", [value for value, _words in STATES[1:]])
        asked.filter("health", [kind.value for kind in Health])
        asked.filter("show", SHOWN)
        asked.filter("provider", choices.providers())
        asked.filter("phase", [name for name, _title in choices.phases()])
        chosen = cls(asked.query, queryset=PortfolioRow.objects.all(), request=asked.request)
        return chosen, asked.rows(chosen.qs)

    @property
    def viewer(self) -> Actor:
        return Actor.of(self.request.user)

    def filter_queryset(self, queryset: PortfolioRowQuerySet) -> PortfolioRowQuerySet:
        queryset = super().filter_queryset(queryset)
        return queryset if self.form.cleaned_data.get("state") else queryset.exclude(place=Place.OVER)

    def search(self, rows: PortfolioRowQuerySet, name: str, text: str) -> PortfolioRowQuerySet:
        for word in text.lower().split()[:8]:
            rows = rows.filter(search__contains=word)
        return rows

    def in_state(self, rows: PortfolioRowQuerySet, name: str, state: str) -> PortfolioRowQuerySet:
        return rows.filter(place=Place.OVER) if state == "over" else rows

    def owned(self, rows: PortfolioRowQuerySet, name: str, owner: str) -> PortfolioRowQuerySet:
        return rows.filter(owners__contains=f"\n{owner}\n")

    def in_health(self, rows: PortfolioRowQuerySet, name: str, health: str) -> PortfolioRowQuerySet:
        return rows.in_health(Health(health), clock.now(), limit())

    def just(self, rows: PortfolioRowQuerySet, name: str, show: str) -> PortfolioRowQuerySet:
        """Just the rows that a part of the sentence on top counts."""
        return counted(rows, show, self.viewer, clock.now())


def counted(rows: PortfolioRowQuerySet, what: str, viewer: Actor, now: datetime) -> PortfolioRowQuerySet:
    """The rows that the sentence on top counts under this name."""
    match what:
        case "yours":
            return rows.waiting_for(viewer.person)
        case "drifting":
            return rows.filter(health=Health.DRIFTING)
        case "overdue":
            return rows.filter(place=Place.OVERDUE)
        case "reviews":
            return rows.filter(reviews_due_at__lt=now)
    return rows.filter(place__in=(Place.WAITS, Place.RUNS))


def owners(viewer: Actor, chosen: str) -> list[str]:
    """Who may own a rollout: the viewer first, then managers and admins by name, and whoever is chosen."""
    may = get_user_model().objects.filter(is_active=True, groups__name__in=[Role.MANAGER, Role.ADMIN])
    names = may.order_by("username").values_list("username", flat=True).distinct()[:200]
    return list(dict.fromkeys(filter(None, [viewer.name, chosen, *names])))
