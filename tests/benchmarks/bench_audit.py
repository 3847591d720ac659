"""``make bench-audit``: each look-up in a long history, first page and thousandth, beside the SQL an expert writes for it.

``EVENTS`` says how many events there are: copies of the demo's, a minute apart, some of them rare. Goals: no look-up takes
over twice the bare SQL's time, and none over five times the newest page's.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from rollouts.models import AuditEvent, Rollout, clock
from rollouts.models.event_words import key_of, text_of
from rollouts.services.lists.history import NEWEST_FIRST, HistoryFilter
from rollouts.services.lists.lookup import MOST_COUNTED

pytestmark = [pytest.mark.benchmark, pytest.mark.django_db(transaction=True), pytest.mark.timeout(36_000)]
EVENTS = int(os.environ.get("EVENTS", "5000000"))
TIMES = int(os.environ.get("TIMES", "5"))
PAGE, THOUSANDTH = 50, 1_000
BATCH = 5_000
RARE = 40_000  # one event of so many is rare


def populate() -> None:
    """Events as the demo has them, by raw inserts: what is measured is looking them up."""
    models = list(AuditEvent.objects.select_related("rollout").order_by("pk"))
    begun, start = AuditEvent.objects.count(), models[-1].pk
    first = clock.now() - timedelta(minutes=EVENTS)
    texts = {event.pk: text_of(event, "before", "after") for event in models}
    columns = list(AuditEvent._meta.concrete_fields)
    names = ", ".join(connection.ops.quote_name(field.column) for field in columns)
    marks = ", ".join(["%s"] * len(columns))
    known = {
        event.pk: [field.get_db_prep_save(getattr(event, field.attname), connection) for field in columns]
        for event in models
    }
    place = {field.name: position for position, field in enumerate(columns)}
    people = [f"person-{number}" for number in range(40)]
    for at in range(begun, EVENTS, BATCH):
        events, words = [], []
        for number in range(at, min(at + BATCH, EVENTS)):
            event = models[number % len(models)]
            row, pk, when = list(known[event.pk]), start + number + 1, first + timedelta(minutes=number)
            row[place["id"]] = pk
            row[place["at"]] = connection.ops.adapt_datetimefield_value(when)
            row[place["request_id"]] = f"request-{number // 3}"
            row[place["source"]] = ("page", "sync", "api", "webhook", "command")[number * 7 % 5]
            row[place["actor"]] = people[number * 13 % 40]
            reason, way = event.reason, ""
            if number % RARE == 77:
                row[place["verb"]], row[place["actor"]] = "rare.verb", "rare-person"
                reason = row[place["reason"]] = "quixotic zephyr"
            if number % 400 == 7 and number < EVENTS // 2:
                reason = row[place["reason"]] = "waxworks of old"
            if number % 4 == 0:
                way = f"token:{number % 8}"
                row[place["way"]] = json.dumps({"token": {"id": number % 8}})
            elif number % 1000 == 5:
                way = f"session:s{number % 7}"
            events.append(row)
            words.append(
                (
                    key_of(when, pk),
                    pk,
                    True,
                    True,
                    f"{row[place['actor']]} {row[place['verb']]} {reason} {texts[event.pk]}",
                    way,
                )
            )
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO rollouts_auditevent ({names}) VALUES ({marks})", events)
            cursor.executemany(
                "INSERT INTO rollouts_eventwords (key, event_id, for_all, for_roles, text, way) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                words,
            )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE rollouts_auditevent")
            cursor.execute("VACUUM ANALYZE rollouts_eventwords")


def look_ups() -> dict[str, tuple[dict[str, str], str, list[object]]]:
    """What is asked by its name: as at a door, and as the condition of an expert on ``e`` (event) and ``w`` (words)."""
    rollout = Rollout.objects.get(slug="haiku-code-completion")
    of_it = (
        "(e.rollout_id = %s OR e.id IN (SELECT auditevent_id FROM rollouts_auditevent_concerns WHERE rollout_id = %s))"
    )
    phases = [verb for verb in AuditEvent.objects.known("verb") if verb.startswith("phase.")]
    a_phase = f"e.verb IN ({', '.join(['%s'] * len(phases))})"
    kind, pk = AuditEvent.objects.filter(object_type="Phase").values_list("object_type", "object_id")[0]
    middle = clock.now() - timedelta(minutes=EVENTS // 2)
    day, as_bound = f"{middle:%Y-%m-%dT00:00Z}", middle.replace(hour=0, minute=0, second=0, microsecond=0)
    before = connection.ops.adapt_datetimefield_value(as_bound)
    return {
        "newest": ({}, "1 = 1", []),
        "rollout": ({"rollout": rollout.slug}, of_it, [rollout.pk, rollout.pk]),
        "object": ({"object": f"{kind}:{pk}"}, "e.object_type = %s AND e.object_id = %s", [kind, pk]),
        "person": ({"actor": "person-3"}, "e.actor = %s", ["person-3"]),
        "rare person": ({"actor": "rare-person"}, "e.actor = %s", ["rare-person"]),
        "verb": ({"verb": "flag.read"}, "e.verb = %s", ["flag.read"]),
        "rare verb": ({"verb": "rare.verb"}, "e.verb = %s", ["rare.verb"]),
        "group of verbs": ({"verb": "phase"}, a_phase, phases),
        "source": ({"source": "api"}, "e.source = %s", ["api"]),
        "source that never occurs": ({"source": "ramp"}, "e.source = %s", ["ramp"]),
        "request": ({"request": f"request-{EVENTS // 6}"}, "e.request_id = %s", [f"request-{EVENTS // 6}"]),
        "before a day": ({"until": day}, "e.at < %s", [before]),
        "verb before a day": ({"verb": "flag.read", "until": day}, "e.verb = %s AND e.at < %s", ["flag.read", before]),
        "person and verb": ({"actor": "person-3", "verb": "flag.read"}, "e.actor = %s AND e.verb = %s", ["person-3", "flag.read"]),
        "person and group": ({"actor": "person-3", "verb": "phase"}, f"e.actor = %s AND {a_phase}", ["person-3", *phases]),
        "rollout and verb": ({"rollout": rollout.slug, "verb": "phase.advance"}, f"{of_it} AND e.verb = %s", [rollout.pk, rollout.pk, "phase.advance"]),
        "rare verb of a source": ({"verb": "rare.verb", "source": "page"}, "e.verb = %s AND e.source = %s", ["rare.verb", "page"]),
        "person and no source": ({"actor": "person-3", "source": "ramp"}, "e.actor = %s AND e.source = %s", ["person-3", "ramp"]),
        "token": ({"token": "4"}, "w.way = %s AND w.way <> ''", ["token:4"]),
        "session": ({"session": "s3"}, "w.way = %s AND w.way <> ''", ["session:s3"]),
        "word": ({"q": "haiku"}, "WORD", ["haiku"]),
        "rare word": ({"q": "quixotic"}, "WORD", ["quixotic"]),
        "word of old": ({"q": "waxworks"}, "WORD", ["waxworks"]),
        "word that never occurs": ({"q": "unobtainium"}, "WORD", ["unobtainium"]),
        "word of a person": ({"q": "haiku", "actor": "person-3"}, "WORD AND e.actor = %s", ["haiku", "person-3"]),
        "word of a rare verb": ({"q": "haiku", "verb": "rare.verb"}, "WORD AND e.verb = %s", ["haiku", "rare.verb"]),
        "short word": ({"q": "v4"}, "WORD", ["\x1fv4\x1f"]),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bare:
    """One page and the number of hits, as an expert writes them: the rows of the page only are joined to what is shown."""

    where: str
    values: list[object]

    @property
    def of_words(self) -> bool:
        return "w." in self.where or "WORD" in self.where

    def read(self, after: tuple[object, int] | None) -> tuple[int, int]:
        """How many rows, and how many there are."""
        tables, order, place, where, values = (
            "rollouts_auditevent e",
            "e.at DESC, e.id DESC",
            "",
            self.where,
            self.values,
        )
        if self.of_words:
            tables, order = "rollouts_eventwords w JOIN rollouts_auditevent e ON e.id = w.event_id", "w.key DESC"
        if "WORD" in where:
            word = str(values[0])
            where, values = where.replace("WORD", "w.text LIKE %s AND w.for_all"), [f"%{word}%", *values[1:]]
            if connection.vendor == "sqlite":
                tables = (
                    "rollouts_eventwords_index i CROSS JOIN rollouts_eventwords w ON w.key = i.rowid "
                    "CROSS JOIN rollouts_auditevent e ON e.id = w.event_id"
                )
                order, where = "i.rowid DESC", f"rollouts_eventwords_index MATCH %s AND {where}"
                parts = {word[n : n + 3] for n in (*range(0, len(word) - 3, 3), len(word) - 3)}
                values = [" ".join(f'"{part}"' for part in parts), *values]
        bound = list(values)
        if after:
            at, pk = after
            place = f"AND {order.split()[0]} < %s" if self.of_words else "AND (e.at, e.id) < (%s, %s)"
            bound += [key_of(at, pk)] if self.of_words else [connection.ops.adapt_datetimefield_value(at), pk]
        page = (
            f"SELECT e.*, r.* FROM (SELECT e.id, {order.split()[0]} AS k FROM {tables} WHERE {where} {place} "
            f"ORDER BY {order} LIMIT {PAGE + 1}) AS p JOIN rollouts_auditevent e ON e.id = p.id "
            "LEFT JOIN rollouts_rollout r ON r.id = e.rollout_id ORDER BY k DESC, e.id DESC"
        )
        with connection.cursor() as sql:
            sql.execute(page, bound)
            found = len(sql.fetchall())
            sql.execute(f"SELECT count(*) FROM (SELECT 1 FROM {tables} WHERE {where} LIMIT 1001) AS c", values)
            return min(found, PAGE), sql.fetchone()[0]


def timed(work: Callable[[], object]) -> float:
    """The median of some turns, in ms of this process and its database's answers."""
    found = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        work()
        found.append((time.perf_counter() - begun) * 1000)
    return statistics.median(found)


