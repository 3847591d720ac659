"""Somebody as others see them: roles, what they own, and what waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from ..audit.actor import Actor
from ..models import Absence, AuditEvent, Identity, absences, accounts, clock
from .lists.rollouts import RolloutFilter

#: So many rollouts of each kind are shown; the portfolio has them all.
SHOWN = 50
TOLD = ("rollout__slug", "rollout__title", "phase_title", "provider")


@dataclass(frozen=True, slots=True)
class Rollouts:
    """The first rollouts of a list, and whether there are more."""

    rows: list[dict[str, Any]]
    is_part: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """``at_provider`` is what the identity provider calls them, where they come in by it; ``handle`` the same, where
    that is the GitLab that is followed. ``same_human`` are other accounts that their GitLab user was in. ``away``:
    when they are away, now or later; ``stands_for``: for whom who is away now they are asked."""

    name: str
    full_name: str
    roles: tuple[str, ...]
    is_active: bool
    at_provider: str
    owned: Rollouts
    waiting: Rollouts
    has_account: bool = True
    handle: str = ""
    same_human: tuple[str, ...] = ()
    away: tuple[Absence, ...] = ()
    stands_for: tuple[str, ...] = ()


def outsider(name: str) -> Seen | None:
    """Somebody without an account here, whom a plan names or who did something once; None where nobody knows them."""
    owned = _asked(None, owner=name, state="all")
    if not owned.rows and not _has_acted(name):
        return None
    return Seen(name, "", (), False, "", owned, Rollouts([], False), has_account=False)


def _has_acted(name: str) -> bool:
    return AuditEvent.objects.filter(actor=name, actor_kind=AuditEvent.ActorKind.PERSON).exists()


def find(name: str) -> Seen | None:
    """Whoever is called so, or was: with an account, at GitLab, named by a plan as an owner, or in the history."""
    people = User.objects.select_related("account", "identity").prefetch_related("groups")
    person = people.filter(username=name).first()
    if person is None:
        person = next((one for one in people.filter(identity__username=name) if accounts.handle_of(one) == name), None)
    if person is None and (now := accounts.called_before([name])):
        person = people.get(username=now[name])
    return seen(person) if person else outsider(name)


def seen(person: Any) -> Seen:
    """What everybody may know of somebody. Nothing of a confidential issue, no address of mail."""
    actor = Actor.of(person)
    identity = Identity.objects.filter(person=person, issuer=settings.OIDC_ISSUER).first()
    return Seen(
        name=person.get_username(),
        full_name=person.get_full_name(),
        roles=tuple(sorted(actor.roles)),
        is_active=person.is_active,
        at_provider=identity.username if identity else "",
        owned=_asked(actor, owner=actor.name, state="open"),
        waiting=_asked(actor, show="yours", state="open") if person.is_active else Rollouts([], False),
        handle=accounts.handle_of(person),
        same_human=tuple(sorted(accounts.same_human(person))),
        away=tuple(absences.not_over(clock.now()).filter(person=person).order_by("begins_at", "pk")),
        stands_for=tuple(sorted(actor.person.stands_for)),
    )


def _asked(actor: Actor | None, **asked: str) -> Rollouts:
    lines = RolloutFilter(asked, by=actor).lines().order_by("urgency", "since", "pk").values(*TOLD)[: SHOWN + 1]
    return Rollouts(list(lines[:SHOWN]), len(lines) > SHOWN)
