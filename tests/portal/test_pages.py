"""The pages, through the door: what each role sees and may do, bad input, and how much the database is asked."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client

from rollouts.audit import recording
from rollouts.models import AuditEvent, ChecklistItem, GitLabInstance, Rollout, SyncRun
from rollouts.portal.presenters import history
from rollouts.rules.machine import PHASE_VERBS, ROLLOUT_VERBS
from rollouts.sync import passes
from tests.portal.pages import signed_in, words
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db
PAGES = ["/", "/rollouts/haiku/", "/rollouts/haiku/plan/", "/models/", "/flags/", "/sync/", "/audit/"]


@pytest.mark.parametrize("path", [*PAGES, "/rollouts/new/", "/admin/"])
def test_nobody_sees_anything_without_signing_in(world, path):
    world.apply()
    response = Client().get(path, follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/")
    assert "Claude Haiku" not in words(response)


@pytest.mark.parametrize("path", ["/healthz", "/accounts/login/"])
def test_health_and_sign_in_are_open(world, path):
    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("name", ["mia", "alice", "vic", "root"])
@pytest.mark.parametrize("path", PAGES)
def test_every_role_reads_every_page(world, name, path):
    world.up_to("team", "active")
    response = signed_in(world, name).get(path)
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert 'style="' not in response.content.decode()


def test_a_confidential_title_is_on_no_page_of_a_viewer(world):
    world.up_to("team", "active")
    viewer, manager = signed_in(world, "vic"), signed_in(world, "mia")
    flag, model = world.rollout().flag.pk, world.rollout().ai_model.slug
    seen_by_manager = ""
    for path in [*PAGES, f"/flags/{flag}/", f"/models/{model}/", "/audit/?q=secretly", "/?q=secretly"]:
        assert SECRET_TITLE not in viewer.get(path).content.decode(), path
        seen_by_manager += manager.get(path).content.decode()
    assert SECRET_TITLE in seen_by_manager


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/rollouts/haiku/phases/team/request/", {}),
        ("/rollouts/haiku/phases/company/request/", {}),
        ("/rollouts/haiku/do/abandon/", {"reason": "x"}),
        ("/rollouts/new/", {"document": "rollout: x"}),
        ("/rollouts/haiku/plan/", {"document": "rollout: haiku"}),
        ("/sync/now/", {}),
    ],
)
def test_a_viewer_can_change_nothing(world, path, form):
    world.apply()
    events = AuditEvent.objects.count()
    assert signed_in(world, "vic").post(path, form).status_code == 403
    assert AuditEvent.objects.count() == events
    assert "New rollout" not in words(signed_in(world, "vic").get("/"))
    page = words(signed_in(world, "vic").get("/rollouts/haiku/")).split("</header>")[1]
    forms = re.findall(r'<form[^>]* action="([^"]*)"', page)
    assert forms == ["/rollouts/haiku/follow/"], "what one is told of is everybody's own"
    assert page.count("<button") == page.count('name="how"'), forms


def test_a_viewer_skips_nothing(world):
    world.apply()
    answer = signed_in(world, "vic").post("/rollouts/haiku/phases/team/skip/", {"reason": "x"})
    assert answer.status_code == 409
    assert "takes the role manager; vic has not got it" in words(answer)
    assert world.phase("team").state == "planned"


def test_a_viewer_confirms_no_item(world):
    world.apply()
    item = next(i for i in ChecklistItem.objects.filter(rollout=world.rollout()) if not i.is_automatic)
    response = signed_in(world, "vic").post(f"/rollouts/haiku/items/{item.pk}/", {"evidence": "x"})
    assert response.status_code == 403
    assert ChecklistItem.objects.get(pk=item.pk).confirmed_at is None


def test_asking_and_approving_through_the_pages(world):
    world.up_to("team", "planned")
    manager, approver = signed_in(world, "mia"), signed_in(world, "alice")
    assert "Ask for Owning team" in words(manager.get("/rollouts/haiku/"))
    response = manager.post("/rollouts/haiku/phases/team/request/", {"seen": world.phase("team").version}, follow=True)
    assert response.redirect_chain == [("/rollouts/haiku/", 303)]
    assert "You asked for Owning team." in words(response)
    assert "Approve Owning team" in words(approver.get("/rollouts/haiku/"))
    assert approver.post("/rollouts/haiku/phases/team/approve/", {}).status_code == 409, "she names nothing she saw"
    seen = {"looked_at": world.looked_at("team")}
    assert approver.post("/rollouts/haiku/phases/team/approve/", seen).status_code == 303
    assert world.phase("team").approved_by == "alice"
    assert AuditEvent.objects.filter(verb="phase.approve", source="page").count() == 1


def test_approving_ones_own_request_is_refused_in_words(world):
    world.up_to("team", "planned")
    admin = signed_in(world, "root")
    admin.post("/rollouts/haiku/phases/team/request/")
    response = admin.post("/rollouts/haiku/phases/team/approve/")
    assert response.status_code == 409
    assert "root asked for it: somebody else must approve." in words(response)
    assert world.phase("team").state == "requested"


def test_a_refused_press_names_every_blocker_and_where_it_is_cleared(world):
    world.apply()
    world.sync()
    world.do("request", "team", "mia")
    world.do("approve", "team", "alice")
    response = signed_in(world, "mia").post("/rollouts/haiku/phases/team/start/")
    assert response.status_code == 409
    assert "not confirmed yet" in words(response)
    assert 'href="/rollouts/haiku/#item-rollout-' in words(response)


def test_a_page_that_was_overtaken_says_so(world):
    world.up_to("team", "planned")
    seen = world.phase("team").version
    world.do("request", "team", "mia")
    response = signed_in(world, "mia").post("/rollouts/haiku/phases/team/request/", {"seen": seen})
    assert response.status_code == 409
    assert "Somebody was faster" in words(response)


@pytest.mark.parametrize(
    "path",
    [
        "/rollouts/nothing/",
        "/rollouts/haiku/phases/moon/start/",
        "/rollouts/haiku/phases/team/fly/",
        "/rollouts/haiku/do/fly/",
        "/models/nothing/",
        "/flags/999999/",
        "/nothing/",
    ],
)
def test_what_is_not_there_is_404(world, path):
    world.apply()
    manager = signed_in(world, "mia")
    assert (manager.post(path) if "/phases/" in path or "/do/" in path else manager.get(path)).status_code == 404


def test_a_transition_is_never_taken_by_get(world):
    world.apply()
    page = signed_in(world, "mia").get("/rollouts/haiku/phases/team/request/")
    assert "A dry run: nothing is changed by looking." in page.content.decode()
    assert world.phase("team").state == "planned"
    assert signed_in(world, "mia").put("/rollouts/haiku/phases/team/request/").status_code == 405


def test_waiting_for_gitlab_shows_the_commands_to_copy(world):
    world.up_to("team", "completed")
    world.up_to("company", "approved")
    world.do("start", "company", "mia")
    page = words(signed_in(world, "mia").get("/rollouts/haiku/"))
    assert "Waiting for GitLab" in page
    assert f"/chatops gitlab run feature set {FLAG} true --feature-group=acme_team_members" in page
    assert f"/api/v4/features/{FLAG}" in page
    world.obey()
    page = words(signed_in(world, "mia").get("/rollouts/haiku/"))
    assert "Confirmed by GitLab since" in page
    assert "Waiting for GitLab" not in page


def test_drift_is_told_in_words_on_both_pages(world):
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "50", key="percentage_of_actors")
    world.sync()
    for path in ("/", "/rollouts/haiku/"):
        page = words(signed_in(world, "vic").get(path))
        assert "GitLab: 50 % of actors. Plan: 1 % of actors. More people see the model than approved" in page
    assert "1 is drifting" in words(signed_in(world, "vic").get("/"))


def test_the_portfolio_asks_the_database_as_often_for_30_rollouts_as_for_one(world, django_assert_num_queries):
    world.apply()
    world.sync()
    client = signed_in(world, "mia")
    client.get("/")
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        client.get("/")
    asked = len(one)
    for number in range(29):
        world.apply(slug=f"haiku-{number}", title=f"Haiku {number}", flag=f"flag_{number}")
    client.get("/")  # works out the new lines
    with django_assert_num_queries(asked):
        page = client.get("/")
    assert words(page).count('class="row"') == 30


@pytest.mark.parametrize("path", ["/models/", "/flags/", "/audit/", "/sync/"])
def test_lists_ask_the_database_as_often_for_many_rows(world, django_assert_num_queries, path):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    world.apply()
    world.sync()
    client = signed_in(world, "mia")
    client.get(path)
    with CaptureQueriesContext(connection) as one:
        client.get(path)
    for number in range(10):
        world.apply(slug=f"haiku-{number}", title=f"Haiku {number}", flag=f"flag_{number}")
    with django_assert_num_queries(len(one)):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("rollout: a/b\n", "has a slash"),
        ("rollout: x\nrollout: y\n", "rollout"),
        ("a: &x [1]\nb: *x\n", "anchor"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("{", "line 1"),
        ("", "empty"),
        ("x" * 2_000_000, "262"),
    ],
)
def test_a_bad_plan_gets_its_line_and_cure_and_changes_nothing(world, document, message):
    client = signed_in(world, "mia")
    events = AuditEvent.objects.count()
    response = client.post("/rollouts/new/", {"document": document})
    assert response.status_code == 422
    assert "Nothing was made" in words(response)
    assert "Traceback" not in words(response)
    assert message in words(response) or "line" in words(response)
    assert not Rollout.objects.exists()
    assert AuditEvent.objects.count() == events


def test_an_issue_on_an_unknown_host_is_refused_by_line(world):
    text = world.document().replace(
        f"{world.gitlab.url}/acme/app/-/issues/11", "https://evil.example.com/a/b/-/issues/1"
    )
    response = signed_in(world, "mia").post("/rollouts/new/", {"document": text})
    assert response.status_code == 422
    assert "https://evil.example.com is no GitLab that the portal knows" in words(response)
    assert "plan, line 11:" in words(response)


def test_the_form_makes_the_same_rollout_as_a_document(world):
    form = {
        "by_form": "1",
        "title": "Haiku",
        "rollout": "by-form",
        "model": "haiku-4-5",
        "baseline": "",
        "flag": FLAG,
        "template": "code_suggestions",
        "peak": "1000",
        "owners": "mia",
        "team": "user:ann",
        "company": "acme_team_members",
        "steps": "1 50 100",
        "soak": "1d",
        "final_soak": "1d",
        "rollout_plan": f"{world.gitlab.url}/acme/app/-/issues/11",
    }
    client = signed_in(world, "mia")
    assert client.post("/rollouts/new/", {**form, "steps": "50 1 100"}).status_code == 422
    response = client.post("/rollouts/new/", form)
    assert response.status_code == 303
    rollout = Rollout.objects.get(slug="by-form")
    assert [step.percentage for step in rollout.phases.get(name="everyone").steps.all()] == [1, 50, 100]
    assert client.get("/rollouts/by-form/plan/?format=yaml").content.startswith(b"rollout: by-form\n")


def test_a_dry_run_of_a_plan_changes_nothing(world):
    world.apply()
    response = signed_in(world, "mia").post(
        "/rollouts/haiku/plan/", {"document": world.document(title="Another title"), "look": "1"}
    )
    assert "This would change:" in words(response)
    assert world.rollout().title == "Claude Haiku"


def test_who_is_in_follows_gitlabs_rule(world):
    world.up_to("everyone", "active")
    client, flag = signed_in(world, "vic"), world.rollout().flag
    assert "User:42 enters above" in words(client.get(f"/flags/{flag.pk}/?actor=User:42"))
    response = client.get(f"/flags/{flag.pk}/?actor=<script>")
    assert response.status_code == 422
    assert "<script>" not in response.content.decode().replace('<script src="', "")


def test_history_is_filtered_paged_and_refuses_times_that_are_none(world):
    world.up_to("team", "active")
    client = signed_in(world, "vic")
    assert "started Owning team" in words(client.get("/audit/?verb=phase.start"))
    assert "started Owning team" not in words(client.get("/audit/?actor=alice"))
    response = client.get("/audit/?since=yesterday")
    assert response.status_code == 422
    assert "«yesterday» is no time" in words(response)


def test_signing_in_and_out(world):
    client = Client()
    assert client.post("/accounts/login/", {"username": "mia", "password": "wrong"}).status_code == 200
    response = client.post(
        "/accounts/login/?next=/flags/", {"username": "mia", "password": "rollout", "next": "/flags/"}
    )
    assert response["Location"] == "/flags/"
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/").status_code == 302


def test_ready_says_what_is_wrong(world, time_machine, settings):
    world.apply()
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert "no GitLab was read" in response.json()["checks"]["freshness"]
    world.sync()
    assert Client().get("/readyz").json()["ready"] is True
    time_machine.move_to(world.now() + timedelta(seconds=settings.FRESHNESS_SECONDS + 1))
    assert Client().get("/readyz").status_code == 503


def test_a_long_pass_that_reads_is_ready_and_one_that_reads_nothing_is_not(world, time_machine, settings):
    """It is judged by what was read, not by passes: those over thousands of projects outlast the limit."""
    world.apply()
    world.sync()
    time_machine.move_to(world.now() + timedelta(seconds=settings.FRESHNESS_SECONDS + 1))
    passes.begin(GitLabInstance.objects.get(), trigger="beat")
    assert Client().get("/readyz").status_code == 503
    passes.work(GitLabInstance.objects.get(), seconds=0)
    assert Client().get("/readyz").json()["ready"] is True
    assert SyncRun.objects.filter(outcome="running").exists()


def test_guessing_passwords_locks_the_name(world, settings):
    settings.AXES_ENABLED = True
    client = Client()
    answers = [client.post("/accounts/login/", {"username": "mia", "password": f"guess {n}"}) for n in range(11)]
    assert answers[-1].status_code == 429
    assert "Locked for 15 minutes" in words(answers[-1])
    assert client.post("/accounts/login/", {"username": "mia", "password": "rollout"}).status_code == 429


def test_a_reading_by_hand_takes_evidence_and_counts_until_it_is_stale(world, time_machine):
    from datetime import timedelta

    world.up_to("team", "approved")
    world.do("start", "team", "mia")
    world.gitlab.stop()
    world.sync()
    actors = [actor.gitlab_id for actor in world.rollout().flag.instance.actors.all()]
    path = f"/flags/{world.rollout().flag.pk}/readings/"
    form = {"actors": " ".join(actors), "percentage": "", "evidence": "/chatops gitlab run feature get use_haiku"}
    assert signed_in(world, "vic").post(path, form).status_code == 403
    manager = signed_in(world, "mia")
    assert manager.post(path, {**form, "evidence": ""}).status_code == 409
    assert manager.post(path, {**form, "percentage": "many"}).status_code == 422
    assert world.phase("team").confirmed_at is None
    assert manager.post(path, form).status_code == 303
    assert world.phase("team").confirmed_at is not None
    assert "entered by hand by mia" in words(manager.get(path.replace("readings/", "")))
    event = AuditEvent.objects.get(verb="reading.enter")
    assert (event.actor, event.reason) == ("mia", form["evidence"])
    time_machine.move_to(world.now() + timedelta(minutes=6))
    assert "The newest reading is too old" in words(manager.get("/rollouts/haiku/"))


def test_a_reading_by_hand_never_stands_against_what_gitlab_says(world):
    """Who wants the next step can't say that the flag stands right: GitLab's word counts as soon as there is one."""
    world.up_to("everyone", "active")
    world.gitlab.state.set_feature(FLAG, "5", key="percentage_of_actors")
    world.sync()
    rollout = world.rollout()
    actors, path = " ".join(sorted(world.facts().expected.actors)), f"/flags/{rollout.flag.pk}/readings/"
    as_planned = {"percentage": "1", "groups": "acme_team_members", "actors": actors, "evidence": "I looked"}
    manager = signed_in(world, "mia")
    refused = manager.post(path, as_planned)
    assert refused.status_code == 409
    assert "GitLab itself was read" in words(refused)
    assert world.rollout().drift == "ahead"
    with world.gitlab.state.change():
        world.gitlab.fail(status=403, path="/features")
    world.sync()
    assert manager.post(path, as_planned).status_code == 303
    assert world.rollout().drift == "none"
    world.gitlab.heal()
    world.sync()  # nothing has changed in GitLab since it was last read: it is asked for all the same
    assert world.rollout().drift == "ahead"
    assert world.phase("everyone").confirmed_at is None


ODD = [
    "%00",
    "\U0001f680",
    "' OR 1=1 --",
    "%F0%9F",
    "a" * 5000,
    "../../etc/passwd",
    "{{ 7*7 }}",
    "-1",
    "99999999999999999999",
]


@pytest.mark.parametrize("odd", ODD)
def test_odd_input_breaks_no_page(world, odd):
    world.apply()
    client = signed_in(world, "mia")
    flag = world.rollout().flag.pk
    for path in (
        f"/?q={odd}&state={odd}&provider={odd}&show={odd}",
        f"/models/?q={odd}&page={odd}",
        f"/models/{odd}/",
        f"/flags/?q={odd}&type={odd}&presence={odd}&with={odd}&page={odd}",
        f"/flags/{flag}/?actor={odd}",
        f"/rollouts/{odd}/",
        f"/audit/?rollout={odd}&actor={odd}&verb={odd}&since={odd}&before={odd}&q={odd}",
        f"/rollouts/haiku/plan/?format={odd}",
    ):
        assert client.get(path).status_code in (200, 302, 400, 404, 422), path
    text = odd.replace("%00", "\x00")
    posts = {
        "/rollouts/haiku/phases/team/request/": {"seen": text, "reason": text},
        "/rollouts/haiku/phases/team/skip/": {"seen": "9" * 30, "reason": ""},
        "/rollouts/new/": {"document": text},
        f"/flags/{flag}/readings/": {"percentage": text, "groups": text, "actors": text, "evidence": ""},
        "/rollouts/haiku/items/999999999999999999/": {"evidence": text},
    }
    for path, form in posts.items():
        assert client.post(path, form).status_code in (303, 400, 404, 409, 422), path


def test_whatever_happens_has_a_sentence():
    """Every verb that is written into history: without a sentence pages would show the bare verb."""
    lines = [
        line for path in Path(recording.__file__).parents[1].rglob("*.py") for line in path.read_text().splitlines()
    ]
    written = {
        verb
        for line in lines
        if re.search(r"recorded\(|recording\.verb = |working_on\(|verb = ", line)
        for verb in re.findall(r'"([a-z]+\.[a-z_]+)"', line)
    }
    written |= {"drift.began", "drift.ended", "phase.confirmed", "phase.unconfirmed", "phase.unread"}
    written |= {f"approval.{verb}" for verb in ("expire", "void", "lapse", "regain")}
    written |= {f"phase.{verb}" for verb in PHASE_VERBS} | {f"rollout.{verb}" for verb in ROLLOUT_VERBS}
    assert written >= {"lock.add", "outbox.given_up", "project.move", "ramp.held", "drift.began", "view.keep"}
    assert not [verb for verb in written if verb in history.sentence(AuditEvent(verb=verb, object_name="x"))]
