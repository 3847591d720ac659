"""Pages that are open follow what happens. Each asks again and again; where nothing happened, the answer is one query
and no body (docs/decisions, "Live by asking").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from ..audit.middleware import Middleware
from ..models import AuditEvent, Rollout, SyncRun
from .presenters import history

#: Asks: what the page stands at. Answers: what it stands at now.
VERSION = "Live-Version"
#: Asks for the page although nothing happened: soaks end, readings go stale and locks begin without anybody's doing.
ANYWAY = "Live-Anyway"
#: As many sentences of news as somebody listens to.
TOLD = 3
#: What happens to the plans and flags of all, one by one, is no news for who looks at the whole.
LOUD = ("phase.", "rollout.", "drift.", "plan.", "override.", "approval.")


@dataclass(frozen=True, slots=True)
class Live:
    """What a followed page knows: where it stands, and in words what happened since it last asked."""

    version: str
    news: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Followed:
    """``version`` costs one query, and ends in the number at the bell of who looks; ``news`` says what happened since
    a version.
    """

    version: Callable[..., str]
    news: Callable[..., Iterable[AuditEvent]]


def _newest(events: QuerySet[AuditEvent]) -> Subquery:
    return Subquery(events.order_by("-pk").values("pk")[:1])


def _seen() -> QuerySet[AuditEvent]:
    """What may change a page: that somebody signs in or out does not."""
    return AuditEvent.objects.exclude(verb__startswith="account.sign_")


def _bell(person: Any) -> Coalesce:
    """How many notices of theirs are unread: it changes some seconds after what they tell of."""
    from ..services import notices  # it brings much along that not each process needs

    unread = notices.unread(person).order_by().values("person").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(unread), 0)


def _of_all(person: Any, **where: object) -> str:
    newest = _seen().order_by("-pk").values_list("pk", _bell(person)).first()
    return "{}-{}".format(*newest or (0, 0))


def _of_bell(person: Any, **where: object) -> str:
    """The list of notices itself: the newest, how many there are, and how many are unread."""
    from ..services import notices

    mine = notices.of(person).order_by()
    told = mine.aggregate(newest=Max("pk"), number=Count("pk"), unread=Count("pk", filter=Q(read_at=None)))
    return f"{told['newest'] or 0}-{told['number']}-{told['unread']}"


def _since_of_all(known: list[int], **where: object) -> Iterable[AuditEvent]:
    events = AuditEvent.objects.newest_first().filter(pk__gt=known[0], rollout__isnull=False)[:200]
    return (event for event in events if event.verb.startswith(LOUD))


def _of_rollout(person: Any, slug: str, **where: object) -> str:
    """Its newest event, the newest of the whole portal (locks, quotas), and its flag's newest reading."""
    own = _newest(AuditEvent.objects.filter(rollout=OuterRef("pk")))
    whole = _newest(_seen().filter(rollout__isnull=True))
    rollout = Rollout.objects.filter(slug=slug).values_list(own, whole, "flag__reading", _bell(person)).first()
    return "-".join(str(part or 0) for part in rollout or ())


def _since_of_rollout(known: list[int], slug: str, **where: object) -> Iterable[AuditEvent]:
    return AuditEvent.objects.newest_first().filter(pk__gt=known[0], rollout__slug=slug)


def _of_sync(person: Any, **where: object) -> str:
    """The newest event, and how far the newest passes are."""
    event = _newest(_seen())
    runs = list(SyncRun.objects.order_by("-pk").values_list(event, "pk", "done", "finished_at", _bell(person))[:5])
    if not runs:
        return _of_all(person)
    event_pk, newest, *_, bell = runs[0]
    done, finished = sum(run[2] for run in runs), sum(run[3] is not None for run in runs)
    return f"{event_pk or 0}-{newest}-{done}-{finished}-{bell}"


WHOLE = Followed(_of_all, _since_of_all)
PAGES = {
    "portal:portfolio": WHOLE,
    "portal:rollout": Followed(_of_rollout, _since_of_rollout),
    "portal:approvals": WHOLE,
    "portal:locks": WHOLE,
    "portal:timeline": WHOLE,
    "portal:flags": WHOLE,
    "portal:flag": WHOLE,
    "portal:models": WHOLE,
    "portal:model": WHOLE,
    "portal:sync": Followed(_of_sync, _since_of_all),
    "portal:notices": Followed(_of_bell, lambda known, **where: ()),
}


class FollowedPages(Middleware):
    """Answers 204 to a page that asks and has missed nothing, before its view begins."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (live := of(request)) is not None:
            response[VERSION] = live.version
            patch_vary_headers(response, [VERSION])
        return response

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: dict) -> HttpResponse | None:
        match = request.resolver_match
        page = PAGES.get(match.view_name) if match and request.method == "GET" else None
        if page is None:
            return None
        version, known = page.version(person=request.user, **kwargs), request.headers.get(VERSION, "")
        if not version:
            return None  # there is no such rollout: let the view say so
        if known == version and ANYWAY not in request.headers:
            return HttpResponse(status=204, headers={VERSION: version})
        request.live = Live(version, _news(page, known, kwargs))  # type: ignore[attr-defined]
        return None


def of(request: HttpRequest) -> Live | None:
    """What is followed of the page that this request asks for."""
    return getattr(request, "live", None)


def is_asked(request: HttpRequest) -> bool:
    """Whether an open page asks, and not a person."""
    return VERSION in request.headers


def _news(page: Followed, known: str, where: dict) -> list[str]:
    """The newest few sentences, oldest first; none where it is not known since when."""
    parts = known.split("-")
    if not all(part.isdecimal() and len(part) < 19 for part in parts):
        return []
    events = [event for event, _ in zip(page.news([int(part) for part in parts], **where), range(TOLD), strict=False)]
    return [history.event_line(event) for event in reversed(events)]
