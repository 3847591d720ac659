"""Flags, history and sync over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, FeatureFlag, GitLabActor, GitLabProject
from rollouts.rules.exposure import Exposure, enters_at
from rollouts.services import readings
from tests.walk import FLAG

pytestmark = pytest.mark.django_db


@pytest.fixture
def project_flags(world):
    """The instance's flag, and one of a project by the same name in two environments."""
    world.apply()
    instance = world.rollout().flag.instance
    with recorded("flag.add", by=Actor.system_user()):
        project = GitLabProject.objects.create(instance=instance, path="acme/flags")
        for environment in ("production", "staging"):
            for name in (FLAG, "only_project"):
                FeatureFlag.objects.create(instance=instance, project=project, environment=environment, name=name)


def test_a_flag_tells_what_gitlab_said(world, script):
    world.up_to("team", "active")
    vic = script("vic")
    answer = vic.get(f"/flags/{FLAG}").json()
    assert answer == next(flag for flag in vic.every("/flags") if flag["name"] == FLAG)
    assert (answer["presence"], answer["instance"], answer["project"], answer["environment"]) == (
        "set",
        "gitlab",
        None,
        None,
    )
    assert answer["exposure"]["actors"] == sorted(world.rollout().flag.latest.exposure.actors)
    assert answer["rollouts"] == ["haiku"]
    assert answer["url"] == f"/flags/{world.rollout().flag.pk}/"
    assert datetime.fromisoformat(answer["read_at"]) >= datetime.fromisoformat(answer["since"])


def test_flags_are_searched_and_paged(world, script):
    for number in range(7):
        world.apply(slug=f"r-{number}", flag=f"flag_{number}")
    vic = script("vic")
    assert [flag["name"] for flag in vic.every("/flags", limit=2)] == [f"flag_{number}" for number in range(7)]
    assert [flag["name"] for flag in vic.every("/flags", q="G_3")] == ["flag_3"]
    assert vic.get("/flags", {"q": "nothing"}).json() == {"items": [], "next": None, "previous": None}


def test_several_flags_of_one_name_are_told_apart(project_flags, script, refused):
    vic = script("vic")
    assert vic.get(f"/flags/{FLAG}").json()["project"] is None
    answer = vic.get(f"/flags/{FLAG}", {"project": "acme/flags", "environment": "staging"}).json()
    assert (answer["project"], answer["environment"]) == ("acme/flags", "staging")
    assert "acme/flags: only_project (staging)" in refused(vic.get("/flags/only_project"), 422)["detail"]
    refused(vic.get(f"/flags/{FLAG}/readings", {"project": "acme/flags"}), 422)
    refused(vic.get(f"/flags/{FLAG}", {"project": "acme/other"}), 404)
    refused(vic.get(f"/flags/{FLAG}", {"instance": "other"}), 404)
    assert vic.get("/flags/only_project", {"environment": "staging"}).status_code == 200


def test_readings_come_newest_first_and_whole_while_more_are_read(world, script):
    world.up_to("team", "active")
    world.gitlab.fail(status=403, path="/features")  # where GitLab is read, nobody may say otherwise
    world.sync()
    flag, mia = world.rollout().flag, world.actor("mia")
    for percentage in (1, 2, 3, 4):
        readings.enter(flag, Exposure.from_gates([("percentage_of_actors", percentage)]), by=mia, evidence="seen")
    vic = script("vic")
    first = vic.get(f"/flags/{FLAG}/readings", {"limit": 2}).json()
    assert [reading["exposure"]["percentage_of_actors"] for reading in first["items"]] == [4, 3]
    assert (first["items"][0]["source"], first["items"][0]["entered_by"]) == ("by_hand", "mia")
    readings.enter(flag, Exposure.from_gates([("percentage_of_actors", 9)]), by=mia, evidence="seen")
    rest, cursor = [], first["next"]
    while cursor:
        page = vic.get(f"/flags/{FLAG}/readings", {"limit": 1, "cursor": cursor}).json()
        rest, cursor = rest + page["items"], page["next"]
    assert len(rest) == flag.readings.count() - 3
    assert [reading["exposure"]["percentage_of_actors"] for reading in rest[:2] if reading["exposure"]] == [2, 1]


