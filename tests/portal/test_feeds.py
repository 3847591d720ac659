"""Feeds, through the door: who may read them and for how long, and that calendars and readers understand them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.utils import timezone
from icalendar import Calendar

from rollouts.models import AuditEvent, ChangeLock, FeedKey, clock
from rollouts.portal import feeds
from rollouts.services import feed_keys, locks
from tests.portal.pages import signed_in
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
ALL = ["rollouts.ics", "people/mia.ics", "teams/group::ai coding.ics", "rollouts/haiku.ics", "events.atom"]
ALL += ["rollouts/haiku.atom"]


def key_of(world, name="vic"):
    return feed_keys.text_of(feed_keys.renew(world.people[name], by=world.actor(name)))


def read(key, path, **headers):
    """As a calendar does: without cookies."""
    return Client().get(f"/feeds/{key}/{path}", headers=headers)


def entries(answer):
    """The calendar's events by UID."""
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    read = Calendar.from_ical(answer.content)
    assert (read["version"], read["prodid"]) == ("2.0", "-//Model Rollout Portal//EN")
    return {str(event["uid"]): event for event in read.walk("VEVENT")}


def summaries(answer):
    return [str(event["summary"]) for event in entries(answer).values()]


def told(answer):
    """The feed's entries: title, words, id."""
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.content)
    assert feed.tag == f"{ATOM}feed"
    assert all(feed.find(f"{ATOM}{name}") is not None for name in ("id", "title", "updated"))
    return [
        tuple(entry.findtext(f"{ATOM}{name}") or "" for name in ("title", "summary", "id"))
        for entry in feed.findall(f"{ATOM}entry")
    ]


def test_a_person_makes_renews_and_ends_their_addresses_on_the_timeline(world):
    world.apply()
    client = signed_in(world, "vic")
    page = client.get("/timeline/").content.decode()
    assert "Make my feed addresses" in page
    assert client.post("/feeds/renew/")["Location"] == "/timeline/?feeds=open#feeds"
    addresses = re.findall(
        r"<code>http://localhost:8000(/feeds/[^<]*)</code>", client.get("/timeline/").content.decode()
    )
    assert len(addresses) == 6  # all, all events, vic, mia, and two of the rollout: its flag's team is not read yet
    assert {Client().get(address).status_code for address in addresses} == {200}
    client.post("/feeds/renew/")
    assert {Client().get(address).status_code for address in addresses} == {404}
    new = feed_keys.text_of(FeedKey.objects.get())
    assert read(new, "rollouts.ics").status_code == 200
    assert client.post("/feeds/end/").status_code == 303
    again = client.post("/feeds/end/")
    assert again.status_code == 409
    assert "vic has no feeds that are open." in again.content.decode()
    assert read(new, "rollouts.ics").status_code == 404
    client.post("/feeds/renew/")
    assert read(new, "rollouts.ics").status_code == 404, "what was ended never comes back"
    told = AuditEvent.objects.filter(verb__startswith="feeds.").values_list("verb", "actor", "source")
    assert list(told.order_by("pk")) == [
        (f"feeds.{verb}", "vic", "page") for verb in ("renew", "renew", "end", "renew")
    ]


@pytest.mark.parametrize("path", ALL)
def test_only_a_key_that_works_opens_a_feed(world, path):
    world.apply()
    world.sync()
    key = key_of(world)
    assert read(key, path).status_code == 200
    person, _, signature = key.partition("~")
    for wrong in ("x", "", "~", f"{person}~x", f"{world.people['mia'].pk}.1~{signature}", key[:-1], key * 9, "1.1~🚀"):
        assert read(wrong, path).status_code == 404, wrong
    assert Client().post(f"/feeds/{key}/{path}").status_code == 405
    world.people["vic"].is_active = False
    world.people["vic"].save()
    assert read(key, path).status_code == 404
    assert key not in str(list(FeedKey.objects.values())) + str(list(AuditEvent.objects.values()))


def test_no_one_changes_the_feeds_of_others(world):
    client = signed_in(world, "vic")
    for path in ("/feeds/renew/", "/feeds/end/"):
        assert client.get(path).status_code == 405
        assert Client().post(path)["Location"].startswith("/accounts/login/")
    assert Client(enforce_csrf_checks=True).post("/feeds/renew/").status_code in (302, 403)
    with pytest.raises(feed_keys.Refused):
        feed_keys.renew(world.people["mia"], by=world.actor("vic"))
    assert not FeedKey.objects.exists()


