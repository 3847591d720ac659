"""One rollout's page: who sees the model over time, what is not known, what others see of it, and how much it asks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChecklistItem, FlagReading, ReadingGap
from rollouts.services import locks, transitions
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db
HERE = "/rollouts/haiku/"


def page(world, name="mia"):
    response = signed_in(world, name).get(HERE)
    assert response.status_code == 200
    return flat(response)


def part(html, name):
    """The text of one card."""
    card = html.split(f'id="{name}"')[1].split("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", card).split())


def drawn(html, look):
    """The path of one line of the picture."""
    match = re.search(rf'<path class="{look}" d="([^"]*)"', html)
    return match.group(1) if match else ""


def later(world, time_machine, **span):
    time_machine.move_to(world.now() + timedelta(**span))


@pytest.fixture
def climbed(world, time_machine):
    """Team and company in two days, then 1 % for a day and 25 % since; GitLab was read all along."""
    world.plan["soak"] = "1h"
    time_machine.move_to(world.now() - timedelta(days=9))
    world.up_to("team", "active")
    read_for(world, time_machine, 24)
    world.confirm("team")
    world.do("complete", "team", "mia")
    begin(world, "company")
    read_for(world, time_machine, 24)
    world.confirm("company")
    world.do("complete", "company", "mia")
    begin(world, "everyone")
    read_for(world, time_machine, 24)
    world.advance("everyone")
    world.obey()
    read_for(world, time_machine, 24)
    return world


def begin(world, phase):
    world.confirm(phase)
    world.do("request", phase, "mia")
    world.approve(phase)
    world.do("start", phase, "mia")
    world.obey()


def read_for(world, time_machine, hours):
    """So many hours in which GitLab is read again and again."""
    world.let_pass(time_machine, hours=hours)


def test_who_sees_it_is_a_sentence_a_picture_and_a_table(climbed):
    html = page(climbed)
    told = part(html, "exposure")
    assert "25 % of actors, group acme_team_members and 2 named actors" in told
    assert drawn(html, "read").count("M") == 1  # nothing was left unread
    assert drawn(html, "read").count("V") == 2  # to 1 %, to 25 %
    assert len(re.findall('<path class="plan"', html)) == 2  # as it was, and as it is expected to go on
    for phase in ("Owning team", "Whole company", "All users"):
        assert f"<title>{phase}: " in html
    marks = re.findall(r'<a class="mark-at [a-z]+" href="#(event-\d+)" aria-label="([^"]+)"', html)
    rows = set(re.findall(r'<tr id="(event-\d+)"', html))
    assert {row for row, _ in marks} <= rows
    assert any("mia advanced All users to 25 %" in said for _, said in marks)
    assert "mia advanced All users to 25 %" in told
    assert "change lock" not in told


def test_what_nobody_read_is_a_gap_and_said_so(climbed, time_machine):
    before = drawn(page(climbed), "read")
    later(climbed, time_machine, hours=5)
    assert "GitLab" in part(page(climbed), "exposure").split("too old to rely on")[1]  # the reading is stale now
    assert drawn(page(climbed), "read").count("M") == before.count("M") == 1
    climbed.sync()
    assert ReadingGap.objects.exclude(since=None).count() == 1
    html = page(climbed)
    assert drawn(html, "read").count("M") == 2  # the line ends and begins anew
    assert "Not read from" in html
    told = part(html, "exposure")
    assert re.search(r"\w+ \d+:\d\d UTC 5 h .{0,80} not read not known", told)


def test_before_the_first_reading_nothing_is_drawn(world):
    world.apply()
    html = page(world)
    assert drawn(html, "read") == ""
    assert "Owning team: at the earliest" in html
    assert "not read yet" in part(html, "exposure")
    assert 'href="#event-' in html  # the plan was applied


def test_a_reading_by_hand_holds_for_a_while_and_then_is_not_known(world, time_machine):
    from rollouts.rules.exposure import Exposure
    from rollouts.services import readings

    world.apply()
    exposure = Exposure(groups=frozenset({"acme_team_members"}))
    readings.enter(world.rollout().flag, exposure, by=world.actor("mia"), evidence="looked")
    later(world, time_machine, minutes=30)
    told = part(page(world), "exposure")
    assert "5 min nobody group acme_team_members More people see the model than approved" in told
    assert "25 min nobody not read not known" in told


def test_drift_is_shaded_labelled_and_told_apart_from_waiting(climbed, time_machine):
    climbed.gitlab.state.set_feature(FLAG, "60", key="percentage_of_actors")
    climbed.sync()
    read_for(climbed, time_machine, 2)
    html = page(climbed)
    assert drawn(html, "drift")
    assert "drift 2 h" in html
    assert "60 % of actors, group acme_team_members and 2 named actors More people see the model" in part(
        html, "exposure"
    )
    climbed.obey()
    climbed.do("request", "everyone", "mia")
    climbed.approve("everyone")
    read_for(climbed, time_machine, 2)
    climbed.do("advance", "everyone", "mia")
    later(climbed, time_machine, minutes=3)
    html = page(climbed)
    assert "waiting for GitLab" in part(html, "exposure")
    assert html.count("drift 2 h") == 1  # over, and still in the picture


def test_change_locks_are_bands_also_those_that_are_over(climbed):
    now = climbed.now().replace(tzinfo=None)
    for title, starts, ends in (("Load test", -30, -20), ("Release day", 20, 40), ("Long ago", -2000, -1990)):
        locks.add(
            {
                "title": title,
                "kind": "once",
                "starts": now + timedelta(hours=starts),
                "ends": now + timedelta(hours=ends),
            },
            by=climbed.actor("mia"),
        )
    html = page(climbed)
    assert "Change lock «Load test»" in html
    assert "Long ago" not in html
    assert "next: Release day" in part(html, "before")


def test_a_page_with_much_behind_it_asks_no_more_and_stays_small(climbed):
    client = signed_in(climbed, "mia")
    client.get(HERE)
    with CaptureQueriesContext(connection) as few:
        client.get(HERE)
    flag, now, rollout = climbed.rollout().flag, climbed.now(), climbed.rollout()
    with recorded("flood", by=climbed.actor("root")):
        FlagReading.objects.bulk_create(
            FlagReading(
                flag=flag,
                read_at=now - timedelta(minutes=n),
                presence="set",
                gates={"percentage_of_actors": n % 100},
                raw=[],
            )
            for n in range(1, 5001)
        )
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=now - timedelta(minutes=n),
            actor_kind="person",
            actor="mia",
            verb="phase.pause" if n % 2 else "phase.resume",
            object_type="Phase",
            object_id="1",
            object_name="All users",
            rollout=rollout,
            chain="rollout:haiku",
            source="page",
        )
        for n in range(2000, 0, -1)
    )
    with CaptureQueriesContext(connection) as many:
        response = client.get(HERE)
    assert len(many) == len(few) < 60
    assert len(response.content) < 130_000
    told = part(response.content.decode(), "exposure")
    assert re.search(r"The newest 60 of 2,?0\d\d events", told)
    assert re.search(r"4,?5\d\d older ones are left out", told)
    assert "Older readings, from " in response.content.decode()  # which is not that nobody had read
    assert "Not read from " not in response.content.decode().split(" are not drawn")[1]
    assert response.content.decode().count('class="mark-at') < 50


def test_without_the_role_a_confidential_issue_shows_its_state_and_nothing_more(world):
    state = world.gitlab.state
    state.add_user("secret-sue")
    state.set_issue("acme/app", 11, assignees=["secret-sue"], notes_count=77, description="- [x] a\n- [ ] b")
    state.set_issue("acme/app", 14, assignees=["ann"], notes_count=31)
    world.up_to("team", "requested")
    seen, hidden = page(world, "mia"), page(world, "vic")
    assert SECRET_TITLE in seen
    assert "assigned to secret-sue" in part(seen, "checklist")
    assert "77 notes" in part(seen, "checklist")
    for secret in (SECRET_TITLE, "secret-sue", "77 notes"):
        assert secret not in hidden
    told = part(hidden, "checklist")
    assert "confidential issue open confidential read" in told
    assert "of 2 tasks" not in told
    assert "assigned to ann" in told
    assert "31 notes" in part(hidden, "checklist")


def test_an_issue_that_was_not_read_for_long_says_so(world, time_machine):
    world.up_to("team", "requested")
    assert "too old to rely on" not in part(page(world), "checklist")
    later(world, time_machine, minutes=20)
    assert "read 20 min ago : too old to rely on" in part(page(world), "checklist")


def test_people_decisions_and_facts_with_their_ages(climbed):
    html = page(climbed)
    people, learnt, before = (part(html, name) for name in ("people", "checklist", "before"))
    assert "Planned by mia" in people
    assert "Whole company used asked by mia" in people
    assert people.count("approved by sam") >= 1
    assert re.search(
        r"Decision: do we need more request quota\?.{0,20} mia ?, .{1,20} ago ?: https://gitlab.example.com/x", learnt
    )
    assert html.count("Decision: do we need more request quota?") == 1
    assert "GitLab stands where the plan says: 25 % of actors" in before
    assert re.search(r"Soak of 1 h is over confirmed 1 d ago", before)
    assert re.search(r"Before 100 % \d of \d", before)


def test_capacity_counts_others_on_the_same_quota(climbed):
    climbed.apply(slug="other", title="Another way in", flag="use_haiku_elsewhere", steps=[50, 100])
    assert "shared" not in part(page(climbed), "capacity")  # a draft asks for nothing yet

    def do(verb, by, **more):
        row = climbed.phase("everyone", "other")
        if verb == "approve":
            more["looked_at"] = transitions.digest_of(row.rollout, row.name)
        transitions.perform(verb, row, by=climbed.actor(by), **more)

    do("request", "mia")
    do("approve", "alice")
    do("approve", "sam")
    do("start", "root", reason="Both at once.", override=True, confirm="other")
    told = part(page(climbed), "capacity")
    assert "Vertex AI, 60,000 requests a minute, shared with 1 other rollout" in told
    assert "25 % now 10,500 31,500 53 %" in told
    assert re.search(r"100 % 42,000 63,000 105 % ask for quota by \d+ \w+", told)
    assert "Another way in (21,000)" in told


def test_a_rolled_back_rollout_shows_each_attempt_and_predicts_nothing(world, time_machine):
    world.apply()
    world.sync()
    world.confirm()
    for attempt in (1, 2, 3):
        begin(world, "team")
        read_for(world, time_machine, 6)
        world.do("roll_back", "team", "mia", reason=f"Too slow, time {attempt}.")
        world.gitlab.state.set_feature(FLAG, "false")
        read_for(world, time_machine, 1)
        if attempt < 3:
            world.do("retry", "team", "mia")
    html = page(world)
    assert html.count('class="phase back"') == 3
    assert html.count("Owning team, attempt 3: rolled back") == 1
    assert len(re.findall('<path class="plan"', html)) == 1
    assert "Too slow, time 1." in part(html, "history")


@pytest.mark.parametrize("verb", ["abandon", "close"])
def test_the_picture_of_what_is_over_ends_there(world, time_machine, verb):
    if verb == "abandon":
        world.apply()
    else:
        world.up_to("everyone", "completed")
        world.gitlab.state.delete_feature(FLAG)
        world.sync()
    transitions.perform_on_rollout(verb, world.rollout(), by=world.actor("mia"), reason="Enough.")
    later(world, time_machine, days=30)
    html = page(world)
    assert 'class="today"' not in html
    assert 'id="before"' not in html
    assert not re.search(r"\d\d d ", part(html, "exposure").split("As a table")[1])  # what came after is not told


def test_long_names_many_steps_and_many_items(world):
    title = "Ä" * 200
    world.apply(title=title, steps=[*range(5, 100, 5), 100])
    rollout = world.rollout()
    phase = rollout.phases.get(name="team")
    with recorded("items", by=world.actor("root"), rollout=rollout):
        for number in range(60):
            ChecklistItem.objects.create(
                rollout=rollout,
                phase=phase,
                key=f"item-{number}",
                title=f"Item {number}",
                kind="manual",
                position=number,
            )
    world.confirm("team")
    html = page(world)
    assert title in html
    assert "60 more are done" in part(html, "checklist")
    assert "It can&#x27;t be known yet: Owning team is planned" in part(html, "checklist")  # what decides about its end
    ticks = re.findall(r'<text x="(\d+)%"', html)
    assert 8 <= len(ticks) <= 15
    assert "100" in ticks
    assert part(html, "ramp").count("at the earliest") == 20


def test_times_are_in_the_viewers_zone(climbed):
    client = signed_in(climbed, "vic")
    client.cookies["zone"] = "Asia/Kathmandu"
    told = part(client.get(HERE).content.decode(), "exposure")
    assert "+0545" in told
    assert "UTC" not in told


def test_the_page_speaks_the_readers_language(climbed):
    client = signed_in(climbed, "vic")
    client.cookies["language"] = "de"
    html = client.get(HERE).content.decode()
    assert "Wer es sieht" in part(html, "exposure")
    assert "aktiv · Stufe 2 von 3" in html
    assert "All users: aktiv" in html
