"""What somebody is told, by which way and when: their choice alone, with defaults so that nobody must choose."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from rollouts.models import AuditEvent, FollowedRollout, Notice, NoticeSettings, OwedMail
from rollouts.portal import mails
from rollouts.rules.notices import GROUPS, KIND_WORDS, Kind
from rollouts.rules.telling import When, Wishes
from rollouts.services import wishes
from rollouts.tasks import send_mail, tell_people
from tests.mailbox import mail_server
from tests.portal.pages import signed_in, words

pytestmark = pytest.mark.django_db
MORNING = datetime.fromisoformat("2026-11-30T09:30:00+00:00")


@pytest.fixture
def inbox(settings):
    with mail_server(settings) as handler:
        yield handler


@pytest.fixture
def world(world):
    User.objects.filter(username__in=("mia", "alice", "sam")).update(email="x@example.com")
    User.objects.filter(username="mia").update(email="mia@example.com")
    world.apply()
    return world


@pytest.fixture
def api(world):
    from rollouts.services import tokens
    from tests.api.scripts import Script

    def of(name):
        _, token = tokens.issue(world.people[name], "test", world.actor(name))
        return Script(token)

    return of


def tell():
    tell_people()
    send_mail()


def kinds_told(name):
    return list(Notice.objects.filter(person__username=name, dropped=False).values_list("kind", flat=True))


def test_every_kind_can_be_chosen_once_and_has_its_words():
    offered = [kind for _, kinds in GROUPS for kind in kinds]
    assert sorted(offered) == sorted(Kind) == sorted(KIND_WORDS)


def test_the_page_shows_the_usual_and_keeps_what_is_chosen(world):
    mia = signed_in(world, "mia")
    page = words(mia.get("/notifications/settings/"))
    assert "You are asked for your approval" in page
    answer = mia.post("/notifications/settings/", {
        "mail-asked": "digest", "bell-moved": "off", "zone": "Europe/Berlin", "language": "de",
        "digest_hour": "7", "quiet_from": "20", "quiet_until": "6",
    })  # fmt: skip
    assert answer.status_code == 303
    row = NoticeSettings.objects.get()
    assert (row.by_mail, row.by_bell) == ({"asked": "digest"}, {"moved": "off"})
    assert row.wishes == Wishes({"asked": "digest"}, {"moved": "off"}, "Europe/Berlin", 7, (20, 6))
    (event,) = AuditEvent.objects.filter(verb="notices.choose")
    assert (event.actor, event.after["zone"]) == ("mia", "Europe/Berlin")
    mia.post("/notifications/settings/", {"mail-asked": "digest"})
    assert AuditEvent.objects.filter(verb="notices.choose").count() == 1  # nothing changed
    mia.post("/notifications/settings/", {"mail-asked": "now", "quiet_from": "", "quiet_until": ""})
    row.refresh_from_db()
    assert (row.by_mail, row.quiet_from) == ({}, None)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({"mail-asked": "weekly"}, "is not now, digest or off"),
        ({"bell-asked": "digest"}, "is not now or off"),
        ({"zone": "Europe/Berlinn"}, "Did you mean Europe/Berlin?"),
        ({"zone": "../../etc/passwd"}, "is not the name of a time zone"),
        ({"language": "xx"}, "does not speak"),
        ({"digest_hour": "24"}, "from 0 to 23"),
        ({"digest_hour": ""}, "from 0 to 23"),
        ({"quiet_from": "8", "quiet_until": ""}, "a beginning and an end"),
        ({"quiet_from": "8", "quiet_until": "8"}, "no hours, or all of them"),
    ],
)
def test_what_can_not_be_chosen_is_said_and_changes_nothing(world, sent, why):
    answer = signed_in(world, "mia").post("/notifications/settings/", sent)
    assert (answer.status_code, why in words(answer)) == (422, True)
    assert not NoticeSettings.objects.exists()


def test_programs_choose_for_their_person_alone(world, api):
    mia = api("mia")
    before = mia.get("/notifications/settings").json()
    assert (before["by_mail"]["asked"], before["by_mail"]["moved"], before["address"]) == (
        "now",
        "digest",
        "mia@example.com",
    )
    body = {"by_mail": {"asked": "off"}, "quiet_from": 22, "quiet_until": 6}
    after = mia.send("PATCH", "/notifications/settings", json.dumps(body), "application/json")
    assert (after.status_code, after.json()) == (
        200,
        {**before, **body, "by_mail": {**before["by_mail"], "asked": "off"}},
    )
    assert api("alice").get("/notifications/settings").json()["by_mail"]["asked"] == "now"
    for wrong in (
        {"by_mail": {"asked": "x"}},
        {"by_mail": {"x": "now"}},
        {"digest_hour": 24},
        {"zone": "X/Y"},
        {"x": 1},
    ):
        answer = mia.send("PATCH", "/notifications/settings", json.dumps(wrong), "application/json")
        assert answer.status_code == 422, wrong
    assert NoticeSettings.objects.get().by_mail == {"asked": "off"}


def test_who_wants_no_bell_of_a_kind_has_it_in_the_list_and_no_number(world):
    wishes.choose(world.people["alice"], world.actor("alice"), by_bell={"asked": "off"})
    world.do("request", "team", "mia")
    tell_people()
    page = signed_in(world, "alice").get("/notifications/")
    assert page.context["bell"] == 0
    assert "mia asked for Owning team" in words(page)
    assert signed_in(world, "sam").get("/notifications/").context["bell"] == 1


def test_who_follows_is_told_as_owners_are_and_who_mutes_of_nothing(world, api):
    vic = signed_in(world, "vic")
    assert vic.post("/rollouts/haiku/follow/", {"how": "follow"}).status_code == 303
    assert "You follow this rollout" in words(vic.get("/rollouts/haiku/"))
    answer = api("mia").send("POST", "/rollouts/haiku/follow", '{"how": "mute"}', "application/json")
    assert answer.json() == {"rollout": "haiku", "how": "mute"}
    world.do("request", "team", "mia")
    world.do("reject", "team", "alice", reason="no")
    world.waive("team")
    world.do("skip", "team", "root", reason="not needed")
    tell_people()
    assert kinds_told("vic") == ["moved"]
    assert kinds_told("mia") == []
    vic.post("/rollouts/haiku/follow/", {"how": "usual"})
    assert not FollowedRollout.objects.filter(person__username="vic").exists()
    assert vic.post("/rollouts/haiku/follow/", {"how": "shout"}).status_code == 422
    assert vic.post("/rollouts/nothing/follow/", {"how": "mute"}).status_code == 404
    verbs = AuditEvent.objects.filter(verb__startswith="notices.").order_by("pk").values_list("verb", "actor")
    assert list(verbs) == [("notices.follow", "vic"), ("notices.mute", "mia"), ("notices.usual", "vic")]


def test_the_digest_is_one_mail_at_its_hour_with_what_still_matters(world, inbox, time_machine):
    for name in ("alice", "sam"):
        wishes.choose(
            world.people[name], world.actor(name), by_mail={"asked": "digest"}, zone="Asia/Kathmandu", digest_hour=18
        )
    time_machine.move_to(MORNING)
    world.apply(slug="other", title="Other", flag="use_other")
    world.do("request", "team", "mia")
    tell()
    assert not inbox.mails
    time_machine.move_to(MORNING.replace(hour=12, minute=14))
    send_mail()
    assert not inbox.mails
    time_machine.move_to(MORNING.replace(hour=12, minute=16))  # 18:01 in Kathmandu
    send_mail()
    send_mail()
    assert len(inbox.mails) == 2
    assert {mail["Subject"] for mail in inbox.mails} == {"What happened until 30 Nov 2026"}
    assert all("mia asked for Owning team" in mail.as_string() for mail in inbox.mails)
    assert set(OwedMail.objects.values_list("state", flat=True)) == {"sent"}


def test_a_digest_that_is_not_taken_at_its_hour_is_tried_again(world, inbox, time_machine):
    for name in ("alice", "sam"):
        wishes.choose(world.people[name], world.actor(name), by_mail={"asked": "digest"}, digest_hour=9)
    time_machine.move_to(MORNING)
    world.do("request", "team", "mia")
    tell()
    inbox.refuses = "452 full"
    time_machine.move_to(MORNING + timedelta(hours=23, minutes=59))
    tell()
    assert not inbox.mails
    inbox.refuses = ""
    time_machine.move_to(MORNING + timedelta(hours=24, minutes=10))
    tell()
    assert len(inbox.mails) == 2


def test_a_long_digest_tells_the_newest_and_how_many_more_there_are(world, monkeypatch):
    monkeypatch.setattr(mails, "MOST_PARTS", 1)
    world.do("request", "team", "mia")
    tell_people()
    notice = Notice.objects.filter(person__username="alice").get()
    mail = mails.compose([OwedMail(pk=pk, notice=notice, in_digest=True) for pk in (1, 2, 3)])
    assert "2 more happened before: http://localhost:8000/notifications/" in mail.body
    assert mail.body.count("mia asked for Owning team") == 1
    assert "2 more happened before:" in " ".join(mail.alternatives[0][0].split())


def test_a_digest_in_which_nothing_matters_any_more_is_not_sent(world, inbox, time_machine):
    for name in ("alice", "sam"):
        wishes.choose(world.people[name], world.actor(name), by_mail={"asked": "digest"})
    time_machine.move_to(MORNING)
    world.do("request", "team", "mia")
    tell()
    world.do("withdraw", "team", "mia", reason="not yet")
    tell()
    time_machine.move_to(MORNING + timedelta(days=1))
    tell()
    assert not inbox.mails
    assert set(OwedMail.objects.values_list("state", flat=True)) == {"dropped"}


def test_in_quiet_hours_no_mail_comes_and_after_them_it_does(world, inbox, time_machine):
    time_machine.move_to(MORNING)
    for name in ("alice", "sam"):
        wishes.choose(world.people[name], world.actor(name), quiet_from=9, quiet_until=11)
    world.do("request", "team", "mia")
    tell()
    assert not inbox.mails
    time_machine.move_to(MORNING.replace(hour=11, minute=0))
    tell()
    assert len(inbox.mails) == 2


def test_who_changes_their_mind_before_it_is_sent_gets_none(world, inbox, settings, time_machine):
    settings.MAIL_SETTLE_SECONDS = 60
    world.do("request", "team", "mia")
    tell()
    for name in ("alice", "sam"):
        wishes.choose(world.people[name], world.actor(name), by_mail={"asked": "off"})
    time_machine.move_to(timezone.now() + timedelta(minutes=3))
    tell()
    assert not inbox.mails


@pytest.mark.parametrize(
    ("quiet", "moment", "due"),
    [
        ((20, 6), "2026-11-30T21:30:00+00:00", "2026-12-01T05:00:00+00:00"),  # 22:30 in Berlin
        ((20, 6), "2026-11-30T04:59:00+00:00", "2026-11-30T05:00:00+00:00"),
        ((20, 6), "2026-11-30T05:00:00+00:00", "2026-11-30T05:00:00+00:00"),
        ((1, 3), "2026-03-29T00:30:00+00:00", "2026-03-29T01:00:00+00:00"),  # clocks go from 2 to 3
        (None, "2026-11-30T21:30:00+00:00", "2026-11-30T21:30:00+00:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_of_the_person(quiet, moment, due):
    wish = Wishes(zone="Europe/Berlin", quiet=quiet)
    assert wish.after_quiet(datetime.fromisoformat(moment)) == datetime.fromisoformat(due)


def test_a_digest_comes_at_the_hour_of_the_person_on_either_side_of_a_change_of_clocks():
    wish = Wishes(zone="Europe/Berlin", digest_hour=8)
    at = datetime.fromisoformat("2026-10-24T12:00:00+00:00")
    assert wish.due(When.DIGEST, at, at, timedelta(0)) == datetime.fromisoformat("2026-10-25T07:00:00+00:00")
    at = datetime.fromisoformat("2026-10-24T05:00:00+00:00")
    assert wish.due(When.DIGEST, at, at, timedelta(0)) == datetime.fromisoformat("2026-10-24T06:00:00+00:00")