@pytest.mark.parametrize(
    ("gates", "actor", "included", "message"),
    [
        ([("boolean", True)], "User:1", True, "on for everyone"),
        ([("actors", ["User:1"])], "User:1", True, "named as an actor"),
        ([("actors", ["User:1"])], "User:2", False, "No gate lets User:2 in"),
        ([("percentage_of_actors", 100), ("actors", ["User:1:opt_out"])], "User:1", False, "opted out"),
        ([("percentage_of_actors", 100)], "User:1", True, "on for 100 % of actors"),
        ([("percentage_of_actors", 0.001)], "User:1", False, "of actors only, and no other gate lets User:1 in"),
        ([("groups", ["staff"])], "User:1", None, "only GitLab knows"),
    ],
)
def test_who_is_in_and_why(world, script, gates, actor, included, message):
    world.apply()
    readings.enter(world.rollout().flag, Exposure.from_gates(gates), by=world.actor("mia"), evidence="seen")
    answer = script("vic").get(f"/flags/{FLAG}/includes", {"actor": actor}).json()
    assert answer.keys() == {"actor", "included", "percentage_at_which_in", "why", "is_stale"}
    assert (answer["actor"], answer["included"]) == (actor, included)
    assert answer["percentage_at_which_in"] == pytest.approx(float(enters_at(actor, flag=FLAG)))
    assert message in answer["why"]
    assert "GitLab as of" in answer["why"]


def test_nothing_is_said_of_a_flag_that_was_never_read(world, script):
    world.apply()
    answer = script("vic").get(f"/flags/{FLAG}/includes", {"actor": "User:1"}).json()
    assert answer["included"] is None
    assert "not read yet" in answer["why"]


def test_a_name_from_a_plan_is_judged_by_its_number_as_the_page_judges_it(world, script, refused, client):
    """`user:ann` spread by her name would be somebody else."""
    world.apply()
    world.gitlab.fail(status=403, path="/features")  # so that a reading by hand is what is known
    world.sync()
    flag = world.rollout().flag
    ann = GitLabActor.objects.get(name="user:ann").gitlab_id
    by_number, by_name = (enters_at(name, flag=FLAG) for name in (ann, "user:ann"))
    between = round((by_number + by_name) / 2, 3)  # one of the two would be in, the other not
    halfway = Exposure.from_gates([("percentage_of_actors", between)])
    readings.enter(flag, halfway, by=world.actor("mia"), evidence="seen")
    client.force_login(world.people["vic"])
    vic = script("vic")
    for written in ("user:ann", "ann", "@ann", ann):
        answer = vic.get(f"/flags/{FLAG}/includes", {"actor": written}).json()
        assert (answer["actor"], answer["included"]) == (ann, by_number < by_name), written
        assert answer["percentage_at_which_in"] == pytest.approx(float(by_number))
        page = client.get(f"/flags/{flag.pk}/", {"actor": written}).context["answer"]
        assert (page.actor, page.inside) == (answer["actor"], answer["included"])


@pytest.mark.parametrize(
    ("written", "cure"),
    [("user:nobody", "User:42"), ("nobody", "User:42"), ("group:acme/none", "Group:42"), ("project:a/b", "Project:42")],
)
def test_a_name_that_the_portal_does_not_know_is_refused_with_what_to_write(world, script, refused, written, cure):
    world.apply()
    world.sync()
    told = refused(script("vic").get(f"/flags/{FLAG}/includes", {"actor": written}), 422)
    assert told["errors"][0]["name"] == "actor"
    assert "does not know the number of" in told["detail"]
    assert f"Write it as GitLab does: {cure}." in told["detail"]


def test_an_id_of_a_projects_flag_is_judged_as_the_application_passes_it(project_flags, script):
    which = {"project": "acme/flags", "environment": "staging"}
    answer = script("vic").get(f"/flags/{FLAG}/includes", {**which, "actor": "Jürgen 7"}).json()
    assert (answer["actor"], answer["included"]) == ("Jürgen 7", None)


