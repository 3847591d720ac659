"""The API's doors: who gets in, what each refusal looks like, what its own docs load."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest
from django.test import Client

from rollouts.models import AuditEvent
from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
READ = ["/", "/rollouts", "/rollouts/haiku", "/flags", f"/flags/{FLAG}", f"/flags/{FLAG}/readings",
        f"/flags/{FLAG}/includes?actor=User:42", "/audit", "/sync", "/people", "/openapi.json"]  # fmt: skip


@pytest.mark.parametrize("name", ["mia", "alice", "vic", "root", "sam"])
def test_every_role_reads_everything(world, script, name):
    world.up_to("team", "active")
    for path in READ:
        response = script(name).get(path)
        assert response.status_code == 200, path
        assert response["Content-Type"].startswith("application/json")
        assert response["Cache-Control"] == "no-store"
        assert signed_in(world, name).get(f"/api/v1{path}").json() == response.json() or path == "/audit"


@pytest.mark.parametrize("path", [*READ, "/docs"])
def test_nobody_gets_in_without_a_token_or_a_sign_in(world, script, refused, path):
    world.apply()
    response = script().get(path)
    refused(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"
    assert "Claude Haiku" not in response.content.decode()


@pytest.mark.parametrize("path", ["/rollouts/haiku/phases/team/request", "/rollouts/haiku/phases/rollout/abandon"])
def test_nobody_changes_anything_without_one(world, script, refused, path):
    world.apply()
    refused(script().post(path, {}), 401)
    refused(script().put("/rollouts/haiku/plan", world.document()), 401)


def test_reading_takes_no_method_that_could_change(world, script, refused):
    world.apply()
    for path in [*READ, "/docs"]:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            response = script("root").send(method, path, {})
            refused(response, 405)
            assert response["Allow"] == "GET, HEAD"
    response = script("root").get("/rollouts/haiku/phases/team/request")
    refused(response, 405)
    assert response["Allow"] == "POST"
    assert world.phase("team").state == "planned"


def test_head_is_get_without_a_body(world, script):
    world.apply()
    response = script("vic").send("HEAD", "/rollouts")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/rollouts/",
        "/rollouts/haiku/",
        "/rollouts/nothing",
        "/flags/nothing",
        "/flags/a/b/c",
        "/audit/verify/x",
    ],
)
def test_unknown_addresses_answer_a_problem_too(world, script, refused, path):
    world.apply()
    refused(script("mia").get(path), 404)


def test_all_of_the_room_answers_problems(world, refused):
    refused(Client().get("/api/"), 404)
    refused(Client().get("/api/v2/rollouts"), 404)
    assert Client().get("/api/v1").status_code == 301


def test_a_signed_in_browser_reads_but_changes_only_with_the_csrf_token(world, refused):
    world.up_to("team", "planned")
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.people["mia"])
    path = "/api/v1/rollouts/haiku/phases/team/request"
    assert client.get("/api/v1/rollouts/haiku").status_code == 200
    told = refused(client.post(path, {}, content_type="application/json"), 403)
    assert "X-CSRFToken" in told["detail"]
    refused(client.post(path, "a=1", content_type="application/x-www-form-urlencoded"), 403)
    assert world.phase("team").state == "planned"
    page = client.get("/rollouts/haiku/").content.decode()
    token = re.search('name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    done = client.post(path, {}, content_type="application/json", headers={"X-CSRFToken": token})
    assert done.status_code == 200
    assert AuditEvent.objects.get(verb="phase.request").source == "api"


def test_somebody_who_was_switched_off_is_signed_out_here_too(world, refused):
    client = signed_in(world, "mia")
    mia = world.people["mia"]
    mia.is_active = False
    mia.save()
    refused(client.get("/api/v1/rollouts"), 401)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=1e3", "limit"),
        (f"limit={'9' * 400}", "limit"), (f"limit={'9' * 5000}", "limit"), ("limit=", "limit"),
        ("cursor=x", "cursor"), ("cursor=WzFd", "cursor"), (f"cursor={'x' * 601}", "cursor"), ("cursor=%F0%9F", "cursor"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/rollouts", "/flags", f"/flags/{FLAG}/readings", "/audit"])
def test_numbers_and_cursors_are_bounded(world, script, refused, path, query, name):
    world.apply()
    told = refused(script("vic").get(f"{path}?{query}"), 422)
    assert told["type"] == "/api/v1/docs#invalid"
    assert told["errors"][0]["name"] == name
    assert told["errors"][0]["where"] == "query"


def test_a_cursor_fits_only_its_own_list(world, script, refused):
    from rollouts.models.keyset import written

    world.apply()
    vic = script("vic")
    for key in (["flags", "a", 1], ["rollouts", 0], ["rollouts", 2**63], ["rollouts", -1], ["rollouts", True],
                ["rollouts", "1"], ["rollouts"], ["rollouts", None], ["rollouts", 1.5], []):  # fmt: skip
        for back in ("", "-", "--"):
            refused(vic.get("/rollouts", {"cursor": back + (written(*key) if key else "W10")}), 422)
    refused(vic.get("/rollouts", {"cursor": f"--{written('rollouts', 1)}"}), 422)
    for key in (["x", 1], ["a\x00", 1], ["\ud800", 1], [1, 1]):
        response = vic.get("/flags", {"cursor": written("flags", *key)})
        assert response.status_code == (200 if key[0] == "x" else 422)
    for moment in ("x", "2026-11-01T00:00:00", "0001-01-01T00:00:00+00:00", 5):
        refused(vic.get(f"/flags/{FLAG}/readings", {"cursor": written("readings", moment, 1)}), 422)
    beyond = vic.get("/rollouts", {"cursor": written("rollouts", 2**63 - 1)}).json()
    assert (beyond["items"], beyond["next"]) == ([], None)
    last = vic.get("/rollouts", {"cursor": beyond["previous"]}).json()
    assert ([told["slug"] for told in last["items"]], last["previous"], last["next"]) == (["haiku"], None, None)


@pytest.mark.parametrize("query", ["state=flying", "health=good", "state=", f"q={'x' * 201}", f"provider={'x' * 201}"])
def test_filters_that_make_no_sense_are_refused(world, script, refused, query):
    refused(script("vic").get(f"/rollouts?{query}"), 422)


def test_a_parameter_that_there_is_not_is_refused_with_those_there_are(world, script, refused, document):
    """At each address that takes any: what was meant and is left out without a word does something else."""
    world.up_to("team", "active")
    mia, asked, events = script("mia"), 0, AuditEvent.objects.count()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            if not names:
                continue
            address = path.removeprefix("/api/v1").format(
                slug="haiku", phase="team", verb="pause", name=FLAG, number=1, answer="accept"
            )
            answer = refused(mia.send(method.upper(), f"{address}?actor=1&dryrun=true" if "actor" in names else f"{address}?dryrun=true",
                                      {"reason": "x"} if method == "post" else b""), 422)  # fmt: skip
            (fault,) = answer["errors"]
            assert (fault["where"], fault["name"]) == ("query", "dryrun")
            assert fault["message"] == f"There is no parameter dryrun. There are: {', '.join(names)}."
            asked += 1
    assert asked >= 9
    assert (world.phase("team").state, AuditEvent.objects.count()) == ("active", events)


ODD = [
    "%00",
    "%ff",
    "日本",
    "' OR 1=1 --",
    "%F0%9F",
    "a" * 5000,
    "../../etc/passwd",
    "{{ 7*7 }}",
    "-1",
    "9" * 30,
    "%",
    "%ED%A0%80",
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_input_never_fails(world, script, odd):
    world.apply()
    mia = script("mia")
    names = {
        "/rollouts": ("state", "phase", "provider", "health", "q", "limit", "cursor", "odd"),
        "/flags": ("q", "limit", "cursor"),
        f"/flags/{FLAG}": ("project", "environment", "instance"),
        f"/flags/{FLAG}/readings": ("project", "limit", "cursor"),
        f"/flags/{FLAG}/includes": ("actor",),
        "/audit": (
            "rollout",
            "object",
            "actor",
            "verb",
            "source",
            "token",
            "session",
            "os_user",
            "gitlab_user",
            "request",
            "since",
            "until",
            "q",
            "limit",
            "cursor",
        ),
        "/sync": ("odd",),
    }
    answers = [mia.get(f"{path}?{name}={odd}") for path, all_names in names.items() for name in all_names]
    answers += [mia.get(f"/rollouts/{odd}"), mia.get(f"/flags/{odd}"), mia.get(f"/{odd}"),
                mia.post(f"/rollouts/{odd}/phases/{odd}/{odd}"), mia.post(f"/rollouts/haiku/phases/{odd}/request"),
                mia.put(f"/rollouts/{odd}/plan", world.document()), mia.put("/rollouts/haiku/plan?dry_run=" + odd, b"x"),
                mia.get("/rollouts", Accept=odd[:50].encode("ascii", "replace").decode()),
                mia.send("POST", "/rollouts/haiku/phases/team/request", "{}", odd[:50].encode("ascii", "replace").decode())]  # fmt: skip
    for answer in answers:
        assert answer.status_code in (200, 400, 404, 405, 406, 409, 415, 422), answer.request["PATH_INFO"]
        kind = "application/json" if answer.status_code == 200 else "application/problem+json"
        assert answer["Content-Type"].startswith(kind)
        assert "\x00" not in answer.content.decode()


@pytest.mark.parametrize("accepted", ["text/html", "image/*", "application/xml;q=0.9", ";;;"])
def test_what_the_api_can_not_speak_is_406(world, script, refused, accepted):
    refused(script("vic").get("/rollouts", Accept=accepted), 406)


@pytest.mark.parametrize("accepted", ["*/*", "application/json", "text/html,*/*;q=0.8", "application/problem+json"])
def test_what_it_speaks_is_answered(world, script, accepted):
    assert script("vic").get("/rollouts", Accept=accepted).status_code == 200


@pytest.mark.parametrize("debug", [True, False])
def test_a_failure_shows_no_trace(world, script, refused, monkeypatch, settings, debug):
    from rollouts.services import facts

    settings.DEBUG = debug
    world.apply()
    monkeypatch.setattr(facts, "for_rollout", lambda *_: 1 / 0)
    response = script("mia").get("/rollouts/haiku")
    told = refused(response, 500)
    assert "ZeroDivision" not in response.content.decode()
    assert "X-Request-Id" in told["detail"]
    assert response["X-Request-Id"]


def test_a_wrong_host_is_a_problem_too(world, refused):
    refused(Client().get("/api/v1/rollouts", headers={"Host": "evil.example.com"}), 400)


def test_the_docs_load_nothing_from_elsewhere_and_hold_no_inline_script(world):
    response = signed_in(world, "vic").get("/api/v1/docs", headers={"Accept": "text/html"})
    page = response.content.decode()
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r'(?:src|href|action)="(?:https?:)?//', page)
    assert 'style="' not in page
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<[^>]*\son\w+=", page)
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
        from django.contrib.staticfiles import finders

        assert finders.find(asset.removeprefix("/static/")), asset


def test_the_docs_tell_every_operation_without_a_script(world, script):
    page = flat(signed_in(world, "vic").get("/api/v1/docs"))
    for path, operations in script("vic").get("/openapi.json").json()["paths"].items():
        for method, told in operations.items():
            assert f">{method.upper()}</span><code>{path}</code>" in page
            assert all(f"<code>{one['name']}</code>" in page for one in told.get("parameters", []))
    call = "curl --header &quot;Authorization: Bearer $TOKEN&quot; --request PUT --header &#x27;Content-Type: application/yaml&#x27;"
    assert f"{call} --data-binary @plan.yaml &#x27;http://testserver/api/v1/rollouts/{{slug}}/plan&#x27;" in page


def test_a_browser_that_is_not_signed_in_is_sent_to_sign_in_before_the_docs(world):
    response = Client().get("/api/v1/docs", headers={"Accept": "text/html,*/*"})
    assert response["Location"] == "/accounts/login/?next=/api/v1/docs"


def test_a_script_may_read_the_docs(script):
    assert script("vic").get("/docs", Accept="text/html").status_code == 200


def test_the_openapi_document_declares_every_refusal(world, script):
    document = script("vic").get("/openapi.json").json()
    assert document["paths"].keys() == {
        "/api/v1/", "/api/v1/approvals", "/api/v1/rollouts", "/api/v1/rollouts/{slug}", "/api/v1/rollouts/{slug}/plan",
        "/api/v1/rollouts/{slug}/plan/versions", "/api/v1/rollouts/{slug}/feedback",
        "/api/v1/rollouts/{slug}/capacity",
        "/api/v1/rollouts/{slug}/phases/{phase}/{verb}", "/api/v1/rollouts/{slug}/metrics/{name}", "/api/v1/flags",
        "/api/v1/rollouts/{slug}/items", "/api/v1/rollouts/{slug}/items/{key}/{verb}",
        "/api/v1/flags/{name}",
        "/api/v1/flags/{name}/readings", "/api/v1/flags/{name}/includes", "/api/v1/audit", "/api/v1/audit/verify",
        "/api/v1/people", "/api/v1/people/{name}", "/api/v1/notifications", "/api/v1/notifications/settings", "/api/v1/sync",
        "/api/v1/rollouts/{slug}/follow", "/api/v1/rollouts/{slug}/report", "/api/v1/reports",
        "/api/v1/waivers", "/api/v1/waivers/{number}/{verb}", "/api/v1/rollouts/{slug}/waivers", "/api/v1/loose-ends", "/api/v1/people/{name}/absences",
        "/api/v1/people/{name}/absences/{number}/end",
        "/api/v1/drift", "/api/v1/drift/{number}", "/api/v1/drift/{number}/{answer}",
    }  # fmt: skip
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            assert {"400", "401", "405", "406", "414", "422", "500", "503"} <= statuses
            if "{" in path and method != "put":
                assert "404" in statuses
            if method != "get":
                assert {"403", "409", "413", "415"} <= statuses
            for status, response in operation["responses"].items():
                kind = "application/json" if int(status) < 400 else "application/problem+json"
                assert list(response["content"]) == ["text/html" if status == "414" else kind]
                assert int(status) < 400 or response["description"].count(" ") > 3
            assert operation["security"]
            for parameter in operation["parameters"]:
                if parameter["schema"].get("type") == "integer":
                    assert {"minimum", "maximum"} <= parameter["schema"].keys()


#: Names of moments that do not end in ``_at``.
MOMENTS = {"at", "since", "until", "newest", "oldest", "held_until", "as_of"}


def nodes(tree, path=""):
    """Every object in a document, with where it stands."""
    if isinstance(tree, dict):
        yield path, tree
    for name, below in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from nodes(below, f"{path}/{name}")


def kinds(schema):
    """The schemas that a value may have, without null."""
    found = [kind for one in schema.get("anyOf", [schema]) for kind in one.get("anyOf", [one])]
    return [kind for kind in found if kind.get("type") != "null"]


@pytest.fixture
def document(world, script):
    return script("vic").get("/openapi.json").json()


def test_every_time_in_the_document_is_a_date_time(document):
    named = [
        (f"{path}/{name}", schema)
        for path, tree in nodes(document)
        for name, schema in tree.get("properties", {}).items()
        if name in MOMENTS or name.endswith("_at")
    ]
    named = [(where, schema) for where, schema in named if not where.endswith("/looked_at")]  # a digest
    assert len(named) > 15
    assert [where for where, schema in named if kinds(schema)[0].get("format") != "date-time"] == []


def test_the_verb_of_a_transition_is_one_of_a_list_wherever_it_stands(document):
    transition = document["paths"]["/api/v1/rollouts/{slug}/phases/{phase}/{verb}"]["post"]
    (in_path,) = [one["schema"] for one in transition["parameters"] if one["name"] == "verb"]
    assert in_path["enum"] == [*PHASE_VERBS, *ROLLOUT_VERBS]
    found = {
        path.rsplit("/", 1)[-1]: tree["properties"]["verb"]
        for path, tree in nodes(document)
        if "verb" in tree.get("properties", {})
    }
    assert found["BlockerOfVerb"]["enum"] == [*PHASE_VERBS, ""]
    assert found["DryRunTold"]["enum"] == [*PHASE_VERBS, *ROLLOUT_VERBS]
    others = {name: schema for name, schema in found.items() if "enum" not in schema}
    assert others.keys() == {"EventTold", "EventsAsked", "NoticeTold", "PlanVersion"}, (
        "those of the history are open: each says so"
    )
    assert all("phase.start" in schema["description"] for schema in others.values())


def test_what_is_answered_is_of_the_lists_that_the_document_tells(world, script, document):
    world.apply()
    shapes, mia = document["components"]["schemas"], script("mia")
    told = script("vic").get("/rollouts/haiku").json()
    verbs = {blocker["verb"] for phase in told["phases"] for blocker in phase["blockers"]}
    assert verbs
    assert verbs <= set(shapes["BlockerOfVerb"]["properties"]["verb"]["enum"])
    answer = mia.send("POST", "/rollouts/haiku/phases/team/roll-back?dry_run=true", "{}", "application/json").json()
    assert answer["verb"] in shapes["DryRunTold"]["properties"]["verb"]["enum"]
    moments = [fact["at"] for fact in answer["facts"] if fact["at"]]
    moments += [event["at"] for event in mia.get("/audit").json()["items"]]
    assert moments
    assert all(datetime.fromisoformat(moment).tzinfo for moment in moments)


def test_every_text_that_is_asked_has_its_bound_and_every_page_its_words(document):
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation["parameters"]:
                where = f"{path} {parameter['name']}"
                for kind in kinds(parameter["schema"]):
                    is_free = kind.get("type") == "string" and not {"enum", "format"} & kind.keys()
                    assert not is_free or kind["maxLength"] <= 600, where
                if parameter["name"] == "cursor":
                    assert "next" in parameter["schema"]["description"], where
    pages = [tree["properties"]["next"] for _, tree in nodes(document) if "next" in tree.get("properties", {})]
    assert len(pages) == 9
    assert all("cursor" in page["description"] for page in pages)
    back = [tree["properties"]["previous"] for _, tree in nodes(document) if "next" in tree.get("properties", {})]
    assert all("cursor" in page["description"] for page in back)
    assert "NUL" in document["info"]["description"]


@pytest.mark.parametrize("name", ["q", "phase", "provider"])
def test_a_text_beyond_its_bound_is_refused_with_the_bound(script, world, refused, name):
    told = refused(script("vic").get("/rollouts", {name: "x" * 201}), 422)
    assert told["errors"][0]["name"] == name
    assert "200" in told["detail"]
    assert refused(script("vic").get(f"/rollouts/{'x' * 256}"), 422)["errors"][0]["where"] == "path"


def test_a_nul_is_refused_as_the_document_says(script, world, refused):
    world.apply()
    mia = script("mia")
    for path in ("/rollouts?q=a%00b", "/rollouts/a%00b", "/flags/a%00b"):
        refused(mia.get(path), 400)
    body = json.dumps({"reason": "a\x00b"})
    refused(mia.send("POST", "/rollouts/haiku/phases/team/request", body, "application/json"), 422)


def test_a_script_makes_no_session(world, script):
    mia = script("mia")
    mia.get("/rollouts")
    assert "sessionid" not in mia.client.cookies
