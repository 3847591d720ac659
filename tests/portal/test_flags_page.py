"""Feature flags: the list with its filters and what lacks a link, the page of one flag, and who is in."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from rollouts.models import AuditEvent, FeatureFlag
from rollouts.rules import unleash
from rollouts.rules.definitions import FlagDefinition
from rollouts.rules.exposure import Exposure, enters_at
from rollouts.rules.percentages import plain_number
from rollouts.services import imports, readings
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


def words(response):
    return flat(response)


def names(response):
    return [row.name for row in response.context["rows"]]


def define(world, *definitions):
    imports.import_flags(definitions, by=world.actor("root"))


def definition(name, type="beta", group="group::ai coding", milestone="19.4", **more):
    return FlagDefinition(name, type, more.pop("default_enabled", False), group, milestone, **more)


def page_of(world):
    return f"/flags/{world.rollout().flag.pk}/"


def enter(world, *gates):
    readings.enter(world.rollout().flag, Exposure.from_gates(gates), by=world.actor("mia"), evidence="seen")


def test_the_list_says_gates_age_definition_and_rollout(world, time_machine):
    time_machine.move_to("2026-11-24T12:00:00Z")
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    world.sync()
    page = words(signed_in(world).get("/flags/"))
    assert "50 % of actors, group acme_team_members and 2 named actors" in page
    assert "default off, group::ai coding, since 19.3" in page
    assert "3 months of 6" in page
    assert "Claude Haiku" in page
    assert "More people see the model than approved" in page
    assert "overdue</span>" not in page
    time_machine.move_to("2027-03-24T12:00:00Z")
    page = words(signed_in(world).get("/flags/"))
    assert "7 months of 6" in page
    assert "overdue</span>" in page
    assert "stale, read" in page


def test_an_unset_flag_is_never_just_off(world):
    world.apply()
    define(world, definition("never_read"))
    page = words(signed_in(world).get("/flags/"))
    assert "not read yet" in page
    world.sync()
    client = signed_in(world)
    assert "unset (default off)" in words(client.get(f"/flags/?q={FLAG}"))
    assert "unset (default off)" in words(client.get("/flags/?q=never_read"))
    assert names(client.get("/flags/?presence=unread")) == []
    assert names(client.get("/flags/?presence=unset_off")) == [FLAG, "never_read"]
    page = words(client.get(f"/flags/{FeatureFlag.objects.get(name='never_read').pk}/"))
    assert "GitLab lists every flag that was ever set, and not this one" in page


def test_flags_of_ours_without_a_plan_are_found_by_their_group_and_type(world):
    world.apply()
    world.sync()
    define(
        world,
        definition("ours"),
        definition("ours_but_ops", type="ops"),
        definition("theirs", group="group::source code"),
    )
    client = signed_in(world)
    response = client.get("/flags/?with=ours")
    assert names(response) == ["ours"]
    assert "flag of ours without a plan" in words(response)
    assert names(client.get("/flags/?with=rollout")) == [FLAG]
    assert names(client.get("/flags/?with=none")) == ["ours", "ours_but_ops", "theirs"]
    assert "its type is one that is rolled out" in words(
        client.get(f"/flags/{FeatureFlag.objects.get(name='ours').pk}/")
    )


def test_filters_and_order_are_in_the_address(world):
    define(
        world,
        definition("a_young", milestone="19.4"),
        definition("b_old", milestone="18.9", type="wip", group="group::x"),
        definition("c_older", milestone="18.10", rollout_issue_url="https://gitlab.example.com/a/b/-/issues/1"),
        definition("d_unknown", milestone=""),
    )
    client = signed_in(world)
    assert names(client.get("/flags/?type=wip")) == ["b_old"]
    assert names(client.get("/flags/?group=group::x")) == ["b_old"]
    assert names(client.get("/flags/?q=YOUNG")) == ["a_young"]
    assert names(client.get("/flags/?presence=unread&instance=gitlab&sort=name"))[0] == "a_young"
    assert names(client.get("/flags/?instance=nowhere")) == []
    assert names(client.get("/flags/?sort=-name"))[0] == "d_unknown"
    # 18.10 came after 18.9, whatever texts say; without a release comes last
    assert names(client.get("/flags/?sort=-age")) == ["b_old", "c_older", "a_young", "d_unknown"]
    assert names(client.get("/flags/?issue=missing&sort=name")) == ["a_young", "d_unknown"]
    assert "No flag fits" in words(client.get("/flags/?type=none"))


def test_what_outlived_its_type_is_found(world, time_machine):
    time_machine.move_to("2026-11-24T12:00:00Z")
    define(
        world,
        definition("old", milestone="18.9"),
        definition("young"),
        definition("free", "development", milestone="15.1"),
    )
    assert names(signed_in(world).get("/flags/?age=overdue")) == ["old"]


def test_work_that_lacks_a_link_is_told_without_confidential_titles(world):
    world.up_to("team", "active")
    define(world, definition("ours"))
    world.gitlab.state.set_issue("acme/app", 11, state="closed")
    world.gitlab.state.delete_feature(FLAG)
    world.gitlab.state.remove_flag_definition(FLAG)
    world.sync(full=True)
    for name in ("vic", "mia"):
        page = words(signed_in(world, name).get("/flags/"))
        assert "1 flag of ours without a plan" in page
        assert "GitLab does not know its flag" in page
        assert "acme/app#11</a>(rollout plan) is closed, but its rollout goes on:" in page
        assert SECRET_TITLE not in page


def test_gitlabs_own_warnings_are_shown(world):
    world.apply()
    define(world, definition("on_already", "gitlab_com_derisk", default_enabled=True))
    enter(world, ("percentage_of_time", 30))
    page = words(signed_in(world).get("/flags/"))
    assert "Percentage of time is deprecated by GitLab" in page
    assert "On by default, which GitLab does not allow for flags of type gitlab_com_derisk." in page
    enter(world, ("percentage_of_actors", 100))
    assert "code that asks without an actor stays off" in words(signed_in(world).get(page_of(world)))


def test_the_number_of_queries_does_not_grow_with_the_flags(world, django_assert_num_queries):
    world.apply()
    world.sync()
    define(world, *[definition(f"flag_{n}") for n in range(5)])
    client = signed_in(world, "mia")
    paths = ("/flags/", "/flags/?with=ours&age=overdue&sort=-age", page_of(world) + "?actor=42")
    asked = []
    for path in paths:
        client.get(path)
        with CaptureQueriesContext(connection) as few:
            client.get(path)
        asked.append(len(few))
    define(world, *[definition(f"flag_{n}") for n in range(60)])
    for n in range(4):
        world.apply(slug=f"haiku-{n}", title=f"Haiku {n}", flag=f"flag_{n}")
    world.gitlab.fail(status=403, path="/features")  # where GitLab is read, nobody may say otherwise
    world.sync()
    for n in range(1, 31):
        enter(world, ("percentage_of_actors", n))
    for path, number in zip(paths, asked, strict=True):
        with django_assert_num_queries(number):
            assert client.get(path).status_code == 200
    assert len(client.get("/flags/").context["rows"]) == 50
    assert len(client.get("/flags/?page=2").context["rows"]) == 11


def test_the_page_shows_gates_readings_definition_and_rollout(world):
    define(
        world,
        definition(
            FLAG,
            introduced_by_url="https://gitlab.com/gitlab-org/gitlab/-/merge_requests/1",
            rollout_issue_url="https://gitlab.com/gitlab-org/gitlab/-/work_items/602067",
        ),
    )
    world.up_to("company", "active")
    page = words(signed_in(world).get(page_of(world)))
    assert "group acme_team_members and 2 named actors" in page
    assert "user:ann (User:" in page
    assert "gitlab-org/gitlab#602067" in page
    assert "gitlab.com/gitlab-org/gitlab/-/merge_requests/1" in page
    assert f"/chatops gitlab run feature get {FLAG}" in page
    assert 'class="read" points=' in page
    assert "named people or groups besides" in page
    assert "Owning team: completed" in page


def test_what_is_not_known_is_a_gap(world, time_machine):
    world.apply()
    world.sync()
    client = signed_in(world)
    picture = client.get(page_of(world)).context["shown"].readings
    assert (len(picture.paths), picture.gaps) == (1, ())
    world.gitlab.state.remove_flag_definition(FLAG)
    world.sync(full=True)
    picture = client.get(page_of(world)).context["shown"].readings
    assert [gap.words.split(",")[0] for gap in picture.gaps] == ["unknown to GitLab"]
    time_machine.move_to(world.now() + timedelta(hours=3))
    response = client.get(page_of(world))
    assert response.context["shown"].readings.gaps[-1].words == "not read since: not known"
    assert "the portal does not know how the flag stands now" in words(response)


def test_who_is_in_says_where_an_actor_enters_and_how_it_stands(world):
    world.apply()
    enter(world, ("percentage_of_actors", 25))
    bound = plain_number(enters_at("User:42", flag=FLAG))
    client = signed_in(world)
    for typed in ("42", "User:42"):
        page = words(client.get(page_of(world), {"actor": typed}))
        assert f"User:42 enters above {bound} % of actors (now at 25 %)." in page
        assert f"<b>{'in' if bound < 25 else 'not in'}</b>" in page
    enter(world, ("percentage_of_actors", 25), ("actors", ["User:42"]))
    assert "named as an actor, whatever the percentage" in words(client.get(page_of(world), {"actor": "42"}))
    enter(world, ("boolean", True), ("actors", ["User:42:opt_out"]))
    assert "opted out, whatever the other gates say" in words(client.get(page_of(world), {"actor": "42"}))
    assert "on for everyone" in words(client.get(page_of(world), {"actor": "43"}))


def test_a_member_of_a_group_may_be_in_whatever_the_percentage(world):
    world.up_to("company", "active")
    page = words(signed_in(world).get(page_of(world), {"actor": "987654"}))
    assert "in only as a member of a group" in page
    assert "A member of acme_team_members is in whatever the percentage; only GitLab knows who that is." in page


def test_a_name_from_a_plan_is_looked_up(world):
    world.up_to("team", "active")
    client = signed_in(world)
    assert "named as an actor" in words(client.get(page_of(world), {"actor": "ann"}))
    response = client.get(page_of(world), {"actor": "user:nobody"})
    assert response.status_code == 422
    assert "does not know the number of user:nobody. Write it as GitLab does: User:42." in words(response)


@pytest.mark.parametrize(
    "odd", ["'; drop", "\U0001f680", "<script>alert(1)</script>", "User:", "%s%n", "x" * 10_000_000]
)
def test_what_is_no_actor_is_refused_in_words(world, odd):
    world.apply()
    response = signed_in(world).get(page_of(world), {"actor": odd})
    assert response.status_code == 422
    assert "is no actor. Write a user&#x27;s number (42)" in words(response)
    assert "<script>alert" not in response.content.decode()
    assert len(response.context["actor_asked"]) <= 300


def test_a_list_is_answered_as_table_and_as_csv_and_nothing_is_kept(world):
    world.apply()
    enter(world, ("percentage_of_actors", 50))
    client, events = signed_in(world), AuditEvent.objects.count()
    typed = "42, 43\nUser:44;44\n=cmd()\n"
    page = words(client.post(page_of(world) + "who/", {"actors": typed}))
    assert "is no actor" in page
    response = client.post(page_of(world) + "who/", {"actors": typed, "as": "csv"})
    assert response["Content-Disposition"] == f'attachment; filename="who-is-in-{FLAG}.csv"'
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert [row["actor"] for row in rows] == ["User:42", "User:43", "User:44", "User:44", ""]
    for row in rows[:4]:
        bound = plain_number(enters_at(row["actor"], flag=FLAG))
        assert (row["enters"], row["now at"]) == (f"above {bound} %", "50 %")
        assert row["in"] == ("in" if bound < 50 else "not in")
    assert rows[4]["asked"] == "'=cmd()"
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        (" ,;\n", 422, "The list is empty."),
        ("\n".join(map(str, range(1, 1002))), 413, "1001 actors are too many at once."),
        ("x" * 500_000, 413, "The list is too long to be read."),
        ("x" * 11_000_000, 413, "What was sent is larger than the portal reads."),
    ],
)
def test_a_list_that_is_none_or_too_long_is_refused(world, typed, status, message):
    world.apply()
    response = signed_in(world).post(page_of(world) + "who/", {"actors": typed})
    assert response.status_code == status
    assert message in words(response)


def test_a_thousand_actors_take_as_many_queries_as_two(world, django_assert_num_queries):
    world.apply()
    world.sync()
    client, path = signed_in(world), page_of(world) + "who/"
    client.post(path, {"actors": "1 alice"})
    with CaptureQueriesContext(connection) as few:
        client.post(path, {"actors": "1 alice"})
    with django_assert_num_queries(len(few)):
        assert client.post(path, {"actors": "alice " + " ".join(map(str, range(1, 1000)))}).status_code == 200


def test_a_list_is_taken_by_post_only_and_with_its_token(world):
    world.apply()
    assert signed_in(world).get(page_of(world) + "who/").status_code == 405
    strict = signed_in(world, enforce_csrf_checks=True)
    assert strict.post(page_of(world) + "who/", {"actors": "1"}).status_code == 403
    assert Client().post(page_of(world) + "who/", {"actors": "1"}).status_code == 302


def test_a_projects_flag_is_spread_as_unleash_does(world):
    world.gitlab.state.add_project_flag(
        "acme/app",
        "own_flag",
        strategies=[
            {
                "name": "flexibleRollout",
                "parameters": {"groupId": "gr", "rollout": "30", "stickiness": "userId"},
                "scopes": [{"environment_scope": "production"}],
            }
        ],
    )
    world.apply(slug="own", title="Own", flag="own_flag, project: acme/app, environment: production")
    world.sync()
    flag = world.rollout("own").flag
    bound = unleash.enters_at("42", group_id="gr")
    page = words(signed_in(world).get(f"/flags/{flag.pk}/?actor=42"))
    assert f"42 enters from {bound} % on of actors (now at 30 %)." in page
    assert f"<b>{'in' if bound <= 30 else 'not in'}</b>" in page
    world.gitlab.state.set_project_flag(
        "acme/app",
        "own_flag",
        strategies=[
            {
                "id": world.gitlab.state.project_flag("acme/app", "own_flag")["strategies"][0]["id"],
                "name": "flexibleRollout",
                "parameters": {"groupId": "gr", "rollout": "31", "stickiness": "sessionId"},
            }
        ],
    )
    world.sync()
    page = words(signed_in(world).get(f"/flags/{flag.pk}/?actor=42"))
    assert "an id says nothing of who is in" in page
