"""Views of lists that people keep: everybody for themselves, managers for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import SavedView, clock
from ..rules.blockers import Blocker
from ..rules.machine import Role
from ..rules.phrases import say, shorten
from .lists.history import HistoryFilter
from .refusals import refuse_if, role_missing

Page = SavedView.Page
#: So many views of a list one person may keep: more is no choice any more.
MOST = 30
#: What of an address makes a view.
KEPT: Mapping[str, tuple[str, ...]] = {
    Page.PORTFOLIO: ("q", "state", "provider", "owner", "phase", "health", "show", "group", "sort", "view"),
    Page.AUDIT: tuple(HistoryFilter.get_filters()),
}
#: Where a page begins makes none.
LEFT_OUT = {"after", "before", "page"}
LONGEST_NAME, LONGEST_QUERY = 60, 1000


def of(by: Actor, page: str = Page.PORTFOLIO) -> QuerySet[SavedView]:
    """The person's own views of a list and those that are shared, by name."""
    return of_all(by).filter(page=page)


def of_all(by: Actor) -> QuerySet[SavedView]:
    return SavedView.objects.filter(Q(person=by.user) | Q(shared=True)).select_related("person")


def keep(name: str, query: str, *, by: Actor, shared: bool = False, page: str = Page.PORTFOLIO) -> SavedView:
    """Keep a view under a name, or keep another one under the same name. Raises ``Refused``."""
    name, blockers = _named(name), list(_page_unknown(page))
    refuse_if(blockers)
    blockers += [*_name_wrong(name), *_query_wrong(page, query)]
    query = _kept(query)
    if len(query) > LONGEST_QUERY:
        blockers.append(Blocker("query", say("This view is too long to be kept: take a filter away.")))
    if shared:
        blockers += role_missing(by, Role.MANAGER, say("Sharing a view"))
    with recorded("view.keep", by=by) as recording:
        _one_after_the_other(by)
        own = SavedView.objects.filter(person=by.user, page=page)
        view = own.filter(name=name).first()
        if view is None and own.count() >= MOST:
            blockers.append(Blocker("too_many", say("You keep {most} views already: remove one first.", most=MOST)))
        refuse_if(blockers)
        recording.about = view = view or SavedView(person=by.user, page=page, name=name, created_at=clock.now())
        view.query, view.shared = query, shared
        view.save()
    return view


def rename(view: SavedView, name: str, *, by: Actor) -> None:
    """Its owner may. Raises ``Refused``."""
    name = _named(name)
    blockers = list(_name_wrong(name))
    if view.person_id != by.user.pk:
        blockers.append(Blocker("role", say("Only who keeps a view can rename it.")))
    with recorded("view.rename", by=by, about=view):
        _one_after_the_other(by)
        others = SavedView.objects.filter(person=view.person_id, page=view.page, name=name).exclude(pk=view.pk)
        if others.exists():
            blockers.append(Blocker("name", say("You keep another view called {name}.", name=name)))
        refuse_if(blockers)
        view.name = name
        view.save()


def remove(view: SavedView, *, by: Actor) -> None:
    """Its owner may, and an admin. Raises ``Refused``."""
    if view.person_id != by.user.pk and not by.person.has(Role.ADMIN):
        refuse_if([Blocker("role", say("Only who keeps a view can remove it, and an admin."))])
    with recorded("view.remove", by=by, about=view):
        view.delete()


def _one_after_the_other(by: Actor) -> None:
    get_user_model().objects.select_for_update(no_key=True).get(pk=by.user.pk)


def _named(name: str) -> str:
    return " ".join(name.split())


def _name_wrong(name: str) -> Iterator[Blocker]:
    if not 1 <= len(name) <= LONGEST_NAME:
        yield Blocker("name", say("Give the view a name of 1 to 60 characters."))


def _page_unknown(page: str) -> Iterator[Blocker]:
    if page not in KEPT:
        yield Blocker("query", say("There is no list «{name}» of which views are kept.", name=shorten(page)))


def _query_wrong(page: str, query: str) -> Iterator[Blocker]:
    pairs = _pairs(query)
    unknown = dict.fromkeys(name for name, _ in pairs if name not in KEPT[page])
    for name in list(unknown)[:5]:
        yield Blocker("query", say("There is no filter «{name}» here: take it away.", name=shorten(name)))
    if page == Page.AUDIT:
        for fault in HistoryFilter(dict(pairs)).faults.values():
            yield Blocker("query", fault)


def _kept(query: str) -> str:
    return urlencode([(name, value[:200]) for name, value in _pairs(query)])


def _pairs(query: str) -> list[tuple[str, str]]:
    pairs = parse_qsl(query.removeprefix("?")[:5000])
    return [(name, value) for name, value in pairs if value and name not in LEFT_OUT]
