"""Rollouts: the portfolio and its file, the timeline and the API are asked alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q

from ...audit.actor import Actor
from ...models import PortfolioRow, Rollout, accounts, clock
from ...models.portfolio_rows import PortfolioRowQuerySet
from ...models.rollouts import RolloutQuerySet
from ...rules.health import Health
from ...rules.machine import Role, RolloutState
from .. import choices, known_people, portfolio_rows
from ..freshness import limit
from .asked import Asked, OneOf, Text

Place = PortfolioRow.Place
SHOWN = ("yours", "drifting", "overdue", "reviews")


class RolloutFilter(Asked):
    """Rollouts by their lines of the portfolio. ``by`` is who asks."""

    q = Text(method="search", help_text="Each word of it in title, slug, flag or AI models.")
    state = OneOf(
        ["open", "over", "all", *RolloutState],
        method="in_state",
        help_text="The rollout's state; open is all but closed and abandoned, which are over.",
    )
    provider = OneOf(lambda asked: choices.providers(), help_text="The AI model's provider, as the plan writes it.")
    owner = Text(method="owned", help_text="An owner's user name, or what GitLab calls them.")
    phase = OneOf(
        lambda asked: [name for name, _title in choices.phases()],
        help_text="The phase that it stands in: the first neither completed nor skipped.",
    )
    health = OneOf(list(Health), method="in_health", help_text="The rollout's health.")
    show = OneOf(SHOWN, method="just", help_text="Those that wait for you, drift, are overdue, or owe a review.")
    #: The state where none is asked for.
    usual_state = "all"

    def __init__(self, query: Any, **kwargs: Any) -> None:
        super().__init__(query, PortfolioRow.objects.all(), **kwargs)

    def rollouts(self) -> RolloutQuerySet:
        """What fits, as rollouts."""
        rollout_query_set: RolloutQuerySet = Rollout.objects.all()
        return rollout_query_set.filter(pk__in=self.lines().values("rollout")) if self.narrows else rollout_query_set

    def lines(self) -> PortfolioRowQuerySet:
        """What fits. Where anything is left out, lines that are due are worked out before they are asked."""
        if self.narrows and PortfolioRow.objects.due(clock.now()).exists():
            portfolio_rows.for_a_page()
        rows: PortfolioRowQuerySet = self.rows
        return rows

    def filter_queryset(self, queryset: PortfolioRowQuerySet) -> PortfolioRowQuerySet:
        portfolio_row_query_set: PortfolioRowQuerySet = super().filter_queryset(queryset)
        return (
            portfolio_row_query_set
            if self["state"]
            else self.in_state(portfolio_row_query_set, "state", self.usual_state)
        )

    def search(self, portfolio_row_query_set: PortfolioRowQuerySet, name: str, text: str) -> PortfolioRowQuerySet:
        for word in text.lower().split()[:8]:
            portfolio_row_query_set = portfolio_row_query_set.filter(search__contains=word)
        return portfolio_row_query_set

    def in_state(self, portfolio_row_query_set: PortfolioRowQuerySet, name: str, state: str) -> PortfolioRowQuerySet:
        match state:
            case "open":
                return portfolio_row_query_set.exclude(place=Place.OVER)
            case "over":
                return portfolio_row_query_set.filter(place=Place.OVER)
            case "all":
                return portfolio_row_query_set
        return portfolio_row_query_set.filter(rollout__state=state)

    def owned(self, portfolio_row_query_set: PortfolioRowQuerySet, name: str, owner: str) -> PortfolioRowQuerySet:
        """By the name here, of now or before, or by the one that GitLab has for them."""
        person = get_user_model().objects.select_related("identity", "account").filter(username=owner).first()
        named = Q(owners__contains=f"\n{owner}\n")
        for name in filter(None, (accounts.handle_of(person), *sorted(accounts.former_names(person)))):
            named |= Q(owners__contains=f"\n{name}\n")
        return portfolio_row_query_set.filter(named)

    def in_health(self, portfolio_row_query_set: PortfolioRowQuerySet, name: str, health: str) -> PortfolioRowQuerySet:
        return portfolio_row_query_set.in_health(Health(health), clock.now(), limit())

    def just(self, portfolio_row_query_set: PortfolioRowQuerySet, name: str, show: str) -> PortfolioRowQuerySet:
        """Just the rows that a part of the sentence on top counts."""
        assert self.by is not None
        return counted(portfolio_row_query_set, show, self.by, clock.now())


def counted(
    portfolio_row_query_set: PortfolioRowQuerySet, what: str, viewer: Actor, now: datetime
) -> PortfolioRowQuerySet:
    """The lines that the sentence on top counts under this name."""
    match what:
        case "yours":
            return portfolio_row_query_set.waiting_for(viewer.person)
        case "drifting":
            return portfolio_row_query_set.filter(health=Health.DRIFTING)
        case "overdue":
            return portfolio_row_query_set.filter(place=Place.OVERDUE)
        case "reviews":
            return portfolio_row_query_set.filter(reviews_due_at__lt=now)
    return portfolio_row_query_set.filter(place__in=(Place.WAITS, Place.RUNS))


def owners(viewer: Actor, chosen: str) -> dict[str, str]:
    """Who may own a rollout, with words who it is: the viewer first, then whoever is chosen, managers and admins."""
    may = get_user_model().objects.filter(is_active=True, groups__name__in=[Role.MANAGER, Role.ADMIN])
    known = known_people.offered(may.distinct())
    return {name: known.get(name, name) for name in [viewer.name, chosen, *known] if name}