def thousandth(asked: dict[str, str]) -> AuditEvent | None:
    """The last event of the page before the thousandth; None where there are not so many."""
    question, offset = HistoryFilter(asked).look_up, PAGE * (THOUSANDTH - 1) - 1
    if question.count <= MOST_COUNTED:
        return None
    if question.words or question.way:
        numbers = question._entries().values_list("event_id", flat=True)[offset : offset + 1]
        return AuditEvent.objects.filter(pk__in=list(numbers)).first()
    return question.events.order_by("-at", "-pk")[offset : offset + 1].first()


def test_look_ups(settings, tmp_path, capsys):
    settings.GITLAB_URL, settings.DATA_DIR = "http://127.0.0.1:18003", tmp_path
    call_command("demo", "--port", "18003", verbosity=0)
    begun, newest = time.monotonic(), 0.0
    populate()
    with capsys.disabled():
        print(f"\n{EVENTS:,} events on {connection.vendor}, written in {time.monotonic() - begun:,.0f} s")
        print(f"{'look-up':26}{'page':>8}{'hits':>7}{'bare SQL':>10}{'portal':>10}{'ratio':>8}{'newest':>9}")
        for name, (asked, where, values) in look_ups().items():
            for which in ("first", "1,000th"):
                last = thousandth(asked) if which == "1,000th" else None
                if which == "1,000th" and last is None:
                    continue
                expert = partial(Bare(where, values).read, (last.at, last.pk) if last else None)
                cursor = NEWEST_FIRST.cursor(last) if last else ""

                def portal(asked=asked, cursor=cursor):
                    found = HistoryFilter({**asked, "after": cursor}).find(PAGE)
                    return len(found.page.rows), found.count

                assert expert() == portal(), name
                hand, ours = timed(expert), timed(portal)
                newest, hits = newest or ours, portal()[1]
                told = "1,000+" if hits > MOST_COUNTED else str(hits)
                print(f"{name:26}{which:>8}{told:>7}{hand:>8.1f}ms{ours:>8.1f}ms{ours / hand:>7.1f}×"
                      f"{ours / newest:>8.1f}×", flush=True)  # fmt: skip
