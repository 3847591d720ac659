"""Rollouts over REST: the same facts, blockers and walls as on the pages."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.api import answers
from rollouts.models import AuditEvent, GitLabInstance, Rollout, clock
from rollouts.rules.document import LIMIT
from rollouts.services import transitions
from tests.portal.pages import signed_in
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db
ROLES = ["mia", "alice", "vic", "root"]


def codes(phase):
    return {blocker["code"] for blocker in phase["blockers"]}


@pytest.mark.parametrize("name", ROLES)
def test_a_rollout_tells_where_it_stands(world, script, name):
    world.up_to("everyone", "active")
    answer = script(name).get("/rollouts/haiku").json()
    assert answer.keys() == {
        "slug", "title", "state", "health", "flag", "model", "baseline", "phases", "url", "guard_metrics", "order", "prediction"
    }  # fmt: skip
    assert (answer["slug"], answer["title"], answer["state"], answer["health"]) == (
        "haiku", "Claude Haiku", "underway", "as_planned"
    )  # fmt: skip
    rollout = world.rollout()
    assert (answer["model"], answer["baseline"]) == (rollout.ai_model.slug, "codestral-2501")
    flag = answer["flag"]
    assert flag.keys() == {"name", "expected", "read", "read_at", "drift"}
    assert flag["expected"] == flag["read"]
    assert flag["expected"].keys() == {
        "boolean", "percentage_of_actors", "percentage_of_time", "groups", "actors"
    }  # fmt: skip
    assert (flag["name"], flag["expected"]["percentage_of_actors"], flag["drift"]) == (FLAG, 1, "none")
    team, company, everyone = answer["phases"]
    assert team.keys() == {
        "name", "state", "attempt", "version", "optional", "checklist", "blockers", "step", "steps"
    }  # fmt: skip
    assert (team["state"], team["blockers"], team["steps"], team["step"]) == ("completed", [], [], None)
    assert (company["optional"], team["optional"], team["attempt"]) == (False, True, 1)
    assert (everyone["step"], everyone["steps"]) == (1, [1, 25, 100])
    assert company["checklist"]["done"] == company["checklist"]["required"] > 0
    assert script(name).client.get(answer["url"]).status_code in (200, 302)


def test_blockers_are_the_callers_own_and_say_where_they_are_cleared(world, script):
    world.up_to("team", "planned")
    for_manager = script("mia").get("/rollouts/haiku").json()["phases"][0]
    for_viewer = script("vic").get("/rollouts/haiku").json()["phases"][0]
    assert "role" in codes(for_viewer)
    assert "role" not in codes(for_manager)
    assert for_viewer["blockers"][0]["verb"] == "request"
    world.do("request", "team", "mia")
    mias, alices = (script(name).get("/rollouts/haiku").json()["phases"][0] for name in ("mia", "alice"))
    assert codes(mias) == {"role", "four_eyes"}
    assert codes(alices) == set()
    assert all(blocker["url"].startswith("/") for blocker in mias["blockers"])


def test_drift_is_told(world, script):
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    world.sync()
    answer = script("vic").get("/rollouts/haiku").json()
    assert (answer["health"], answer["flag"]["drift"]) == ("drifting", "ahead")
    assert (answer["flag"]["expected"]["percentage_of_actors"], answer["flag"]["read"]["percentage_of_actors"]) == (
        1,
        50,
    )


def test_a_flag_that_was_never_read_is_not_called_off(world, script):
    world.apply()
    flag = script("vic").get("/rollouts/haiku").json()["flag"]
    assert (flag["read"], flag["read_at"]) == (None, None)


def test_filters(world, script):
    world.up_to("company", "active")
    world.apply(slug="other", title="Other 100% model", flag="other_flag")
    vic = script("vic")

    def found(**query):
        return [told["slug"] for told in vic.every("/rollouts", **query)]

    assert found() == ["haiku", "other"]
    assert found(state="underway") == ["haiku"]
    assert found(state="draft") == ["other"]
    assert found(phase="company") == ["haiku"]
    assert found(phase="team") == ["other"]
    assert found(provider="anthropic") == ["haiku", "other"]
    assert found(health="as_planned") == ["haiku"]
    assert found(health="stale") == ["other"]
    assert found(health="drifting") == []
    assert found(q="OTHER_FLAG") == ["other"]
    assert found(q="100%") == ["other"]
    assert found(q="%_%") == []
    assert found(q="nothing", phase="company") == []


def test_pages_are_complete_while_rollouts_are_added(world, script):
    for number in range(5):
        world.apply(slug=f"r-{number}", title=f"t{9 - number}", flag=f"flag_{number}")
    vic, seen, cursor = script("vic"), [], ""
    while cursor is not None:
        page = vic.get("/rollouts", {"limit": 2, "cursor": cursor}).json()
        assert page.keys() == {"items", "next", "previous"}
        seen += [told["slug"] for told in page["items"]]
        cursor = page["next"]
        if len(seen) == 2:
            world.apply(slug="a-new", title="a", flag="new_flag")
    assert seen == [*(f"r-{number}" for number in range(5)), "a-new"]
    assert len(vic.every("/rollouts", limit=1)) == 6
    assert len(vic.every("/rollouts", limit=2, health="as_planned")) + len(vic.every("/rollouts", health="stale")) == 6


def test_pages_lead_back(world, script):
    for number in range(5):
        world.apply(slug=f"r-{number}", title=f"t{9 - number}", flag=f"flag_{number}")
    vic = script("vic")
    pages = [vic.get("/rollouts", {"limit": 2}).json()]
    while pages[-1]["next"]:
        pages.append(vic.get("/rollouts", {"limit": 2, "cursor": pages[-1]["next"]}).json())
    assert [len(page["items"]) for page in pages] == [2, 2, 1]
    for before, page in pairwise(pages):
        assert vic.get("/rollouts", {"limit": 2, "cursor": page["previous"]}).json() == before
    assert pages[0]["previous"] is None


def test_the_list_tells_of_each_rollout_what_one_tells_but_for_blockers(world, script, time_machine):
    """Worked out ahead, and right all the same: after a transition, a confirmation, a reading, and when time passes."""
    time_machine.move_to(clock.now())
    world.up_to("everyone", "active")
    world.apply(slug="other", title="Other", flag="other_flag")
    mia = script("mia")

    def compare():
        for include in ({}, {"include": "blockers"}):
            for told in mia.get("/rollouts", include).json()["items"]:
                one = mia.get(f"/rollouts/{told['slug']}").json()
                if not include:
                    assert all("blockers" not in phase for phase in told["phases"])
                    for phase in one["phases"]:
                        del phase["blockers"]
                assert told == one
        return {told["slug"]: told for told in mia.get("/rollouts").json()["items"]}

    first = compare()
    assert (first["haiku"]["health"], first["other"]["health"]) == ("as_planned", "stale")
    world.do("pause", "everyone", "mia", reason="slow")
    assert compare()["haiku"]["phases"][-1]["version"] > first["haiku"]["phases"][-1]["version"]
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    world.sync()
    assert compare()["haiku"]["flag"]["drift"] == "ahead"
    assert answers.Rollouts.model_validate(mia.get("/rollouts").json()).items[0].slug == "haiku"
    world.gitlab.state.set_feature(FLAG, "1", key="percentage_of_actors")
    world.sync()
    assert compare()["haiku"]["health"] == "as_planned"
    time_machine.shift(timedelta(minutes=6))
    assert compare()["haiku"]["health"] == "stale"
    assert [told["slug"] for told in mia.every("/rollouts", health="stale")] == ["haiku", "other"]
    assert mia.every("/rollouts", health="as_planned") == []


def test_the_list_and_one_rollout_ask_as_much_however_many_there_are(world, script):
    vic, counts = script("vic"), {}
    for names in (["haiku"], [f"r-{number}" for number in range(6)]):
        for name in names:
            world.apply(slug=name, flag=f"flag_{name}")
        for path in ("/rollouts", "/rollouts?include=blockers", "/rollouts?phase=team&health=stale", "/rollouts/haiku"):
            vic.get(path)
            with CaptureQueriesContext(connection) as asked:
                assert vic.get(path).status_code == 200
            counts.setdefault(path, []).append(len(asked))
    assert all(few == many for few, many in counts.values()), counts
    assert counts["/rollouts"][0] <= 4
    assert counts["/rollouts/haiku"][0] <= 14


def test_health_is_found_alike_whatever_was_read(world, script, time_machine):
    """By the scope, by the flag's own reading, or not at all: the filter and what each rollout says of itself agree."""
    time_machine.move_to(clock.now())
    world.up_to("team", "active")
    world.apply(slug="other", flag="other_flag")
    vic, seen = script("vic"), set()
    for later in (timedelta(0), timedelta(hours=1)):
        time_machine.shift(later)
        for read_at in (clock.now(), None, clock.now() - timedelta(hours=1)):
            scope = GitLabInstance.objects.get()
            scope.flags_read_at = read_at
            scope.save(update_fields=["flags_read_at"])
            said = {told["slug"]: told["health"] for told in vic.every("/rollouts")}
            seen.add(said["haiku"])
            for health in ("stale", "as_planned"):
                found = {told["slug"] for told in vic.every("/rollouts", health=health)}
                assert found == {slug for slug, kind in said.items() if kind == health}
    assert seen == {"stale", "as_planned"}


