"""Change locks: entered and ended by hand; and which hold now, wherever they come from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import DateTimeField, F, FilteredRelation, Q, TextField, Value
from django.db.models.functions import Cast

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import ChangeLock, GitLabInstance, IncidentSource, LockCalendar, LockPeriod, clock
from ..rules import locks as rules
from ..rules.blockers import Blocker, in_words
from ..rules.datetimes import FIRST, LAST
from ..rules.facts import LockFacts
from ..rules.locks import Weekly, Window
from ..rules.machine import Role
from ..rules.phrases import invalid, later, say, sentence
from ..rules.zones import to_utc, zone
from . import freshness
from .refusals import refuse_if, role_missing

#: The longest lock that is entered by hand.
LONGEST = timedelta(days=400)
#: A lock of every week is no longer than one, and whoever looks again within one misses no edge.
NEAR = timedelta(days=8)
#: Of all that comes, what is shown.
COMING = timedelta(days=60)
#: A calendar that was not read for so long may have changed: the portal does not know.
CALENDAR_FRESH = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Locks:
    """What locks now: by instance (None: every one), and which sources could not be read lately.

    ``changes_at`` is when the next lock begins or ends.
    """

    holding: tuple[tuple[int | None, LockFacts], ...] = ()
    unread: tuple[tuple[int | None, str], ...] = ()
    changes_at: datetime | None = None

    def on(self, instance_id: int) -> tuple[tuple[LockFacts, ...], tuple[str, ...]]:
        """The locks, and the sources unread, that concern one GitLab."""
        scope = (None, instance_id)
        return (
            tuple(lock for where, lock in self.holding if where in scope),
            tuple(words for where, words in self.unread if where in scope),
        )


#: Where whether something is locked changes nothing.
NO_LOCKS = Locks()


def standing(now: datetime) -> Locks:
    """Every lock that holds now; two queries, and no more rows however many locks are over."""
    return of_these(now, ChangeLock.objects.touching(now, now + NEAR), *from_elsewhere(now))


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar of locks with its periods that touch what is looked at. ``url`` is empty for one that was uploaded."""

    name: str
    url: str
    read_at: datetime | None
    windows: list[Window]


@dataclass(frozen=True, slots=True)
class Incidents:
    """The open issues of a project that lock: each ``{"iid": 7, "label": "incident"}``."""

    instance_id: int
    instance_url: str
    path: str
    read_at: datetime | None
    open_issues: list[dict[str, Any]]


def of_these(
    now: datetime,
    locks: Iterable[ChangeLock],
    calendars: Iterable[Calendar],
    incidents: Iterable[Incidents],
    *,
    calendars_read: bool = False,
) -> Locks:
    """What holds at a moment of these. ``calendars_read``: whether they were read in time is not asked."""
    holding: list[tuple[int | None, LockFacts]] = []
    unread: list[tuple[int | None, str]] = []
    edges: list[datetime] = []
    for lock in locks:
        windows = lock.windows(now - NEAR, now + NEAR)
        edges += rules.edges(windows, now)
        if rules.current(windows, now):
            holding.append((lock.instance_id, LockFacts(lock.title, rules.merged_end(windows, now))))
    for calendar in calendars:
        edges += rules.edges(calendar.windows, now)
        current = rules.current(calendar.windows, now)
        holding += [(None, LockFacts(one.title or calendar.name, one.ends_at)) for one in current]
        was_read = calendars_read or not calendar.url
        if not was_read and (calendar.read_at is None or now - calendar.read_at > CALENDAR_FRESH):
            unread.append((None, _unread(*CALENDAR_UNREAD, calendar.name, calendar.read_at, now)))
    for source in incidents:
        for issue in source.open_issues:
            reference = f"{source.path}#{issue['iid']}"
            title = say("open {label} issue {reference}", label=issue["label"], reference=reference)
            url = f"{source.instance_url}/{source.path}/-/issues/{issue['iid']}"
            holding.append((source.instance_id, LockFacts(title, None, url)))
        if freshness.is_stale(source.read_at, now):
            unread.append((source.instance_id, _unread(*INCIDENTS_UNREAD, source.path, source.read_at, now)))
    return Locks(tuple(holding), tuple(unread), min(edges, default=None))


def from_elsewhere(now: datetime) -> tuple[list[Calendar], list[Incidents]]:
    """Calendars with what of them is near, and projects of incidents; one query."""
    touching = Q(periods__ends_at__gt=now, periods__starts_at__lt=now + NEAR)
    never, nothing = Value(None, DateTimeField()), Value("", TextField())
    period = ("of", "issues", "starts", "ends", "of_what")
    # Django's types know no column that only a query has.
    near: Any = LockCalendar.objects.annotate(near=FilteredRelation("periods", condition=touching)).order_by()
    calendars = near.annotate(
        of=Value(0), issues=nothing, starts=F("near__starts_at"), ends=F("near__ends_at"), of_what=F("near__title")
    ).values_list("name", "url", "read_at", *period)
    projects: Any = IncidentSource.objects.order_by()
    incidents = projects.annotate(
        of=F("instance_id"), issues=Cast("open_issues", TextField()), starts=never, ends=never, of_what=nothing
    ).values_list("path", "instance__url", "read_at", *period)
    rows = calendars.union(incidents, all=True).order_by("of", "name", "starts", "ends")
    found: tuple[list[Calendar], list[Incidents]] = [], []
    for (name, url, read_at, instance, issues), periods in groupby(rows, key=itemgetter(0, 1, 2, 3, 4)):
        if instance:
            found[1].append(Incidents(instance, url, name, read_at, json.loads(issues)))
        else:
            windows = [Window(start, end, title) for *_, start, end, title in periods if start]
            found[0].append(Calendar(name, url, read_at, windows))
    return found


