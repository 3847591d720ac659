"""Views of the portfolio that people keep: everybody for themselves, managers for all."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import SavedView, clock
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say
from .refusals import refuse_if, role_missing

#: So many views one person may keep: more is no choice any more.
MOST = 30
#: What of an address makes a view; where a page begins does not.
KEPT = ("q", "state", "provider", "owner", "phase", "health", "show", "group", "sort", "view")


def of(by: Actor) -> QuerySet[SavedView]:
    """The person's own views and those that are shared, by name."""
    return SavedView.objects.filter(Q(person=by.user) | Q(shared=True)).select_related("person")


def keep(name: str, query: str, *, by: Actor, shared: bool = False) -> SavedView:
    """Keep a view under a name, or keep another one under the same name. Raises ``Refused``."""
    name, query = " ".join(name.split()), _kept(query)
    blockers = []
    if not 1 <= len(name) <= 60:
        blockers.append(Blocker("name", say("Give the view a name of 1 to 60 characters.")))
    if len(query) > 1000:
        blockers.append(Blocker("query", say("This view is too long to be kept: take a filter away.")))
    if shared:
        blockers += role_missing(by, Role.MANAGER, say("Sharing a view"))
    with recorded("view.keep", by=by) as recording:
        # Two at once are one after the other.
        get_user_model().objects.select_for_update(no_key=True).get(pk=by.user.pk)
        view = SavedView.objects.filter(person=by.user, name=name).first()
        if view is None and SavedView.objects.filter(person=by.user).count() >= MOST:
            blockers.append(Blocker("too_many", say("You keep {most} views already: remove one first.", most=MOST)))
        refuse_if(blockers)
        recording.about = view = view or SavedView(person=by.user, name=name, created_at=clock.now())
        view.query, view.shared = query, shared
        view.save()
    return view


def remove(view: SavedView, *, by: Actor) -> None:
    """Its owner may, and an admin. Raises ``Refused``."""
    if view.person_id != by.user.pk and not by.person.has(Role.ADMIN):
        refuse_if([Blocker("role", say("Only who keeps a view can remove it, and an admin."))])
    with recorded("view.remove", by=by, about=view):
        view.delete()


def _kept(query: str) -> str:
    pairs = parse_qsl(query.removeprefix("?")[:5000])
    return urlencode([(key, value[:200]) for key, value in pairs if key in KEPT and value])
