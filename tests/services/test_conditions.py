"""What the clock brings is told once when it begins, and where it matters when it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from rollouts.models import AuditEvent, Condition, Notice
from rollouts.rules.notices import TELLS
from rollouts.services import conditions, due, overrides, tokens
from rollouts.services.refusals import Refused
from rollouts.tasks import tell_people, watch_clock
from tests.portal.pages import browser, signed_in, words
from tests.services.change_locks import once

pytestmark = pytest.mark.django_db


def tell():
    watch_clock()
    watch_clock()
    tell_people()


def told(kind):
    return sorted(Notice.objects.filter(kind=kind, dropped=False).values_list("person__username", "event__verb"))


@pytest.fixture
def later(time_machine):
    return lambda **by: time_machine.move_to(timezone.now() + timedelta(**by))


def test_a_lock_is_told_to_owners_when_it_begins_and_when_it_ends(world, later):
    world.apply()
    once(world, hours_from=-1, hours_to=2)
    tell()
    assert told("lock") == [("mia", "lock.began")]
    page = words(signed_in(world, "mia").get("/notifications/"))
    assert "found that a change lock began: code freeze" in page
    assert 'href="/locks/"' in page
    assert "By " in page
    later(hours=3)
    tell()
    assert told("lock") == [("mia", "lock.began"), ("mia", "lock.over")]
    assert not Condition.objects.filter(ended_at=None).exists()


def test_a_gitlab_that_is_not_read_for_long_is_told_once_and_that_it_is_read_again(world, later):
    world.apply()
    world.sync()
    tell()
    assert told("stale") == []
    later(minutes=16)
    tell()
    assert told("stale") == [("mia", "reading.stale"), ("root", "reading.stale")]
    world.sync()
    tell()
    assert told("stale") == [("mia", "reading.fresh"), ("root", "reading.fresh")]  # it stands for what was unread


def test_an_override_is_told_to_who_may_review_it_and_again_when_it_is_overdue(world, later):
    world.apply()
    world.sync()
    world.up_to("team", "approved")
    world.gitlab.state.set_feature("use_haiku", "true")
    world.sync()
    with pytest.raises(Refused):
        world.do("start", "team", "root")
    world.do("start", "team", "root", override=True, reason="urgent", confirm="haiku")
    tell()
    assert told("override") == [("alice", "override.open"), ("sam", "override.open")]
    one = world.phase("team").overrides.get()
    page = words(signed_in(world, "alice").get("/notifications/"))
    assert f'href="/rollouts/haiku/#override-{one.pk}"' in page
    assert f'id="override-{one.pk}"' in words(signed_in(world, "alice").get("/rollouts/haiku/"))
    later(days=4)
    tell()
    assert ("alice", "override.overdue") in told("override")
    overrides.review(one, by=world.actor("alice"), verdict="fine")
    before = AuditEvent.objects.count()
    tell()
    assert AuditEvent.objects.count() == before


def test_who_made_a_token_is_told_a_week_before_it_ends(world, later):
    world.apply()
    ends = timezone.now() + timedelta(days=30)
    tokens.issue(world.people["mia"], "nightly", world.actor("mia"), ends)
    tokens.issue(world.people["mia"], "for a day", world.actor("mia"), timezone.now() + timedelta(days=1))
    tell()
    assert told("token") == []
    later(days=25)
    tell()
    assert told("token") == [("mia", "token.ends")]
    assert "nightly" in words(signed_in(world, "mia").get("/notifications/"))


def test_a_sign_in_by_a_new_browser_is_told_to_who_signed_in_but_not_the_first_ever(world):
    browser("mia", "rollout")
    tell()
    assert told("sign_in") == []
    known = browser("mia", "rollout")
    tell()
    assert told("sign_in") == [("mia", "account.sign_in_new")]
    known.post("/accounts/logout/")
    known.post("/accounts/login/", {"username": "mia", "password": "rollout"})
    tell()
    assert len(told("sign_in")) == 1
    assert told("sign_in")[0][0] == "mia"


def test_owners_are_told_a_day_before_a_waiver_ends(world, later):
    world.apply()
    world.waive("team", days=3)
    tell()
    assert ("mia", "waiver.ends") not in told("waiver")
    later(days=2, hours=1)
    tell()
    assert ("mia", "waiver.ends") in told("waiver")


def test_whatever_the_clock_tells_has_somebody_to_tell():
    assert TELLS.keys() >= conditions.VERBS


def test_a_clean_up_is_told_to_owners_when_it_is_due_and_once_more_when_it_is_overdue(world, later):
    world.up_to("everyone", "completed")
    tell()
    assert told("clean_up") == [("mia", "cleanup.due")]
    mia = signed_in(world, "mia")
    page = words(mia.get("/notifications/"))
    assert "found that the rollout of Claude Haiku is through: its flag is to be removed" in page
    assert "Remove the flag, then close the rollout." in page
    assert 'href="/rollouts/haiku/#exposure"' in page
    assert 'id="exposure"' in words(mia.get("/rollouts/haiku/"))
    later(days=2 * 365)
    due.work()
    tell()
    assert told("clean_up") == [("mia", "cleanup.due"), ("mia", "cleanup.overdue")]
    assert "found that the clean-up of Claude Haiku is overdue" in words(signed_in(world, "mia").get("/notifications/"))
    tell()
    assert len(told("clean_up")) == 2, "each once"


def test_of_a_clean_up_that_is_done_nobody_is_told(world, later):
    world.up_to("everyone", "completed")
    world.gitlab.state.delete_feature("use_haiku")
    world.sync()
    later(days=2 * 365)
    due.work()
    tell()
    assert told("clean_up") == []