def test_a_page_that_is_filtered_is_as_full_as_any(world, script):
    for number in range(5):
        world.apply(slug=f"r-{number}", flag=f"flag_{number}")
    vic = script("vic")
    assert vic.get("/rollouts", {"phase": "company", "limit": 1}).json() == {
        "items": [],
        "next": None,
        "previous": None,
    }
    pages, cursor = [], ""
    while cursor is not None:
        page = vic.get("/rollouts", {"phase": "team", "health": "stale", "limit": 2, "cursor": cursor}).json()
        pages, cursor = [*pages, len(page["items"])], page["next"]
    assert pages == [2, 2, 1]


def test_the_portfolio_and_the_api_are_asked_alike(world, script):
    world.up_to("company", "active")
    world.apply(slug="other", title="Other", flag="other_flag")
    over = world.apply(slug="over", title="Gone", flag="gone_flag")
    transitions.perform_on_rollout("abandon", over, by=world.actor("mia"), reason="x")
    mia = signed_in(world, "mia")
    for query in (
        "state=open",
        "state=over",
        "state=draft",
        "owner=mia&state=all",
        "show=yours",
        "q=other+flag",
        "phase=team",
    ):
        listed = set(re.findall(r'href="/rollouts/(\w+)/"', mia.get(f"/?{query}").content.decode())) - {"new"}
        if "state" not in query:
            query += "&state=open"
        assert {told["slug"] for told in script("mia").get(f"/rollouts?{query}").json()["items"]} == listed, query


