"""``/feeds/``: calendars and events for programs that can't sign in; their addresses carry the reader's key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ...audit.actor import Actor
from ...models import FeedKey, Rollout, clock
from ...models.keyset import WrongCursor
from ...rules.phrases import spoken
from ...services import feed_keys
from ..answers import SeeOther, as_file
from ..feeds import absolute, calendar, calendar_of_one, events

ICS, ATOM = "text/calendar; charset=utf-8", "application/atom+xml; charset=utf-8"
#: Events that belong to no rollout and yet say when one may move.
OF_LOCKS = Q(verb__startswith="lock.") | Q(verb__startswith="calendar.")


@dataclass(frozen=True, slots=True)
class Feed:
    """What is answered: its bytes, what they are, and when they last changed."""

    body: bytes
    kind: str
    name: str
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Addresses:
    """A person's feeds as the timeline page lists them; the key opens all of them."""

    key: str
    made_at: datetime

    @property
    def all_rollouts(self) -> str:
        return self._address("feed_all")

    @property
    def all_events(self) -> str:
        return self._address("feed_events")

    def of_person(self, name: str) -> str:
        return self._address("feed_person", name)

    def of_team(self, team: str) -> str:
        return self._address("feed_team", team)

    def of_rollout(self, slug: str) -> tuple[str, str]:
        return self._address("feed_rollout", slug), self._address("feed_rollout_events", slug)

    def _address(self, name: str, *args: str) -> str:
        return absolute(reverse(f"portal:{name}", args=[self.key, *args]))


def addresses(request: HttpRequest) -> Addresses | None:
    """The signed-in person's; None while they have made none."""
    key = FeedKey.objects.filter(person_id=request.user.pk, ended_at=None).first()
    return Addresses(feed_keys.text_of(key), key.made_at) if key else None


def _feed(make: Callable[..., Feed]) -> Callable[..., HttpResponseBase]:
    """A view for whoever holds a key that works; 304 where the reader has it already. No key and no feed look alike.

    A document that the feed has not is 422, in words.
    """

    @login_not_required
    @require_safe
    @wraps(make)
    def view(request: HttpRequest, key: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if feed_keys.person_of(key) is None:
            raise Http404
        try:
            feed = make(request, *args, **kwargs)
        except WrongCursor as wrong:
            return HttpResponse(f"{spoken(str(wrong))}\n", status=422, content_type="text/plain; charset=utf-8")
        etag = f'"{hashlib.sha256(feed.body).hexdigest()[:32]}"'
        stamp = int(feed.changed_at.timestamp()) if feed.changed_at else None
        answer = HttpResponse(feed.body, content_type=feed.kind)
        answer["ETag"] = etag
        if stamp:
            answer["Last-Modified"] = http_date(stamp)
        response = as_file(get_conditional_response(request, etag, stamp, answer) or answer, feed.name, shown=True)
        response["X-Robots-Tag"] = "noindex"
        patch_cache_control(response, private=True, max_age=300)
        return response

    return view


@_feed
def all_rollouts(request: HttpRequest) -> Feed:
    return _calendar(_("Rollouts"), Rollout.objects.all())


@_feed
def of_person(request: HttpRequest, name: str) -> Feed:
    """Those that the person is an owner of."""
    return _calendar(_("Rollouts of {name}").format(name=name), Rollout.objects.owned_by(name))


@_feed
def of_team(request: HttpRequest, team: str) -> Feed:
    """Those whose flag belongs to the team, as the flag's definition in GitLab says."""
    return _calendar(_("Rollouts of {name}").format(name=team), Rollout.objects.filter(flag__group=team))


@_feed
def of_rollout(request: HttpRequest, slug: str) -> Feed:
    body, changed_at = calendar_of_one(get_object_or_404(Rollout, slug=slug), clock.now())
    return Feed(body, ICS, "rollout.ics", changed_at)


@_feed
def all_events(request: HttpRequest) -> Feed:
    return _events(request, _("Rollouts"), Q(rollout__isnull=False) | OF_LOCKS)


@_feed
def rollout_events(request: HttpRequest, slug: str) -> Feed:
    rollout = get_object_or_404(Rollout, slug=slug)
    return _events(request, rollout.title, Q(rollout=rollout), rollout.slug)


def _calendar(name: str, rollouts: Any) -> Feed:
    body, changed_at = calendar(name, rollouts, clock.now())
    return Feed(body, ICS, "rollouts.ics", changed_at)


def _events(request: HttpRequest, name: str, of: Q, slug: str = "") -> Feed:
    body, changed_at = events(name, of, absolute(request.path), request.GET.get("before", ""), slug)
    return Feed(body, ATOM, "events.atom", changed_at)


@require_POST
def renew(request: HttpRequest) -> HttpResponse:
    """Make the addresses, or others in their place."""
    feed_keys.renew(request.user, by=Actor.of(request.user))
    messages.success(request, _("Your feed addresses are new. Those from before open nothing any more."))
    return _back()


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    feed_keys.end(request.user, by=Actor.of(request.user))
    messages.success(request, _("Your feeds are switched off."))
    return _back()


def _back() -> HttpResponse:
    return SeeOther(f"{reverse('portal:timeline')}?feeds=open#feeds")