def test_nothing_from_a_confidential_issue_leaves_in_a_feed(world):
    """Not even for who may see it: feeds go to calendars and readers of others."""
    world.up_to("team", "active")
    keys = [key_of(world, name) for name in ("vic", "mia")]
    for path in ALL:
        viewers, managers = (read(key, path).content.decode().replace(key, "KEY") for key in keys)
        assert viewers == managers
        assert SECRET_TITLE not in managers


def test_a_calendar_holds_what_was_and_what_has_a_date(world, time_machine):
    world.plan["soak"] = "2d"
    world.up_to("everyone", "active")
    key = key_of(world)
    found = entries(read(key, "rollouts/haiku.ics"))
    assert summaries(read(key, "rollouts/haiku.ics")) == [
        "Claude Haiku: Owning team starts",
        "Claude Haiku: Owning team is completed",
        "Claude Haiku: Whole company starts",
        "Claude Haiku: Whole company is completed",
        "Claude Haiku: All users starts at 1 %",
        "Claude Haiku: All users at 25 % (planned)",
        "Claude Haiku: All users at 100 % (planned)",
        "Claude Haiku: All users is completed (planned)",
    ]
    step = found["haiku-everyone-1-step-25@localhost"]
    assert step.decoded("dtstart") == (world.phase("everyone").confirmed_at + timedelta(days=2)).replace(microsecond=0)
    assert (str(step["status"]), str(step["url"])) == ("TENTATIVE", "http://localhost:8000/rollouts/haiku/")
    newest = AuditEvent.objects.filter(rollout__slug="haiku").latest("pk").at
    assert step.decoded("last-modified") == newest.replace(microsecond=0)
    # Once it is taken it is the same entry, moved to when it was and no longer planned.
    world.let_pass(time_machine, days=2, hours=1)
    world.advance("everyone")
    step = entries(read(key, "rollouts/haiku.ics"))["haiku-everyone-1-step-25@localhost"]
    assert (str(step["summary"]), str(step["status"])) == ("Claude Haiku: All users at 25 %", "CONFIRMED")


def test_calendars_of_people_and_teams_hold_theirs(world):
    world.up_to("team", "active")
    key = key_of(world)
    mine = summaries(read(key, "rollouts.ics"))
    assert mine == ["Claude Haiku: Owning team starts"]
    for theirs in ("people/mia.ics", "teams/group::ai coding.ics"):
        assert summaries(read(key, theirs)) == mine
    for others in ("people/mi.ics", "people/nobody/at/all.ics", "teams/group::x.ics", 'people/"%.ics'):
        assert summaries(read(key, others)) == []
    for nothing in ("rollouts/nothing.ics", "rollouts/nothing.atom", "nothing"):
        assert read(key, nothing).status_code == 404


def test_change_locks_are_in_calendars(world):
    rollout = world.apply()
    at = (timezone.now() + timedelta(days=3)).replace(second=0, microsecond=0)
    freeze = {"starts": at.replace(tzinfo=None), "ends": at.replace(tzinfo=None) + timedelta(hours=8)}
    locks.add({"title": "Freeze; all, of\nit", "kind": "once", **freeze}, by=world.actor("mia"))
    lock = ChangeLock.objects.get()
    (entry,) = entries(read(key_of(world), "people/mia.ics")).values()
    assert str(entry["uid"]) == f"lock-{lock.pk}-{at:%Y%m%dT%H%M}@localhost"
    assert (entry.decoded("dtstart"), entry.decoded("dtend")) == (at, at + timedelta(hours=8))
    assert "Freeze; all, of" in str(entry["summary"])
    lock.refresh_from_db()
    locks.end(lock, by=world.actor("mia"), reason="over")
    assert not entries(read(key_of(world), f"rollouts/{rollout.slug}.ics"))


def test_events_are_told_as_the_history_page_tells_them(world):
    world.up_to("team", "active")
    world.do("pause", "team", "mia", reason="<b>slow</b>\x0b & more")
    key = key_of(world)
    (title, words, first), *_rest = told(read(key, "rollouts/haiku.atom"))
    assert title == "Claude Haiku: mia paused Owning team"
    assert words == "&lt;b&gt;slow&lt;/b&gt;  &amp; more"
    overall = [entry[0] for entry in told(read(key, "events.atom"))]
    assert title in overall
    assert first == f"tag:localhost,2026:event-{AuditEvent.objects.get(verb='phase.pause').pk}"
    page = signed_in(world, "vic").get("/audit/?rollout=haiku").content.decode()
    assert "paused Owning team" in page


