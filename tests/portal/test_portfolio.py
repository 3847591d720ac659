"""The portfolio: a line is what the rollout is, at once; filters, groups, board, kept views and the file say the same."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from functools import partial

import pytest
from django.core.management import call_command
from django.utils import timezone

from rollouts.models import AuditEvent, PortfolioRow, SavedView
from rollouts.services import facts, locks, portfolio_rows
from tests.markup import flat
from tests.portal.pages import signed_in, words
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


def groups(response):
    return {group.key: [row.slug for row in group.rows] for group in response.context["groups"]}


def row(world, name="mia", query=""):
    return next(row for group in signed_in(world, name).get(f"/{query}").context["groups"] for row in group.rows)


def test_a_rollout_is_in_the_group_of_who_must_act_for_each_person(world):
    world.up_to("team", "planned")
    assert groups(signed_in(world, "mia").get("/")) == {"yours": ["haiku"]}  # its owner may ask
    assert groups(signed_in(world, "root").get("/")) == {"others": ["haiku"]}  # an admin, but no owner
    assert "mia" in row(world, "root").who
    world.do("request", "team", "mia")
    assert groups(signed_in(world, "mia").get("/")) == {"others": ["haiku"]}
    assert groups(signed_in(world, "alice").get("/")) == {"yours": ["haiku"]}
    assert groups(signed_in(world, "vic").get("/")) == {"others": ["haiku"]}
    assert row(world, "vic").who == "an approver"


def test_who_has_approved_already_is_not_asked_again(world):
    world.up_to("company", "planned")
    world.confirm("company")
    world.do("request", "company", "mia")
    world.do("approve", "company", "alice")
    assert groups(signed_in(world, "alice").get("/")) == {"others": ["haiku"]}
    assert groups(signed_in(world, "sam").get("/")) == {"yours": ["haiku"]}
    assert row(world, "sam").next_detail == "asked by mia, 1 of 2 approvals"


def test_every_change_shows_at_once(world):
    world.up_to("team", "active")
    assert row(world).health == "as_planned"
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    drifting = row(world)
    assert (drifting.health, drifting.next_words) == ("drifting", "Set the flag back to 2 named actors")
    assert "More people see the model than approved" in drifting.exposure
    world.gitlab.state.set_feature(FLAG, "false")
    world.obey()
    assert row(world).health == "as_planned"
    world.do("pause", "team", "mia", reason="lunch")
    assert row(world).next_words == "Resume Owning team"


def test_a_change_elsewhere_shows_too(world):
    world.up_to("team", "planned")
    assert row(world).next_words == "Ask for Owning team"
    world.gitlab.state.delete_issue("acme/app", 14)
    world.sync(full=True)
    assert "internal feedback" in row(world).next_words
    now = timezone.now().replace(tzinfo=None)
    stored = PortfolioRow.objects.get()
    assert stored.due_at is None or stored.due_at > timezone.now()
    locks.add(
        {"title": "Freeze", "kind": "once", "starts": now, "ends": now + timedelta(hours=1)}, by=world.actor("mia")
    )
    assert PortfolioRow.objects.get().due_at <= timezone.now()  # looked at again before it is shown


@pytest.mark.parametrize(
    ("phase", "state"),
    [("team", "requested"), ("company", "approved"), ("everyone", "active"), ("everyone", "completed")],
)
def test_a_line_says_the_same_as_the_facts_after_each_deed(world, phase, state):
    """Nothing that a person or GitLab does leaves an old line behind."""
    from rollouts.rules import health
    from rollouts.rules.next_action import next_action

    world.up_to(phase, state)
    portfolio_rows.bring_up_to_date()
    told, line = world.facts(), PortfolioRow.objects.get()
    assert line.health == health.judge(told).health
    assert row(world).next_words == next_action(told).words
    for name in world.people:
        person = world.actor(name).person
        waits = line in PortfolioRow.objects.waiting_for(person)
        for_whom = next_action(told).waits
        assert waits == (for_whom is not None and for_whom.admits(person)), name


def test_a_soak_runs_by_itself_and_its_end_is_seen(world, time_machine):
    world.plan["soak"] = "1h"
    world.plan["steps"] = [1, 10, 100]
    time_machine.move_to(timezone.now())
    world.up_to("everyone", "active")
    waiting = row(world)
    assert groups(signed_in(world, "mia").get("/")) == {"runs": ["haiku"]}
    assert waiting.next_words == "Advance to 10 %"
    assert waiting.next_detail.endswith("of soak left")
    world.let_pass(time_machine, hours=1, seconds=1)
    assert groups(signed_in(world, "mia").get("/")) == {"yours": ["haiku"]}
    assert row(world).next_detail == "nothing blocks it"


def test_what_is_stale_is_said_to_be_not_known(world, time_machine):
    time_machine.move_to(timezone.now())
    world.up_to("team", "active")
    assert row(world).tag_words == "as planned"
    time_machine.shift(timedelta(minutes=6))
    old = row(world)
    assert (old.health, old.tag_words) == ("stale", "not known")
    assert groups(signed_in(world, "mia").get("/?health=stale"))
    assert not groups(signed_in(world, "mia").get("/?health=as_planned"))


def test_the_sentence_on_top_counts_and_links(world):
    world.up_to("team", "active")
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    page = signed_in(world, "mia").get("/")
    assert page.context["summary"] == {"underway": 1, "yours": 1, "drifting": 1, "overdue": 0, "reviews": 0, "due": 0}
    assert "1 rollout underway." in words(page)
    assert 'href="/?show=drifting">1 is drifting' in flat(page)
    assert groups(signed_in(world, "mia").get("/?show=drifting")) == {"yours": ["haiku"]}
    assert groups(signed_in(world, "mia").get("/?show=overdue")) == {}


def several(world):
    world.remembered("several", partial(_several, world))


def _several(world):
    for slug, title in (("haiku", "Claude Haiku"), ("opus", "Claude Opus"), ("sonnet", "Sonnet 🚀 for chat")):
        world.apply(slug=slug, title=title, flag=FLAG if slug == "haiku" else f"flag_{slug}")
    world.sync()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=opus", {"opus"}),
        ("?q=FLAG_SONNET", {"sonnet"}),
        ("?q=claude+haiku", {"haiku", "opus", "sonnet"}),  # the AI model is Claude Haiku for all three
        ("?q=nothing+of+it", set()),
        ("?provider=anthropic", {"haiku", "opus", "sonnet"}),
        ("?owner=mia", {"haiku", "opus", "sonnet"}),
        ("?owner=mi", set()),
        ("?phase=team", {"haiku", "opus", "sonnet"}),
        ("?phase=company", set()),
        ("?state=over", set()),
        ("?state=all&health=as_planned", {"haiku", "opus", "sonnet"}),
    ],
)  # fmt: skip
def test_filters_are_in_the_address(world, query, found):
    several(world)
    page = signed_in(world, "mia").get(f"/{query}")
    assert {slug for slugs in groups(page).values() for slug in slugs} == found
    rows = list(csv.DictReader(io.StringIO(get_file(world, query))))
    assert {one["rollout"] for one in rows} == found  # the file is what the screen shows


def get_file(world, query=""):
    answer = signed_in(world, "vic").get(f"/portfolio.csv{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    return b"".join(answer.streaming_content).decode()


@pytest.mark.parametrize("group", ["health", "phase", "owner", "provider", "none"])
@pytest.mark.parametrize("sort", ["urgency", "since", "title"])
def test_groups_and_orders(world, group, sort):
    several(world)
    page = signed_in(world, "mia").get(f"/?group={group}&sort={sort}")
    shown = [slug for slugs in groups(page).values() for slug in slugs]
    assert sorted(shown) == ["haiku", "opus", "sonnet"]
    if sort == "title":
        assert shown == ["haiku", "opus", "sonnet"]


@pytest.mark.parametrize("query", ["", "group=owner&sort=title&", "group=none&sort=since&", "state=all&sort=title&"])
def test_pages_follow_each_other_without_loss(world, query, monkeypatch):
    from rollouts.portal import listing

    world.up_to("team", "requested")
    several(world)
    monkeypatch.setattr(listing, "PAGE", 1)
    client, seen, after = signed_in(world, "alice"), [], ""
    for _ in range(5):
        page = client.get(f"/?{query}after={after}")
        seen += [slug for slugs in groups(page).values() for slug in slugs]
        after = page.context["listing"].next
        if not after:
            break
    assert sorted(seen) == ["haiku", "opus", "sonnet"]


def test_the_board_has_a_column_for_each_phase(world):
    world.up_to("company", "planned")
    several(world)
    page = signed_in(world, "mia").get("/?view=board")
    assert groups(page) == {"team": ["opus", "sonnet"], "company": ["haiku"], "everyone": [], "": []}
    assert "Rollouts by phase" in words(page)


def test_the_usual_length_of_a_phase_comes_from_those_that_ended(world, time_machine):
    time_machine.move_to(timezone.now())
    world.up_to("team", "active")
    time_machine.shift(timedelta(days=2))
    world.sync()
    world.confirm("team")
    world.do("complete", "team", "mia")
    world.apply(slug="opus", title="Claude Opus", flag="flag_opus")
    portfolio_rows.bring_up_to_date()
    usual = {row.title: row.content["usual"] for row in PortfolioRow.objects.all()}
    assert usual["Claude Haiku"] is None  # no company phase has ended yet
    assert timedelta(seconds=usual["Claude Opus"]) >= timedelta(days=2)
    assert "usual 2 d" in words(signed_in(world, "mia").get("/?q=opus"))


def test_the_file_is_safe_for_spreadsheets_and_tells_nothing_confidential(world):
    world.apply(title="=HYPERLINK(1)")
    world.sync()
    told = get_file(world)
    assert "'=HYPERLINK(1)" in told
    assert SECRET_TITLE not in told


def test_views_are_kept_shared_and_removed(world):
    mia, vic = signed_in(world, "mia"), signed_in(world, "vic")
    answer = mia.post("/views/", {"name": "Drift", "query": "health=drifting&after=3", "shared": "yes"})
    assert answer["Location"] == "/?health=drifting"
    assert AuditEvent.objects.filter(verb="view.keep", actor="mia").count() == 1
    assert "Drift" in words(vic.get("/"))
    view = SavedView.objects.get()
    assert vic.post(f"/views/{view.pk}/remove/").status_code == 403
    vic.post("/views/", {"name": "Mine", "query": "owner=vic"})
    assert "Mine" not in words(mia.get("/"))
    refused = vic.post("/views/", {"name": "For all", "query": "owner=vic", "shared": "yes"}, follow=True)
    assert "Sharing a view takes the role manager; vic has not got it." in words(refused)
    assert "Give the view a name" in words(vic.post("/views/", {"name": " ", "query": "q=1"}, follow=True))
    mia.post(f"/views/{view.pk}/remove/")
    assert list(SavedView.objects.values_list("name", flat=True)) == ["Mine"]


def test_two_at_once_work_out_each_line_once_and_lose_nothing(world):
    several(world)
    assert portfolio_rows.bring_up_to_date(most=2) == 2
    assert portfolio_rows.bring_up_to_date() == 1
    assert portfolio_rows.bring_up_to_date() == 0
    with_facts = facts.for_rollout(world.rollout("opus"), timezone.now())
    assert PortfolioRow.objects.get(title="Claude Opus").phase == with_facts.current.name


def test_a_row_says_since_when_it_waits(world, time_machine):
    time_machine.move_to(timezone.now())
    world.up_to("team", "requested")
    asked = world.phase("team").requested_at
    assert row(world, "alice").waits_since == asked
    time_machine.shift(timedelta(hours=3))
    world.sync()
    assert ">3 h<" in words(signed_in(world, "alice").get("/")).split("asked by mia")[1].split("</small>")[0]


def test_lines_of_an_older_portal_are_worked_out_anew_after_an_upgrade(world):
    world.apply()
    portfolio_rows.bring_up_to_date()
    PortfolioRow.objects.update(content={"layout": 0})
    call_command("migrate", verbosity=0)
    assert row(world).title == "Claude Haiku"


def test_the_lists_of_what_must_not_be_forgotten_are_one_step_away(world):
    page = signed_in(world, "vic").get("/").content.decode()
    for address in ("/drift/", "/waivers/", "/loose-ends/", "/reports/"):
        assert f'href="{address}"' in page