@pytest.mark.parametrize(
    "path", ["/rollouts", "/rollouts?state=draft&phase=team&owner=mia", "/flags", "/audit", "/sync"]
)
def test_lists_ask_the_database_as_often_for_many_rows(world, script, django_assert_num_queries, path):
    world.apply()
    world.sync()
    mia = script("mia")
    mia.get(path)
    with CaptureQueriesContext(connection) as one:
        mia.get(path)
    asked = len(one)
    for number in range(10):
        world.apply(slug=f"haiku-{number}", title=f"Haiku {number}", flag=f"flag_{number}")
    mia.get(path)  # who asks first works out what is due
    with django_assert_num_queries(asked):
        assert mia.get(path).status_code == 200


def test_a_plan_makes_a_rollout_and_again_changes_nothing(world, script):
    mia = script("mia")
    looked = mia.put("/rollouts/haiku/plan?dry_run=true", world.document())
    assert (looked.status_code, looked.json()["created"], looked.json()["dry_run"]) == (200, False, True)
    assert "Rollout Claude Haiku: new" in looked.json()["changes"]
    assert not Rollout.objects.exists()
    made = mia.put("/rollouts/haiku/plan", world.document())
    assert made.status_code == 201
    assert made["Location"] == "/api/v1/rollouts/haiku"
    assert (made.json()["created"], made.json()["url"]) == (True, "/rollouts/haiku/")
    events = AuditEvent.objects.filter(verb="plan.apply")
    assert [(event.actor, event.source) for event in events] == [("mia", "api")]
    assert events[0].request_id == made["X-Request-Id"]
    again = mia.put("/rollouts/haiku/plan", {"document": world.document()}, kind="application/json")
    assert (again.status_code, again.json()["changes"], events.count()) == (200, [], 1)
    changed = mia.put("/rollouts/haiku/plan", world.document(title="Another"), kind="text/yaml; charset=utf-8")
    assert changed.json()["changes"] == ["Rollout Another: title 'Claude Haiku' → 'Another'"]
    assert world.rollout().title == "Another"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("title: Claude Haiku", "titel: Claude Haiku"), 3, "titel"),
        (("steps: [1, 25, 100]", "steps: [1, 50, 25, 100]"), 18, "steps must rise: 25 comes after 50"),
        (("rollout: haiku", "rollout: other"), 2, "the plan is for other, the address for haiku"),
        (("/acme/app/-/issues/12", "/acme/app/merge_requests/12"), 12, "issue"),
    ],
)
def test_a_bad_plan_gets_its_lines_and_changes_nothing(world, script, refused, change, line, message):
    told = refused(script("mia").put("/rollouts/haiku/plan", world.document().replace(*change)), 422)
    assert told["type"] == "/api/v1/docs#plan"
    assert any(error["line"] == line and message in error["message"] for error in told["errors"])
    assert told["errors"][0].keys() == {"where", "name", "line", "message"}
    assert not Rollout.objects.exists()
    assert not AuditEvent.objects.filter(verb="plan.apply").exists()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"rollout: x", "application/x-www-form-urlencoded", 415),
        (b"rollout: x", "", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"rollout: x", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b"{}", "application/json", 422),
        (b'{"document": 1}', "application/json", 422),
        (b'{"document": "a\\u0000b"}', "application/json", 422),
        (b'{"document": "\\ud800"}', "application/json", 422),
        (b'{"document": "rollout: haiku", "more": 1}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"1" * 5_000, "application/json", 400),
        (b"\xff\xfe\x00", "application/json", 400),
        (b"", "application/yaml", 415),
        (b" ", "application/yaml", 422),
        (b"{", "application/yaml", 422),
        (b"a: \x00", "application/yaml", 422),
        (b"\xff\xfe", "application/yaml", 422),
        (b"a: &x [1]\nb: *x\n", "application/yaml", 422),
        (b"x" * (LIMIT + 1), "application/yaml", 413),
        (b"x" * 11_000_000, "application/yaml", 413),
        (json.dumps({"document": "x" * (LIMIT + 1)}).encode(), "application/json", 413),
    ],
)
def test_what_is_no_plan_is_refused_by_its_kind(world, script, refused, body, kind, status):
    refused(script("mia").put("/rollouts/haiku/plan", body, kind=kind), status)
    assert not Rollout.objects.exists()


