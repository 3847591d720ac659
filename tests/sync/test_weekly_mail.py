"""One mail a week of loose ends: once for each person and week, whoever looks and however often; none where none are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
from django.contrib.auth.models import User
from django.db import connections

from rollouts.models import AuditEvent, OwedMail
from rollouts.rules.telling import When
from rollouts.services import weekly, wishes
from rollouts.tasks import send_mail, tell_loose_ends, tell_people
from tests.mailbox import mail_server

MONDAY = datetime(2026, 11, 30, 7, tzinfo=UTC)


@pytest.fixture
def inbox(settings):
    with mail_server(settings) as handler:
        yield handler


@pytest.fixture
def left(world, time_machine):
    """A rollout of mia's and of an owner who left, on a Monday; mia and an admin have an address, and sam too."""
    User.objects.filter(username__in=world.people).update(email="")
    for name in ("mia", "root", "sam"):
        User.objects.filter(username=name).update(email=f"{name}@example.com")
    world.join("lou", "manager")
    world.apply_text(world.document().replace("owners: [mia]", "owners: [mia, lou]"))
    User.objects.filter(username="lou").update(is_active=False)
    time_machine.move_to(MONDAY)
    return world


def look():
    tell_loose_ends()
    tell_people()
    send_mail()


def of_the_week(inbox):
    return sorted(mail["To"] for mail in inbox.mails if "loose ends" in mail["Subject"])


@pytest.mark.django_db
def test_each_is_told_once_a_week_and_again_in_the_next(left, inbox, time_machine):
    for hours in (0, 1, 24, 6 * 24):
        time_machine.move_to(MONDAY + timedelta(hours=hours))
        look()
    assert of_the_week(inbox) == ["mia@example.com", "root@example.com"], "owners and admins, and nobody else"
    (mail,) = inbox.to("mia@example.com")
    text = mail.get_body(("plain",)).get_content()
    assert "Open rollouts whose owner left: 1." in text
    assert "/loose-ends/" in text
    time_machine.move_to(MONDAY + timedelta(days=7))
    look()
    assert len(of_the_week(inbox)) == 4


@pytest.mark.django_db
def test_where_nothing_is_loose_nobody_is_told_in_this_week(world, inbox, time_machine):
    time_machine.move_to(MONDAY)
    look()
    world.join("lou", "manager")
    world.apply_text(world.document().replace("owners: [mia]", "owners: [mia, lou]"))
    User.objects.filter(username="lou").update(is_active=False)
    look()
    assert not AuditEvent.objects.filter(verb="loose_ends.found").exists()
    time_machine.move_to(MONDAY + timedelta(days=7))
    look()
    assert AuditEvent.objects.get(verb="loose_ends.found").after["count"] > 0


@pytest.mark.django_db
def test_who_does_not_want_it_gets_none_and_all_else(left, inbox):
    wishes.choose(left.people["mia"], left.actor("mia"), by_mail={"loose_ends": When.OFF.value})
    look()
    assert of_the_week(inbox) == ["root@example.com"]


@pytest.mark.parametrize(
    ("now", "week"),
    [
        (MONDAY, MONDAY),
        (MONDAY - timedelta(seconds=1), MONDAY - timedelta(days=7)),
        (MONDAY + timedelta(days=6, hours=23), MONDAY),
    ],
)
def test_a_week_begins_on_monday_at_seven(now, week):
    assert weekly.begins(now) == week


@pytest.mark.django_db(transaction=True)
def test_eight_workers_that_look_at_once_tell_once(left, inbox):
    def work():
        try:
            tell_loose_ends()
            tell_people()
        finally:
            connections.close_all()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEvent.objects.filter(verb="loose_ends.found").count() == 1
    owed = OwedMail.objects.filter(notice__kind="loose_ends")
    assert sorted(owed.values_list("notice__person__username", flat=True)) == ["mia", "root"]
