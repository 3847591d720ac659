"""The history is looked up by anything and any mix, and each way through it gives what reading all of it would."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.db.models import Q

from rollouts.audit import source
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, EventWords, clock
from rollouts.models.event_words import actor_in
from rollouts.services.lists import lookup
from rollouts.services.lists.history import HistoryFilter
from rollouts.services.lists.lookup import LookUp

pytestmark = pytest.mark.django_db
VERBS = ("phase.start", "phase.pause", "plan.apply")
REASONS = (
    "Haiku is ready",
    "25 % of actors_x",
    "the v4 of it",
    "ÄRGER mit Grün",
    '100% "sure" AND OR NOT *',
    "x-y",
    "",
)


@pytest.fixture
def many(world):
    """Events of all kinds, some of one second, some told out of order."""
    one, other = world.apply(), world.apply(slug="other", title="Other model", flag="use_other")
    ways = [{}, {"token": {"id": 5}}, {"os_user": "root"}, {"session": {"reference": "abc"}}]
    for number in range(60):
        by, came = world.actor(("mia", "alice")[number % 2]), ("page", "api", "command")[number % 3]
        at = world.now() - timedelta(seconds=(number * 7) % 40)
        with clock.told_at(at), source.coming_from(came, f"r{number // 4}", lambda n=number: ways[n % 4]):
            about = (one, other)[number % 5 == 0]
            with recorded(VERBS[number % 3], by=by, about=about, rollout=about, reason=REASONS[number % 7]) as made:
                made.notes = {"number": number, "nested": [{"Phase 1: Team": f"value{number % 10}"}]}
                made.concerns = [other] if number % 11 == 3 and about is one else []
    return world, one, other


def told(event):
    return json.dumps([event.object_name, event.actor, event.reason, event.after], ensure_ascii=False).casefold()


def words_of(event):
    return EventWords.objects.get(event=event, for_all=True).text.partition("\x1f")[0]


def holds(event, word):
    return word in words_of(event)


def questions(world, one, other):
    start = world.now()
    yield LookUp(), lambda event: True
    for rollout in (one, other):
        yield (
            LookUp([[Q(rollout=rollout), Q(concerns=rollout)]]),
            lambda event, rollout=rollout: event.rollout == rollout or rollout in event.concerns.all(),
        )
    verbs = [[Q(verb="phase.start"), Q(verb="phase.pause")]]
    yield LookUp(verbs), lambda event: event.verb in VERBS[:2]
    yield LookUp([*verbs, [Q(actor="mia")]]), lambda event: event.verb in VERBS[:2] and event.actor == "mia"
    yield LookUp([[Q(source="ramp")], [Q(actor="mia")]]), lambda event: False
    since, until = start - timedelta(seconds=30), start - timedelta(seconds=10)
    yield LookUp([], since, until), lambda event: since <= event.at < until
    yield (
        LookUp([[Q(source="api")]], since, until, ["value1"]),
        lambda event: since <= event.at < until and event.source == "api" and "value1" in told(event),
    )
    yield LookUp([], since, until, ["haiku"]), lambda event: since <= event.at < until and holds(event, "haiku")
    for word in ("haiku", "value1", "grün", "ärger", "100%", "actors_x", '"sure"', "x-y", "phase.start", "and"):
        yield LookUp(words=[word]), lambda event, word=word: holds(event, word)
    yield LookUp(words=["v4"]), lambda event: event.reason == REASONS[2]
    yield LookUp(words=["4"]), lambda event: re.search(r"\b4\b", words_of(event)) is not None  # 14 is another word
    yield LookUp(words=["actorsxx"]), lambda event: False
    yield LookUp(words=["haiku", "value1"]), lambda event: holds(event, "haiku") and holds(event, "value1")
    yield (
        LookUp([[Q(actor="mia")]], words=["haiku"]),
        lambda event: event.actor == "mia" and holds(event, "haiku"),
    )
    yield (
        LookUp([[Q(actor="mia")]], words=["haiku"], said=actor_in("mia")),
        lambda event: event.actor == "mia" and holds(event, "haiku"),
    )
    yield LookUp(way="token:5"), lambda event: (event.way or {}).get("token") == {"id": 5}
    yield (
        LookUp([[Q(verb="plan.apply")]], way="os_user:root", words=["value2"]),
        lambda event: (
            event.verb == "plan.apply" and (event.way or {}).get("os_user") == "root" and "value2" in told(event)
        ),
    )


@pytest.mark.parametrize("most", [2, 1_000])
def test_each_question_is_answered_as_by_reading_all(many, monkeypatch, most):
    """Whichever index it goes along: where all is counted, and where there is more than can be."""
    monkeypatch.setattr(lookup, "MOST_COUNTED", most)
    events = list(AuditEvent.objects.newest_first())
    asked = list(questions(*many))
    for place, (question, fits) in enumerate(asked):
        expected = {event.pk for event in events if fits(event)}
        assert set(question.events.values_list("pk", flat=True)) == expected, place
        assert question.count == min(len(expected), most + 1), place
        page, pages = question.page("", 4), []
        while True:
            pages.append([event.pk for event in page.rows])
            if not page.next:
                break
            page = LookUp(**vars_of(question)).page(page.next, 4)
        seen = [pk for rows in pages for pk in rows]
        assert len(seen) == len(set(seen)), place
        assert set(seen) == expected, place
        by_second = [event.at.replace(microsecond=0) for event in map(AuditEvent.objects.in_bulk(seen).get, seen)]
        assert by_second == sorted(by_second, reverse=True), place
        back = [[event.pk for event in page.rows]]
        while page.previous:
            page = LookUp(**vars_of(question)).page(page.previous, 4)
            back.insert(0, [event.pk for event in page.rows])
        assert back[0][: len(pages[0])] == pages[0], place
        assert {pk for rows in back for pk in rows} == expected, place


def vars_of(question):
    return {name: getattr(question, name) for name in ("conditions", "since", "until", "words", "way", "sees", "said")}


def test_what_needs_a_role_is_neither_found_nor_counted_without_it(world):
    world.apply()
    world.sync()
    from rollouts.models import TrackedIssue

    issue = TrackedIssue.objects.get(iid=11)
    with recorded("issue.read", by=world.actor("root"), about=issue, rollout=world.rollout()):
        issue.title = "canary kept from viewers"
        issue.save()
    for asked in ({"q": "canary"}, {"q": "canary", "rollout": "haiku"}, {"q": "canary", "verb": "issue"}):
        assert HistoryFilter(asked, sees=True).find(10).count == 1
        without = HistoryFilter(asked).find(10)
        assert (without.count, without.page.rows) == (0, [])
    # what everybody may see of the same event is found with a role too, once
    public = HistoryFilter({"q": "issue.read", "verb": "issue"}, sees=True).find(100)
    assert (
        len({event.pk for event in public.page.rows})
        == public.count
        == HistoryFilter({"verb": "issue.read"}).find(9).count
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"q": "x" * 10_240}, "200 characters at most, this has 10,240"),
        ({"q": "%%% ***"}, "no letter or digit"),
        ({"q": " ".join(map(str, range(30)))}, "At most 20 words"),
        ({"rollout": "nobody"}, "There is no rollout"),
        ({"actor": "nobody"}, "Nobody called"),
        ({"object": "Spaceship:1"}, "names no object"),
        ({"token": "x"}, "There is no API token"),
        ({"verb": "phase.start; DROP"}, "is no verb"),
        ({"session": "ffff"}, "Nothing came by a session"),
    ],
)
def test_what_there_is_not_is_told(world, asked, words):
    world.apply()
    history_filter = HistoryFilter(asked)
    assert history_filter.find(10).page.rows == []
    assert words in " ".join(history_filter.faults.values())


def test_words_follow_what_is_told_of_an_event(world):
    """A name that was forgotten is no longer found: rows of words are made anew, history stays."""
    rollout = world.apply()
    with recorded("plan.apply", by=world.actor("mia"), about=rollout, rollout=rollout, reason="for jane-doe") as made:
        made.notes = {"number": 1}
    (event,) = HistoryFilter({"q": "jane-doe"}).find(5).page.rows
    event.reason = "for somebody who left"
    EventWords.objects.renew([event])
    assert [found.pk for found in HistoryFilter({"q": "somebody left"}).find(5).page.rows] == [event.pk]
    assert HistoryFilter({"q": "jane-doe"}).find(5).count == 0