@pytest.mark.parametrize("name", ["vic", "alice"])
def test_only_managers_plan(world, script, refused, name):
    refused(script(name).put("/rollouts/haiku/plan", world.document()), 403, "role")
    refused(script(name).put("/rollouts/haiku/plan?dry_run=1", b"nonsense"), 403, "role")
    world.apply()
    told = refused(script(name).put("/rollouts/haiku/plan", world.document(title="x")), 403, "role")
    assert told["blockers"][0]["url"] == "/rollouts/haiku/"


def test_a_plan_against_what_has_started_is_refused(world, script, refused):
    world.up_to("team", "requested")
    refused(script("mia").put("/rollouts/haiku/plan", world.document(flag="other_flag")), 409, "flag_in_use")


def test_a_phase_goes_its_way_by_scripts(world, script):
    world.up_to("team", "planned")
    mia, alice = script("mia"), script("alice")
    asked = mia.post("/rollouts/haiku/phases/team/request", {"reason": "ready", "seen": 0})
    assert asked.status_code == 200
    assert asked.json()["phases"][0]["state"] == "requested"
    (waiting,) = alice.get("/approvals").json()["items"]
    answer = alice.post(
        "/rollouts/haiku/phases/team/approve", {"request": waiting["id"], "looked_at": waiting["digest"]}
    )
    assert answer.json()["phases"][0]["state"] == "approved"
    assert mia.post("/rollouts/haiku/phases/team/start", {}).json()["phases"][0]["state"] == "active"
    event = AuditEvent.objects.get(verb="phase.approve")
    assert (event.actor, event.source, event.actor_kind) == ("alice", "api", "person")
    rolled = mia.post("/rollouts/haiku/phases/team/roll-back", {"reason": "slow"}).json()
    assert rolled["phases"][0]["state"] == "rolled_back"
    over = mia.post("/rollouts/haiku/phases/rollout/abandon", {"reason": "no use"}).json()
    assert (over["state"], over["health"]) == ("abandoned", "over")


def test_four_eyes_hold(world, script, refused):
    world.up_to("team", "planned")
    root = script("root")
    root.post("/rollouts/haiku/phases/team/request")
    told = refused(root.post("/rollouts/haiku/phases/team/approve", {"override": True, "reason": "x"}), 409)
    assert told["type"] == "/api/v1/docs#refused"
    assert told["blockers"][0].keys() == {"code", "message", "url"}
    assert told["blockers"][0]["code"] == "four_eyes"
    assert told["blockers"][0]["url"].startswith("/rollouts/haiku/")
    assert world.phase("team").state == "requested"


def test_every_blocker_is_named_at_once_and_an_admin_may_override(world, script, refused):
    world.apply()
    world.sync()
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    told = refused(script("mia").post("/rollouts/haiku/phases/team/start"), 409, "item_open")
    assert told["blockers"][0]["url"].startswith("/rollouts/haiku/#item-rollout-")
    refused(
        script("mia").post("/rollouts/haiku/phases/team/start", {"override": True, "reason": "x", "confirm": "haiku"}),
        403,
        "role",
    )
    sure = {"override": True, "reason": "fire"}
    refused(script("root").post("/rollouts/haiku/phases/team/start", sure), 409, "confirmation_missing")
    done = script("root").post("/rollouts/haiku/phases/team/start", {**sure, "confirm": "haiku"})
    assert done.json()["phases"][0]["state"] == "active"