def coming(now: datetime, most: int = 20) -> list[tuple[Window, str]]:
    """The next periods with what they come from, soonest first."""
    until = now + COMING
    windows = [
        (window, lock.title)
        for lock in ChangeLock.objects.touching(now, until)
        for window in lock.windows(now, until)
        if window.starts_at > now
    ]
    periods = LockPeriod.objects.touching(now, until).filter(starts_at__gt=now)
    windows += [(one.window, one.name) for one in periods[:most]]
    return sorted(windows, key=lambda each: each[0].starts_at)[:most]


CALENDAR_UNREAD = (
    later("The calendar {name} was last read {length} ago."),
    later("The calendar {name} was not read yet."),
)
INCIDENTS_UNREAD = (
    later("The incidents of {name} were last read {length} ago."),
    later("The incidents of {name} were not read yet."),
)


def _unread(too_old: str, never: str, name: str, read_at: datetime | None, now: datetime) -> str:
    return say(too_old, name=name, length=in_words(now - read_at, units=1)) if read_at else say(never, name=name)


def add(inputs: Mapping[str, Any], *, by: Actor) -> ChangeLock:
    """A lock by hand, from local times in a named zone. Raises ``Refused`` with what is wrong, in words.

    ``inputs``: title, kind; for ``once`` starts and ends (naive datetimes); for ``weekly`` from_day, from_time, to_day,
    to_time; zone; instance (a name, or empty for every one).
    """
    blockers = role_missing(by, Role.MANAGER, say("Entering a change lock"))
    values, faults = _values(inputs)
    refuse_if([*blockers, *faults])
    with recorded("lock.add", by=by) as recording:
        recording.about = lock = ChangeLock.objects.create(**values, created_by=by.name, created_at=clock.now())
    return lock


def _values(inputs: Mapping[str, Any]) -> tuple[dict[str, Any], list[Blocker]]:
    title, name = str(inputs.get("title") or "").strip(), str(inputs.get("zone") or "UTC")
    values: dict[str, Any] = {"title": title[:200], "zone": name, "kind": inputs.get("kind") or "once"}
    blockers = [] if title else [Blocker("title_missing", say("Say why nothing may widen: give the lock a title."))]
    try:
        zone(name)
        if values["kind"] == ChangeLock.Kind.WEEKLY:
            values |= _weekly(inputs, name)
        else:
            values |= _once(inputs, name)
    except ValueError as wrong:
        blockers.append(Blocker("time", sentence(wrong)))
    if inputs.get("instance"):
        instance = GitLabInstance.objects.followed().filter(name=inputs["instance"]).first()
        if instance is None:
            blockers.append(Blocker("instance", say("There is no GitLab instance {name}.", name=inputs["instance"])))
        values["instance"] = instance
    return values, blockers


def _once(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not inputs.get("starts") or not inputs.get("ends"):
        raise invalid("say when the lock starts and when it ends.")
    starts_at, ends_at = to_utc(inputs["starts"], name), to_utc(inputs["ends"], name)
    Window(starts_at, ends_at)
    if not FIRST <= starts_at < LAST:
        raise invalid("a lock is of this century: {year} is not.", year=str(starts_at.year))
    if ends_at - starts_at > LONGEST:
        raise invalid("a lock of more than a year is no period: end it earlier.")
    return {"starts_at": starts_at, "ends_at": ends_at}


def _weekly(inputs: Mapping[str, Any], name: str) -> dict[str, Any]:
    keys = ("from_day", "from_time", "to_day", "to_time")
    if any(inputs.get(key) in (None, "") for key in keys):
        raise invalid("say on which day and at what time the lock begins each week, and when it ends.")
    values = {key: inputs[key] for key in keys}
    Weekly(values["from_day"], values["from_time"], values["to_day"], values["to_time"], name)
    return values


def end(lock: ChangeLock, *, by: Actor, reason: str) -> ChangeLock:
    """Take a lock away, from now on. Who made it may, and an admin. Raises ``Refused``."""
    with recorded("lock.end", by=by, reason=reason.strip()) as recording:
        lock = ChangeLock.objects.locked().get(pk=lock.pk)
        recording.about = lock
        blockers = blockers_of_end(lock, by)
        if not reason.strip():
            blockers.append(Blocker("reason_missing", say("Ending a change lock needs a reason.")))
        refuse_if(blockers)
        lock.ended_at, lock.ended_by = clock.now(), by.name
        lock.save()
    return lock


def blockers_of_end(lock: ChangeLock, by: Actor) -> list[Blocker]:
    """Why this person can't end it now: who made it may, and an admin."""
    blockers = []
    if lock.created_by != by.name:
        blockers += role_missing(by, Role.ADMIN, say("Ending somebody else's change lock"))
    blockers += role_missing(by, Role.MANAGER, say("Ending a change lock"))
    if lock.ended_at is not None:
        blockers.append(Blocker("ended", say("{who} has ended it already.", who=lock.ended_by)))
    return blockers
