"""Mails: each event once for each person, to who has an address and wants it, and nothing that is moot."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread

import pytest
from django.contrib.auth.models import User
from django.db import connections, models
from django.test import Client
from django.utils import timezone

from rollouts.models import AuditEvent, Notice, NoticeSettings, OwedMail, Rollout, Sender
from rollouts.portal import mails
from rollouts.services import due, wishes
from rollouts.sync import mailing
from rollouts.tasks import send_mail, tell_people
from tests.mailbox import mail_server
from tests.portal.pages import browser
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def inbox(settings):
    with mail_server(settings) as handler:
        yield handler


@pytest.fixture
def world(world):
    User.objects.filter(username__in=world.people).exclude(username="root").update(email="")
    for name in ("mia", "alice", "sam"):
        User.objects.filter(username=name).update(email=f"{name}@example.com")
    world.apply()
    return world


@pytest.fixture
def later(time_machine):
    return lambda **by: time_machine.move_to(timezone.now() + timedelta(**by))


def tell():
    tell_people()
    send_mail()


def text(mail):
    return mail.get_body(("plain",)).get_content()


def html(mail):
    return mail.get_body(("html",)).get_content()


def test_a_mail_says_what_which_rollout_what_to_do_by_when_and_leads_to_the_button(world, inbox):
    world.do("request", "team", "mia")
    tell()
    (mail,) = inbox.to("alice@example.com")
    request = world.phase("team").requests.get()
    assert mail["Subject"] == "Claude Haiku: mia asked for Owning team"
    first = text(mail).splitlines()[0]
    assert first.startswith("Claude Haiku: mia asked for Owning team. Approve or reject it. By ")
    button = f"http://localhost:8000/approvals/#request-{request.pk}"
    assert button in text(mail).splitlines()
    assert html(mail).count(f'href="{button}"') == 1
    assert mail["Auto-Submitted"] == "auto-generated"
    assert not inbox.to("mia@example.com")


def test_mails_of_a_rollout_are_one_thread_and_those_of_another_are_not(world, inbox):
    world.do("request", "team", "mia")
    world.apply(slug="other", title="Other")
    world.do("withdraw", "team", "mia", reason="not yet")
    world.do("request", "team", "mia")
    tell()
    world.do("reject", "team", "alice", reason="too early")
    tell()
    mine, theirs = inbox.to("alice@example.com")[0], inbox.to("mia@example.com")[0]
    assert (
        mine["References"] == mine["In-Reply-To"] == theirs["References"] == f"<rollout-{world.rollout().pk}@localhost>"
    )
    assert mine["Message-ID"] != theirs["Message-ID"]
    assert "too early" in text(theirs)
    assert "too early" in html(theirs)


def test_each_is_sent_once_however_often_workers_look(world, inbox):
    world.do("request", "team", "mia")
    for _ in range(3):
        tell()
    assert len(inbox.to("alice@example.com")) == 1
    assert set(OwedMail.objects.values_list("state", flat=True)) == {"sent"}


def test_asked_and_withdrawn_while_it_settles_is_mailed_to_nobody(world, inbox, settings, later):
    settings.MAIL_SETTLE_SECONDS = 60
    world.do("request", "team", "mia")
    tell()
    assert not inbox.mails
    world.do("withdraw", "team", "mia", reason="not yet")
    later(minutes=2)
    tell()
    assert not inbox.mails
    assert set(OwedMail.objects.values_list("state", flat=True)) == {"dropped"}


def test_what_keeps_changing_is_one_mail_within_minutes(world, inbox, settings, later):
    settings.MAIL_SETTLE_SECONDS = 120
    for _ in range(4):
        world.do("request", "team", "mia")
        tell()
        later(seconds=100)
        world.do("withdraw", "team", "mia", reason="not yet")
    world.do("request", "team", "mia")
    tell()
    assert len(inbox.to("alice@example.com")) <= 1
    later(minutes=5)
    tell()
    assert len(inbox.to("alice@example.com")) in (1, 2)


def test_what_was_read_at_the_bell_is_not_mailed(world, inbox, settings, later):
    settings.MAIL_SETTLE_SECONDS = 60
    world.do("request", "team", "mia")
    tell()
    browser("alice", "rollout").post("/notifications/read/")
    later(minutes=2)
    tell()
    assert not inbox.to("alice@example.com")
    assert inbox.to("sam@example.com")


def test_one_click_takes_back_this_kind_alone_and_nobody_signs_in(world, inbox):
    world.do("request", "team", "mia")
    tell()
    mail = inbox.to("alice@example.com")[0]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = mail["List-Unsubscribe"].strip(" <>").removeprefix("http://localhost:8000")
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.get(link).status_code == 200
    assert not NoticeSettings.objects.exists()
    answer = stranger.post(link, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    row = NoticeSettings.objects.get()
    assert (row.person.username, row.by_mail, row.by_bell) == ("alice", {"asked": "off"}, {})
    assert AuditEvent.objects.filter(verb="notices.unsubscribe", actor="notifications").count() == 1
    stranger.post(link)
    assert AuditEvent.objects.filter(verb="notices.unsubscribe").count() == 1
    world.do("reject", "team", "sam", reason="no")
    world.do("request", "team", "mia")
    tell()
    assert len(inbox.to("alice@example.com")) == 1
    assert Notice.objects.filter(person__username="alice", kind="asked").count() == 2  # the bell rings on


@pytest.mark.parametrize("broken", ["x", "{token}x", "{other}"])
def test_a_link_that_somebody_has_changed_opens_nothing(world, broken):
    from django.core import signing

    token = mails.token(world.people["alice"], "asked")
    other = signing.dumps([world.people["alice"].pk, "asked"], salt="another")
    answer = Client().post(f"/unsubscribe/{broken.format(token=token, other=other)}/")
    assert answer.status_code == 404
    assert "not whole" in answer.content.decode()
    assert not NoticeSettings.objects.exists()


def test_who_has_no_address_is_told_by_the_bell_and_reads_why_there_is_no_mail(world, inbox):
    User.objects.filter(username="alice").update(email="")
    world.do("request", "team", "mia")
    tell()
    assert [mail["To"] for mail in inbox.mails] == ["sam@example.com"]
    alice = browser("alice", "rollout")
    assert "asked for Owning team" in alice.get("/notifications/").content.decode()
    assert "the portal knows no address of yours" in alice.get("/notifications/settings/").content.decode()


def test_an_address_that_bounces_is_given_up_at_once_and_shown(world, inbox, caplog):
    inbox.no_such = {"alice@example.com"}
    world.do("request", "team", "mia")
    tell()
    tell()
    row = OwedMail.objects.get(notice__person__username="alice")
    assert (row.state, "(550)" in row.words) == ("given_up", True)
    assert "given up" in caplog.text
    assert [mail["To"] for mail in inbox.mails] == ["sam@example.com"]
    page = browser("alice", "rollout").get("/notifications/").content.decode()
    assert "refuses it for good (550)" in page
    assert "secret-server-7" not in page
    assert "could not be mailed: alice" in browser("root", "rollout").get("/admin/").content.decode()


def test_what_is_refused_for_now_is_tried_again_later_and_given_up_after_a_day(world, inbox, later):
    inbox.refuses = "452 full"
    world.do("request", "team", "mia")
    tell()
    row = OwedMail.objects.get(notice__person__username="alice")
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "not taken by the mail server yet" in browser("alice", "rollout").get("/notifications/").content.decode()
    send_mail()
    row.refresh_from_db()
    assert row.attempts == 1  # not yet
    later(hours=25)
    send_mail()
    row.refresh_from_db()
    assert row.state == "given_up"
    inbox.refuses = ""
    later(hours=1)
    send_mail()
    assert not inbox.mails


def test_a_server_that_is_away_is_told_to_admins_and_all_is_sent_when_it_is_back(world, inbox, settings, later):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    world.do("request", "team", "mia")
    tell()
    assert Sender.objects.get().failures == 1
    assert "No mail goes out" in browser("root", "rollout").get("/admin/").content.decode()
    settings.EMAIL_PORT = port
    send_mail()
    assert not inbox.mails  # not yet
    later(minutes=1)
    send_mail()
    assert len(inbox.mails) == 2
    assert Sender.objects.get().failing_since is None
    assert "No mail goes out" not in browser("root", "rollout").get("/admin/").content.decode()


@pytest.mark.parametrize(
    "title",
    [
        "Haiku\r\nBcc: victim@example.com\n\nbody",
        "Haiku =?utf-8?q?=0D=0ABcc:_victim@example.com?=",
        "Haiku\u2028Bcc: x",
    ],
)
def test_a_title_puts_no_header_into_a_mail(world, inbox, title):
    """One of several lines is refused when it is written; earlier releases may have let it in."""
    models.QuerySet(Rollout).update(title=title)
    world.do("request", "team", "mia")
    tell()
    mail = inbox.to("alice@example.com")[0]
    assert mail["Subject"].startswith("Haiku")
    assert mail["Bcc"] is None
    assert "Approve or reject it" in text(mail).splitlines()[0]


def test_markup_in_a_title_stays_text(world, inbox):
    world.apply(title="<script>alert(1)</script> & {{ settings.SECRET_KEY }}")
    world.do("request", "team", "mia")
    tell()
    mail = inbox.to("alice@example.com")[0]
    assert "<script" not in html(mail)
    assert "<script>alert(1)</script> & {{ settings.SECRET_KEY }}" in text(mail)


def test_an_address_that_is_none_gets_no_mail_and_holds_no_other_up(world, inbox):
    User.objects.filter(username="alice").update(email="a@example.com\nBcc: victim@example.com")
    world.do("request", "team", "mia")
    tell()
    assert [mail["To"] for mail in inbox.mails] == ["sam@example.com"]
    assert OwedMail.objects.get(notice__person__username="alice").state == "given_up"


def test_a_template_that_lacks_a_value_makes_no_half_mail(world, inbox, monkeypatch, caplog):
    monkeypatch.setattr(mails, "_by_name", lambda colours: {"ink": "black"})
    world.do("request", "team", "mia")
    tell()
    assert not inbox.mails
    row = OwedMail.objects.filter(notice__person__username="alice").get()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "MissingValue" in row.words
    with pytest.raises(mails.MissingValue, match="lacks subject"):
        mails.written("mail/notice.txt", {"parts": [], "is_digest": True, "choose": "x", "unsubscribe": "x"})


def test_nothing_confidential_stands_in_a_mail(world, inbox):
    world.sync()
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    due.settle()
    world.do("request", "team", "mia")
    tell()
    assert any("found drift" in mail["Subject"] for mail in inbox.to("mia@example.com"))
    assert not any(SECRET_TITLE in part for mail in inbox.mails for part in (text(mail), html(mail), mail["Subject"]))


def test_who_reads_german_in_another_zone_gets_german_and_their_times(world, inbox):
    alice = world.people["alice"]
    wishes.choose(alice, world.actor("alice"), zone="Asia/Kathmandu", language="de")
    world.do("request", "team", "mia")
    tell()
    mail = inbox.to("alice@example.com")[0]
    assert "mia" in mail["Subject"]
    assert "asked" not in mail["Subject"]
    assert "(Asia/Kathmandu)" in text(mail)
    assert 'lang="de"' in html(mail)


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_once_and_one_that_hangs_holds_up_no_other(world, inbox):
    world.do("request", "team", "mia")
    tell_people()
    inbox.hangs = 0.5

    def work():
        mailing.work(mails.compose)
        connections.close_all()

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers[1:]:
        worker.join()
    for worker in workers:
        worker.join()
    send_mail()
    assert sorted(mail["To"] for mail in inbox.mails) == ["alice@example.com", "sam@example.com"]
    assert Sender.objects.get().held_by == ""


@pytest.mark.django_db(transaction=True)
def test_while_a_server_hangs_others_find_the_turn_taken_and_go(world, inbox, settings):
    world.do("request", "team", "mia")
    tell_people()
    settings.EMAIL_TIMEOUT = 1
    inbox.hangs = 3

    def work():
        mailing.work(mails.compose)
        connections.close_all()

    first = Thread(target=work)
    first.start()
    while not Sender.objects.exclude(held_by="").exists():
        assert first.is_alive()
    assert mailing.work(mails.compose) == mailing.Sent()
    assert tell_people() is None
    first.join()
    assert Sender.objects.get().failures == 1
    assert not inbox.mails