def test_who_was_overtaken_is_told(world, script, refused):
    world.up_to("team", "planned")
    mia = script("mia")
    seen = mia.get("/rollouts/haiku").json()["phases"][0]["version"]
    world.do("request", "team", "mia")
    world.do("withdraw", "team", "mia")
    refused(mia.post("/rollouts/haiku/phases/team/request", {"seen": seen}), 409, "changed_meanwhile")


@pytest.mark.parametrize("verb", ["request", "approve", "reject", "withdraw", "start", "advance", "pause", "resume",
                                  "complete", "skip", "roll_back", "retry"])  # fmt: skip
def test_a_viewer_takes_no_transition(world, script, refused, verb):
    world.up_to("team", "requested")
    events = AuditEvent.objects.count()
    response = script("vic").post(f"/rollouts/haiku/phases/team/{verb}", {"reason": "x", "override": True})
    assert response.status_code in (403, 409)
    refused(response, response.status_code, "role")
    assert AuditEvent.objects.count() == events + 1  # the token's own


@pytest.mark.parametrize("verb", ["abandon", "close"])
def test_a_viewer_ends_no_rollout(world, script, refused, verb):
    world.apply()
    response = script("vic").post(f"/rollouts/haiku/phases/rollout/{verb}", {"reason": "x"})
    refused(response, response.status_code, "role")
    assert world.rollout().state == "draft"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/rollouts/nothing/phases/team/request", "There is no rollout nothing"),
        ("/rollouts/haiku/phases/moon/request", "There are: team, company, everyone"),
        ("/rollouts/haiku/phases/team/fly", "There are: request"),
        ("/rollouts/haiku/phases/team/abandon", "There are: request"),
        ("/rollouts/haiku/phases/rollout/start", "There are: abandon"),
    ],
)
def test_what_is_not_there_is_404_and_says_what_is(world, script, refused, path, message):
    world.apply()
    assert message in refused(script("mia").post(path), 404)["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({"seen": -1}, "application/json", 422),
        ({"seen": 2**31}, "application/json", 422),
        ({"seen": 10**400}, "application/json", 422),
        ({"seen": "1"}, "application/json", 422),
        ({"seen": True}, "application/json", 422),
        ({"seen": 1.5}, "application/json", 422),
        ({"override": "yes"}, "application/json", 422),
        ({"reason": 1}, "application/json", 422),
        ({"reason": "x" * 5_001}, "application/json", 422),
        ({"reason": "a\x00b"}, "application/json", 422),
        (b'{"reason": "\\ud83d"}', "application/json", 422),
        (b'{"\\ud83d": 1}', "application/json", 422),
        ({"force": True}, "application/json", 422),
        ([], "application/json", 422),
        (b"null", "application/json", 422),
        (b"{", "application/json", 400),
        (b"NaN", "application/json", 422),
        (b"reason=x", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_and_changes_nothing(world, script, refused, body, kind, status):
    world.up_to("team", "planned")
    refused(script("mia").post("/rollouts/haiku/phases/team/request", body, kind=kind), status)
    assert world.phase("team").state == "planned"


def test_override_and_seen_are_not_swallowed_where_they_mean_nothing(world, script, refused):
    world.apply()
    for body in ({"override": True}, {"seen": 0}):
        refused(script("mia").post("/rollouts/haiku/phases/rollout/abandon", {**body, "reason": "x"}), 422)
    assert world.rollout().state == "draft"


def test_a_confidential_title_is_in_no_answer_to_a_viewer(world, script):
    world.up_to("team", "active")
    paths = ["/", "/rollouts", "/rollouts/haiku", "/flags", f"/flags/{FLAG}", f"/flags/{FLAG}/readings", "/audit?limit=100",
             "/audit?q=secretly", "/sync", "/rollouts?q=secretly", "/openapi.json"]  # fmt: skip
    vic, mia = script("vic"), script("mia")
    answers = [vic.get(path) for path in paths] + [
        vic.post("/rollouts/haiku/phases/team/pause"),
        vic.put("/rollouts/haiku/plan", world.document()),
    ]
    assert SECRET_TITLE not in "".join(answer.content.decode() for answer in answers)
    assert not any("confidential" in event for event in vic.get("/audit").json()["items"])
    assert SECRET_TITLE in mia.get("/audit", {"limit": 100}).content.decode()