@pytest.mark.parametrize("actor", ["", " ", "User:", ":1", "User:1\n2", "<script>", "User:" + "1" * 300, "User:1;x"])
def test_what_is_no_actor_is_refused(world, script, refused, actor):
    world.apply()
    told = refused(script("vic").get(f"/flags/{FLAG}/includes", {"actor": actor}), 422)
    assert told["errors"][0]["name"] == "actor"
    refused(script("vic").get(f"/flags/{FLAG}/includes"), 422)


def test_history_is_found_by_each_filter(world, script):
    world.up_to("team", "active")
    vic = script("vic")

    def verbs(**query):
        return [event["verb"] for event in vic.every("/audit", **query)]

    everything = verbs()
    assert len(everything) == AuditEvent.objects.count()
    assert verbs(verb="phase.start") == ["phase.start"]
    assert set(verbs(verb="phase")) == {"phase.request", "phase.approve", "phase.start", "phase.confirmed"}
    assert verbs(actor="alice") == ["phase.approve"]
    assert "token.issue" not in verbs(rollout="haiku")
    assert vic.get("/audit", {"rollout": "nothing"}).status_code == 422
    assert verbs(source="api") == []
    assert "phase.start" in verbs(q="owning team")
    today = timezone.now().astimezone(UTC).date()
    assert verbs(since=today.isoformat(), until=today.isoformat()) == everything
    assert verbs(since=(today + timedelta(days=1)).isoformat()) == []
    assert verbs(until=f"{today}T00:00Z") == []
    assert verbs(since=f"{today}T00:00:00+00:00") == everything


def test_history_pages_are_whole_while_things_happen(world, script):
    world.up_to("team", "active")
    vic = script("vic")
    ids = [event["id"] for event in vic.every("/audit")]
    page = vic.get("/audit", {"limit": 3}).json()
    world.do("pause", "team", "mia")
    seen = [event["id"] for event in page["items"]]
    while page["next"]:
        page = vic.get("/audit", {"limit": 3, "cursor": page["next"]}).json()
        seen += [event["id"] for event in page["items"]]
    assert seen == ids


@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2026-13-01", "2026-11-01T25:00", "0001-01-01T00:00+23:00", "9999-12-31", "99999-01-01", "1e400",
     "1700000000", "٢٠٢٦-١١-٠١T", "2026-11-01T14:00 01:00"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["since", "until"])
def test_what_is_no_time_is_refused_with_how_to_write_one(world, script, refused, name, moment):
    told = refused(script("vic").get("/audit", {name: moment}), 422)
    assert told["errors"][0]["where"] == "query"
    assert told["errors"][0]["name"] == name
    assert "2026-11-01T14:00+01:00" in told["errors"][0]["message"]


def test_an_event_tells_who_what_and_why(world, script):
    world.up_to("team", "active")
    world.do("pause", "team", "mia", reason="latency")
    event = script("mia").get("/audit", {"verb": "phase.pause"}).json()["items"][0]
    assert event["actor"] == {"kind": "person", "name": "mia"}
    assert (event["rollout"], event["reason"], event["object"]["type"]) == ("haiku", "latency", "Phase")
    assert (event["before"]["state"], event["after"]["state"]) == ("active", "paused")


def test_sync_tells_how_fresh_it_is(world, script):
    world.apply()
    told = script("vic").get("/sync").json()["instances"][0]
    assert (told["name"], told["url"], told["last_run"]) == ("gitlab", world.gitlab.url, None)
    world.sync()
    told = script("vic").get("/sync").json()["instances"][0]
    assert told["flags"]["outcome"] == "ok"
    assert told["last_run"]["outcome"] == "ok"
    assert told["last_run"]["issues"]["tracked"] == 4
    (project,) = told["projects"]
    assert (project["path"], project["issues"]["outcome"]) == ("acme/app", "ok")
    world.gitlab.state.tokens = {}
    assert world.gitlab.token not in script("mia").get("/sync").content.decode()
