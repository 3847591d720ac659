"""The timeline, through the door: windows, rows, collisions, pages; and that what it finds rollouts by stays true."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rollouts.models import AIModel, Rollout, clock
from rollouts.portal.charts.timeline import Zoom, axis_of
from rollouts.portal.views import timeline
from rollouts.services import locks, schedules, transitions
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.portal.schedules import planned

pytestmark = pytest.mark.django_db


def words(client, query=""):
    response = client.get(f"/timeline/{query}")
    assert response.status_code == 200
    return flat(response)


def titles(client, query=""):
    return re.findall(r'class="tname"><a href="[^"]*">([^<]*)', words(client, query))


def test_what_was_what_is_and_what_is_to_come(world):
    world.plan["soak"] = "2d"
    world.up_to("everyone", "active")
    page = words(signed_in(world))
    assert 'aria-current="page">Timeline' in page
    row = re.search(r'role="img" aria-label="([^"]*)"', page)[1]
    assert "Owning team: completed" in row
    assert "All users: underway" in row
    assert "All users: planned" in row  # GitLab was read at 1 %, so the soak says when it may go on
    assert {"bar-done", "bar-now", "bar-plan"} <= set(re.findall(r'class="(bar-\w+)"', page.split("legend")[0]))
    assert ">25 %</text>" in page
    table = page.split("<table")[1]
    assert "25 % " in table
    assert 'style="' not in page


def test_windows_are_left_and_entered_by_links(world):
    client = signed_in(world)
    with clock.told_at(datetime(2026, 11, 24, 12, tzinfo=UTC)):
        page = words(client, "?zoom=week&q=x")
        assert "23 Nov – 29 Nov 2026" in page
        assert "?zoom=week&amp;q=x&amp;from=2026-11-16" in page
        assert "?zoom=week&amp;q=x&amp;from=2026-11-30" in page
        assert "28 Dec 2026 – 3 Jan 2027" in words(client, "?zoom=week&from=2026-12-28")
        assert "1 Aug 2026 – 31 Jul 2027" in words(client, "?zoom=year").replace(
            "Aug 2026 – 31 Jul", "Aug 2026 – 31 Jul"
        )


@pytest.mark.parametrize(
    "query",
    [
        "?from=never",
        "?from=9999-12-31",
        "?from=0001-01-01&zoom=year",
        "?zoom=foo",
        "?zoom=%00".replace("%00", "%F0%9F%9A%80"),
        "?owner=%22%27%25_%5C%7B%7D%F0%9F%9A%80",
        "?owner=" + "x" * 3000,
        "?state=asleep&provider=%3Cscript%3E",
        "?after=open~2026~x",
        "?after=open~2026-01-01T00:00:00~1",
        "?after=over~9999-12-31T23:59:59%2B00:00~99999999999999999999999",
        "?after=over~0001-01-01T00:00:00%2B14:00~1",
        "?q=%25&zoom=year&from=2098-12-31",
    ],
)
def test_what_nobody_meant_is_answered_kindly(world, query):
    world.apply()
    response = signed_in(world).get(f"/timeline/{query}")
    page = html.unescape(response.content.decode())
    is_understood = query[1:2] in "oq"
    assert response.status_code == (200 if is_understood else 422)
    assert "<script>" not in response.content.decode().split("</head>")[1]
    assert ('role="alert"' in page) is not is_understood
    if "never" in query:
        assert "«never» is no day that can be named." in page
    if "asleep" in query:
        assert "There is no state «asleep». There are: open, over, all, draft" in page


def test_nothing_yet_and_nothing_that_fits(world):
    client = signed_in(world)
    assert "No rollout in this window" in words(client)
    assert "Plan a rollout" in words(signed_in(world, "mia"))
    world.apply()
    assert "No dates yet" in words(client)
    assert "No rollout fits" in words(client, "?q=gemini")


def test_long_names_and_long_ramps(world, time_machine):
    now = timezone.now()
    time_machine.move_to(now + timedelta(days=(2 - now.weekday()) % 7))  # Wednesday: the week holds the whole ramp
    name = "Ein sehr langer Name " * 9 + "🚀 <b>x</b>"
    steps = [*range(1, 20), 100]
    world.plan |= {"title": f'"{name}"', "steps": steps, "soak": "1h"}
    world.up_to("everyone", "active")
    page = words(signed_in(world), "?zoom=week")
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert page.count('class="step dated"') + page.count('class="step done"') == 20


def test_filters_are_in_the_address(world):
    world.apply()
    world.apply(slug="other", title="Gemini", flag="use_gemini")
    client = signed_in(world)
    everything = {"Claude Haiku", "Gemini"}
    assert set(titles(client, "?provider=anthropic")) == set(titles(client, "?owner=mia&state=open")) == everything
    assert titles(client, "?q=gemini") == ["Gemini"]
    assert not titles(client, "?owner=mi") + titles(client, "?state=over")
    assert (
        "There is no provider «google». There are: anthropic"
        in client.get("/timeline/?provider=google").content.decode()
    )
    assert 'value="use_ge' in words(client, "?q=use_ge")


def test_owners_with_letters_of_their_own_are_found(world):
    world.apply()
    document = world.document(slug="other", title="Other", flag="other").replace("owners: [mia]", "owners: [zoë]")
    from rollouts.services import plans

    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    assert titles(signed_in(world), "?owner=zo%C3%AB") == ["Other"]


def test_two_that_widen_on_one_day_and_share_a_quota(world):
    at = (timezone.now() + timedelta(days=2)).replace(hour=9, minute=0)
    for slug, title, flag in (("haiku", "Claude Haiku", "use_haiku"), ("review", "Haiku for review", "review_haiku")):
        rollout = world.apply(slug=slug, title=title, flag=flag, steps=planned(at))
        transitions.perform("request", rollout.phases.get(name="team"), by=world.actor("mia"))
    page = words(signed_in(world), f"?zoom=week&from={at:%Y-%m-%d}")
    ahead = " ".join(re.sub(r"<[^>]*>", " ", page.split('id="collisions"')[1].split("</section>")[0]).split())
    assert f"Claude Haiku and Haiku for review both widen on {at:%a} {at.day} {at:%b}." in ahead
    assert "Claude Haiku and Haiku for review share Vertex AI's quota of 60,000 requests a minute" in ahead
    assert "together they ask 84,000, too many" in ahead
    assert page.count('class="hit" r="8"') >= 4
    assert "Collisions: 1, 2" in page


def test_a_change_lock_lies_across_all_rows_and_holds_steps_up(world):
    at = (timezone.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    rollout = world.apply(steps=planned(at))
    transitions.perform("request", rollout.phases.get(name="team"), by=world.actor("mia"))
    freeze = {
        "starts": at.replace(tzinfo=None) - timedelta(hours=1),
        "ends": at.replace(tzinfo=None) + timedelta(days=1),
    }
    locks.add({"title": "Freeze", "kind": "once", **freeze}, by=world.actor("mia"))
    page = words(signed_in(world), f"?from={at:%Y-%m-%d}&zoom=week")
    assert '<rect class="band"' in page
    assert "Change locks: Freeze, " in page
    late = at + timedelta(days=1)
    assert f"25 % {late:%a} {late.day} {late:%b %H:%M}" in page.split("<table")[1]


def test_pages_follow_each_other_without_gap_or_repetition(world, monkeypatch):
    monkeypatch.setattr(timeline, "ROWS", 2)
    for number in range(3):
        with clock.told_at(timezone.now() - timedelta(days=number)):
            world.apply(slug=f"open-{number}", title=f"Open {number}", flag=f"flag_{number}")
    for number in range(2):
        rollout = world.apply(slug=f"over-{number}", title=f"Over {number}", flag=f"over_{number}")
        transitions.perform_on_rollout("abandon", rollout, by=world.actor("mia"), reason="x")
    client, query, seen = signed_in(world), "", []
    while query is not None:
        seen += titles(client, query)
        following = re.search(r'href="(\?after=[^"]*)" rel="next"', words(client, query))
        query = following[1] if following else None
    assert seen == ["Open 2", "Open 1", "Open 0", "Over 0", "Over 1"]


def test_only_the_rollouts_of_the_window_are_shown(world):
    """One that went on years ago, one that goes on, one that is planned for a day in years."""
    now = timezone.now()
    with clock.told_at(now - timedelta(days=800)):
        old = world.apply(slug="old", title="Old", flag="old")
        transitions.perform_on_rollout("abandon", old, by=world.actor("mia"), reason="x")
    world.apply(slug="now", title="Now", flag="now")
    late = now + timedelta(days=800)
    document = world.document(slug="late", title="Late", flag="late") + f"timeline: {{team: {late:%Y-%m-%d}}}\n"
    from rollouts.services import plans

    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    client = signed_in(world)
    found = {days: titles(client, f"?from={now + timedelta(days=days):%Y-%m-%d}") for days in (-801, 0, 100, 799)}
    assert found == {-801: ["Old"], 0: ["Now"], 100: [], 799: ["Late"]}


def test_the_database_is_asked_as_often_for_many_as_for_few(world):
    asked = {}
    client = signed_in(world, "mia")
    world.apply()
    for count in (1, 8):
        for number in range(count):
            world.apply(slug=f"more-{number}", title=f"More {number}", flag=f"flag_{number}")
        client.get("/timeline/")
        with CaptureQueriesContext(connection) as queries:
            client.get("/timeline/?zoom=year")
        asked[count] = len(queries)
    assert asked[1] == asked[8]


def test_what_rollouts_are_found_by_is_true_after_every_deed(world):
    def is_true():
        for rollout in Rollout.objects.whole():
            stored = (rollout.begins_at, rollout.ends_at, rollout.until, rollout.takes)
            schedules.keep_extent(rollout)  # outside of a recorded change it may only look
            assert stored == (rollout.begins_at, rollout.ends_at, rollout.until, rollout.takes)

    world.plan["soak"] = "1h"
    world.up_to("team", "planned")
    is_true()
    for phase, state in (("team", "requested"), ("company", "completed"), ("everyone", "active")):
        world.up_to(phase, state)
        is_true()
    assert world.rollout().takes == timedelta(hours=2)  # 25 % and 100 % have to stand; 1 % is confirmed
    world.do("pause", "everyone", "mia", reason="x")
    is_true()
    world.do("roll_back", "everyone", "mia", reason="slow")
    is_true()
    world.do("retry", "everyone", "mia")
    world.apply(steps=[1, 100])
    is_true()
    assert [step.began_at is None for step in world.phase("everyone").steps.all()] == [True, True]
    world.do("roll_back", "team", "mia", reason="slow")
    is_true()
    transitions.perform_on_rollout("abandon", world.rollout(), by=world.actor("mia"), reason="x")
    is_true()
    assert world.rollout().ends_at == world.rollout().abandoned_at


def test_days_on_which_clocks_change_are_as_long_as_they_are():
    berlin = ZoneInfo("Europe/Berlin")
    axis = axis_of(Zoom.WEEK, date(2026, 10, 19), datetime(2026, 11, 1, tzinfo=UTC), berlin)
    assert axis.until - axis.since == timedelta(days=7, hours=1)
    sunday = datetime(2026, 10, 25, tzinfo=berlin)
    assert axis.share(sunday) == pytest.approx(100 * 6 * 24 / 169)
    assert next(tick.words for tick in axis.ticks()) == "Mon 19 Oct"
    # A midnight that clocks leave out is the first moment after it.
    beirut = ZoneInfo("Asia/Beirut")
    axis = axis_of(Zoom.WEEK, date(2026, 3, 29), datetime(2026, 3, 29, tzinfo=UTC), beirut)
    assert axis.since == datetime(2026, 3, 28, 22, tzinfo=UTC)


@pytest.mark.parametrize("zoom", list(Zoom))
def test_earlier_and_later_lead_back(zoom):
    axis = axis_of(zoom, date(2026, 12, 7), datetime(2026, 12, 1, tzinfo=UTC), UTC)
    later = axis_of(zoom, axis.later, datetime(2026, 12, 1, tzinfo=UTC), UTC)
    assert later.first == axis.last
    assert later.earlier == axis.first == date(2026, 12, 7)


def test_two_rows_of_one_model_are_one_quota(world):
    """The same provider, host and id by another name, as an import may have made it."""
    world.apply()
    with_id = AIModel.objects.get(provider_model_id="claude-haiku")
    twin = {"provider": "Anthropic", "host": "VERTEX AI", "provider_model_id": "Claude-Haiku", "slug": "twin"}
    row = {f"ai_model__{name}": value for name, value in twin.items()}
    more = {"slug": "x", "ai_model__quota_requests_per_minute": None, "peak_requests_per_minute": 5}
    mine = {f"ai_model__{name}": getattr(with_id, name) for name in twin}
    assert schedules._demand({**row, **more}).key == schedules._demand({**mine, **more}).key
