"""Transitions as buttons: the same services as everywhere else, with what stands in the way in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse

from ..audit.actor import Actor
from ..models import Phase, Rollout, clock
from ..portal import refusals
from ..portal.answers import SeeOther
from ..rules import offers
from ..rules.blockers import Blocker
from ..rules.facts import RolloutFacts
from ..rules.machine import PHASE_VERBS, ROLLOUT_VERBS, Verb
from ..rules.offers import Offer
from ..rules.phrases import say, spoken
from ..services import facts, transitions
from ..services.refusals import Refused
from .base import AuditedAdmin


@dataclass(frozen=True, slots=True)
class Button:
    """An offer with the address that it is sent to; ``blockers`` with the address that clears each."""

    offer: Offer
    url: str
    blockers: tuple[tuple[str, str], ...]
    confirm: str

    @property
    def name(self) -> str:
        """Tells the buttons of one page apart."""
        return f"{self.url.strip('/').replace('/', '-')}"


class TransitionsAdmin(AuditedAdmin):
    """A page with buttons; each goes to the service, which judges role, state and blockers again."""

    change_form_template = "admin/transitions.html"
    verbs: dict[str, Verb]

    def get_urls(self) -> list[Any]:
        take = self.admin_site.admin_view(self.take)
        return [path("<int:pk>/transition/<str:verb>/", take, name=f"{self._name}_transition"), *super().get_urls()]

    @property
    def _name(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        obj = self.get_object(request, object_id)
        more = {"buttons": self.buttons(obj, Actor.of(request.user))} if obj else {}
        return super().change_view(request, object_id, form_url, {**more, **(extra_context or {})})

    def take(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Take one transition. Refused: 409 with every blocker (403 if only the role is lacking), nothing changed."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if verb not in self.verbs:
            raise Http404(f"There is no {verb} of {self.opts.verbose_name_plural}.")
        obj: Any = get_object_or_404(self.get_queryset(request), pk=pk)
        try:
            done = self.perform(verb, obj, request)
        except Refused as refused:
            return self.refused(request, say("{verb}: {what}", verb=self.verbs[verb].label, what=obj), obj, refused)
        self.message_user(request, spoken(say("You {did}.", did=self.verbs[verb].did(done))), messages.SUCCESS)
        return SeeOther(reverse(f"admin:{self._name}_change", args=[done.pk]))

    def refused(self, request: HttpRequest, title: str, obj: Any, refused: Refused) -> HttpResponse:
        """409 with every blocker, 403 if only the role is lacking."""
        context = {
            **self.admin_site.each_context(request),
            **refusals.told(refused, obj if isinstance(obj, Rollout) else obj.rollout),
            "title": title,
            "back": reverse(f"admin:{self._name}_change", args=[obj.pk]),
            "object": obj,
            "opts": self.opts,
        }
        return render(request, "admin/refused.html", context, status=refused.status)

    def buttons_for(self, pk: int, rollout: Rollout, offered: Iterable[Offer]) -> list[Button]:
        """``pk`` is of what the offers are for."""
        name = f"admin:{self._name}_transition"
        return [
            Button(one, reverse(name, args=[pk, one.verb]), _told(one.blockers, rollout), rollout.slug)
            for one in offered
        ]

    def buttons(self, obj: Any, by: Actor) -> list[Button]:
        raise NotImplementedError

    def perform(self, verb: str, obj: Any, request: HttpRequest) -> Any:
        raise NotImplementedError


class PhaseTransitions(TransitionsAdmin):
    verbs = PHASE_VERBS

    def buttons(self, obj: Phase, by: Actor) -> list[Button]:
        """None for an attempt that was followed by another."""
        rollout = Rollout.objects.whole().get(pk=obj.rollout_id)
        if obj.pk not in {phase.pk for phase in facts.newest_attempts(rollout)}:
            return []
        return self.buttons_of(obj, rollout, facts.for_rollout(rollout, clock.now()), by)

    def buttons_of(self, obj: Phase, rollout: Rollout, facts: RolloutFacts, by: Actor) -> list[Button]:
        """Of a phase's newest attempt, for who has the facts already."""
        return self.buttons_for(obj.pk, rollout, offers.of_phase(facts, facts.phase(obj.name), by.person))

    def perform(self, verb: str, obj: Phase, request: HttpRequest) -> Phase:
        return transitions.perform(verb, obj, by=Actor.of(request.user), **transitions.said_in(request.POST))


class RolloutTransitions(TransitionsAdmin):
    verbs = ROLLOUT_VERBS

    def buttons(self, obj: Rollout, by: Actor) -> list[Button]:
        rollout = Rollout.objects.whole().get(pk=obj.pk)
        about = facts.for_rollout(rollout, clock.now())
        return self.buttons_for(obj.pk, rollout, offers.of_rollout(about, by.person))

    def perform(self, verb: str, obj: Rollout, request: HttpRequest) -> Rollout:
        inputs = transitions.said_in(request.POST)
        return transitions.perform_on_rollout(
            verb, obj, by=Actor.of(request.user), reason=inputs["reason"], seen=inputs["seen"]
        )


def _told(blockers: Iterable[Blocker], rollout: Rollout) -> tuple[tuple[str, str], ...]:
    """Each blocker in words, with the address that clears it where there is one."""

    return tuple(
        (blocker.message, blocker.url(rollout.get_absolute_url()) if blocker.where else "") for blocker in blockers
    )