@pytest.mark.parametrize("path", ["events.atom", "rollouts/haiku.atom"])
def test_documents_of_a_feed_lead_to_all_events_and_back(world, monkeypatch, path):
    """RFC 5005, section 3: whoever was away follows ``next`` and has missed nothing."""
    world.up_to("team", "active")
    key = key_of(world)
    whole = told(read(key, path))
    monkeypatch.setattr(feeds, "PER_DOCUMENT", 4)

    def links(answer):
        found = ElementTree.fromstring(answer.content).findall(f"{ATOM}link")
        return {each.get("rel"): each.get("href") for each in found}

    def follow(address):
        assert address.startswith(f"http://localhost:8000/feeds/{key}/{path}")
        return Client().get(address.removeprefix("http://localhost:8000"))

    documents = [read(key, path)]
    while (further := links(documents[-1]).get("next")) is not None:
        documents.append(follow(further))
    assert [entry for document in documents for entry in told(document)] == whole
    assert len(documents) == -(-len(whole) // 4) > 2
    assert "previous" not in links(documents[0])
    for before, document in pairwise(documents):
        assert told(follow(links(document)["previous"])) == told(before)
        assert told(follow(links(document)["first"])) == told(documents[0])
        assert told(follow(links(document)["self"])) == told(document)
    ids = {ElementTree.fromstring(document.content).findtext(f"{ATOM}id") for document in documents}
    assert len(ids) == 1
    wrong = read(key, f"{path}?before=x")
    assert (wrong.status_code, wrong["Content-Type"]) == (422, "text/plain; charset=utf-8")
    assert "Begin at its first page" in wrong.content.decode()


def test_a_feed_stays_the_same_one_when_its_title_or_the_language_changes(world):
    """Readers go by the id: by another one, all that was read comes again as new."""
    world.up_to("team", "active")
    key = key_of(world)

    def ids(language):
        answers = [
            read(key, path, **{"accept-language": language}).content for path in ("events.atom", "rollouts/haiku.atom")
        ]
        return [[found.text for found in ElementTree.fromstring(body).iter(f"{ATOM}id")] for body in answers]

    before = ids("en")
    assert [feed[0] for feed in before] == ["tag:localhost,2026:events", "tag:localhost,2026:events-haiku"]
    every = [name for feed in before for name in feed]
    assert len(set(every)) > 4
    assert not any(re.search(r"\s", name) for name in every)
    world.apply(title="Another title; 2 of it")
    for feed, (same, *entries_before) in zip(ids("de"), before, strict=True):
        assert feed[0] == same
        assert feed[-len(entries_before) :] == entries_before


def test_what_a_reader_has_is_not_sent_again(world):
    with clock.told_at(datetime(2026, 11, 24, 12, 30, tzinfo=UTC)):
        world.up_to("team", "active")
        key = key_of(world)
        held = {path: read(key, path) for path in ALL}
        for path, first in held.items():
            assert "private" in first["Cache-Control"]
            by_tag = read(key, path, **{"if-none-match": first["ETag"]})
            assert (by_tag.status_code, by_tag.content, by_tag["ETag"]) == (304, b"", first["ETag"])
            assert read(key, path, **{"if-modified-since": first["Last-Modified"]}).status_code == 304
            assert Client().head(f"/feeds/{key}/{path}").status_code == 200
    with clock.told_at(datetime(2026, 11, 24, 13, 30, tzinfo=UTC)):
        world.do("roll_back", "team", "mia", reason="slow")
        for path, first in held.items():
            assert read(key, path, **{"if-none-match": first["ETag"]}).status_code == 200
            assert read(key, path, **{"if-modified-since": first["Last-Modified"]}).status_code == 200


def test_a_feed_has_its_bounds_and_says_so(world, monkeypatch):
    monkeypatch.setattr(feeds, "MOST_ROLLOUTS", 1)
    monkeypatch.setattr(feeds, "PER_DOCUMENT", 3)
    for slug in ("one", "two"):
        world.apply(slug=slug, title=slug, flag=slug)
    key = key_of(world)
    answer = read(key, "rollouts.ics")
    assert "Only 1 rollouts" in str(Calendar.from_ical(answer.content)["x-wr-caldesc"])
    world.apply(title="three")
    assert len(told(read(key, "events.atom"))) == 3
