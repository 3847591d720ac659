"""Webhooks through their door: who may tell us, what is applied, what is a hint, and what never goes backwards."""

import base64
import json
import random
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gitlab_simulator.payloads import Times
from rollouts import tasks
from rollouts.models import AuditEvent, FeatureFlag, FlagReading, HookDelivery, Phase, SyncScope, TrackedIssue
from rollouts.services.instances import default_instance
from rollouts.sync import passes

pytestmark = pytest.mark.django_db
SECRET = "a secret that nobody guesses"
SIGNING = "whsec_" + base64.b64encode(b"thirty-two bytes of signing key!").decode()
ADDRESS = "/hooks/gitlab/"


@pytest.fixture(autouse=True)
def secrets(settings):
    settings.GITLAB_WEBHOOK_SECRET = SECRET
    settings.GITLAB_WEBHOOK_SIGNING_TOKEN = SIGNING


@pytest.fixture
def read(world):
    """A world whose issues were read once."""
    world.apply()
    world.sync()
    return world


def told(iid=12, minutes=1, **changes):
    """An issue event as GitLab sends it, ``minutes`` from now."""
    at = (timezone.now() + timedelta(minutes=minutes)).isoformat()
    about = {"iid": iid, "title": "flag rollout", "state": "opened", "confidential": False, "updated_at": at}
    payload = {
        "object_kind": "issue",
        "user": {"username": "ann"},
        "project": {"id": 1001, "path_with_namespace": "acme/app"},
        "object_attributes": about | {"action": "update", "closed_at": None} | changes,
        "labels": [],
        "assignees": [],
        "changes": {},
    }
    return json.dumps(payload).encode()


def post(body, *, token=SECRET, address=ADDRESS, **headers):
    given = {"X-Gitlab-Event": "Issue Hook", **headers}
    if token is not None:
        given["X-Gitlab-Token"] = token
    return Client(enforce_csrf_checks=True).post(address, body, content_type="application/json", headers=given)


def signed(body, *, key=SIGNING, at=None, id="msg-1", **more):
    at = at or datetime.now(UTC)
    signature = Webhook(key).sign(id, at, body.decode())
    stamp = str(int(at.timestamp()))
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature, **more}


def issue(iid=12):
    return TrackedIssue.objects.get(iid=iid)


def changes(iid=12):
    return AuditEvent.objects.filter(verb="issue.read", object_id=str(issue(iid).pk)).count()


def test_what_gitlab_says_is_on_the_page_after_it_is_worked(read):
    before = changes()
    answer = post(told(title="Flag rollout of Haiku", state="closed", closed_at=timezone.now().isoformat()))
    assert (answer.status_code, answer.content) == (204, b"")
    assert issue().title == "flag rollout"  # answered before it is worked
    tasks.work_deliveries()
    assert (issue().title, issue().state) == ("Flag rollout of Haiku", "closed")
    assert changes() == before + 1
    event = AuditEvent.objects.filter(verb="issue.read").latest("pk")
    assert (event.actor_kind, event.actor, event.source) == ("job", "webhook", "webhook")
    assert event.after["gitlab_user"] == "ann"
    delivery = HookDelivery.objects.get()
    assert event.after["delivery"] == delivery.pk
    client = Client()
    client.force_login(read.people["mia"])
    address = f"/sync/?delivery={delivery.pk}#delivery-{delivery.pk}"
    assert f'href="{address}"' in client.get("/audit/").content.decode()
    assert f"delivery-{delivery.pk}" in client.get(address).content.decode()
    assert "Flag rollout of Haiku" in client.get("/rollouts/haiku/").content.decode()
    assert (delivery.state, delivery.content) == ("done", {})  # it may be confidential: nothing of it is kept


def test_a_signature_counts_more_than_a_token(read):
    body = told()
    assert post(body, token=None, **signed(body)).status_code == 204
    assert (
        post(body, token=SECRET, **signed(body, key="whsec_" + base64.b64encode(b"x" * 32).decode())).status_code == 401
    )
    assert HookDelivery.objects.count() == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Gitlab-Token": ""},
        {"X-Gitlab-Token": SECRET + "x"},
        {"X-Gitlab-Token": "ä" * 40},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1", "webhook-id": "a", "webhook-timestamp": "b"},
        {"webhook-signature": "v1,%%%", "webhook-id": "a", "webhook-timestamp": "99999999999999999999"},
    ],
)
def test_who_does_not_know_the_secret_is_refused_in_words(read, headers):
    answer = post(told(), token=None, **headers)
    assert answer.status_code == 401
    assert len(answer.content) > 20
    assert not HookDelivery.objects.exists()


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_delivery_of_another_time_is_refused(read, minutes):
    body = told()
    stale = signed(body, at=datetime.now(UTC) + timedelta(minutes=minutes))
    assert post(body, token=None, **stale).status_code == 401


def test_without_a_secret_nobody_is_believed(read, settings):
    settings.GITLAB_WEBHOOK_SECRET = settings.GITLAB_WEBHOOK_SIGNING_TOKEN = ""
    answer = post(told(), token="")
    assert answer.status_code == 401
    assert b"GITLAB_WEBHOOK_SECRET" in answer.content


def test_an_instance_that_is_not_there_looks_like_a_wrong_secret(read):
    assert post(told(), address="/hooks/gitlab/nowhere/").status_code == 401


def test_too_large_a_body_is_refused_before_it_is_read(read):
    answer = post(told(), **{"Content-Length": str(10**9)})
    assert answer.status_code in (204, 413)  # the test client writes the true length over it
    body = told(title="x" * (13 * 1024 * 1024))
    assert post(body).status_code == 413


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"object_kind": "issue"}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_genuine_but_no_use_never_fails_for_gitlab(read, body):
    assert post(body).status_code == 202
    assert not HookDelivery.objects.exists()


def test_what_is_of_no_interest_is_taken_and_not_kept(read):
    push = json.dumps({"object_kind": "push", "project": {"id": 1001, "path_with_namespace": "acme/app"}}).encode()
    elsewhere = told().replace(b"1001", b"77").replace(b"acme/app", b"acme/other")
    unfollowed = told(iid=999)
    assert [post(body).status_code for body in (push, elsewhere, unfollowed)] == [202, 202, 204]
    tasks.work_deliveries()
    assert not HookDelivery.objects.exists()


def test_only_a_post_is_a_delivery(read):
    assert Client().get(ADDRESS).status_code == 405


def test_the_same_delivery_twice_has_one_effect(read):
    before = changes()
    body = told(title="renamed")
    for name in ("webhook-id", "Idempotency-Key"):
        for _ in range(2):
            assert post(body, **{name: "one-and-the-same"}).status_code == 204
    for _ in range(2):
        post(body, **{"X-Gitlab-Event-UUID": "abc"})
    assert HookDelivery.objects.count() == 2
    tasks.work_deliveries()
    post(body, **{"Idempotency-Key": "one-and-the-same"})
    tasks.work_deliveries()
    assert changes() == before + 1


def test_a_delivery_that_breaks_holds_up_no_other(read, caplog):
    post(told(iid=12, title="before"), **{"webhook-id": "1"})
    post(told(iid=12, minutes=2, title="broken"), **{"webhook-id": "2"})
    post(told(iid=13, title="after"), **{"webhook-id": "3"})
    broken = HookDelivery.objects.get(key="2")
    broken.content["values"]["changed_at"] = "soon"  # stored by a version of ours that thought otherwise
    broken.save()
    tasks.work_deliveries()
    assert (issue(12).title, issue(13).title) == ("before", "after")
    broken.refresh_from_db()
    assert (broken.state, broken.content) == ("failed", {})
    assert "see the log" in broken.words
    assert not HookDelivery.objects.filter(state="waiting").exists()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(5)), again=st.lists(st.integers(0, 4), max_size=4), cuts=st.sets(st.integers(0, 8)))
def test_in_whatever_order_they_come_the_newest_stays(read, order, again, cuts):
    start = random.randrange(10**9)
    base = len(changes_of_title())
    bodies = [told(minutes=start + number, title=f"title {start} {number}") for number in range(5)]
    for position, number in enumerate([*order, *again]):
        post(bodies[number], **{"Idempotency-Key": f"{start} {number}"})
        if position in cuts:
            tasks.work_deliveries()
    tasks.work_deliveries()
    assert issue().title == f"title {start} 4"
    seen = changes_of_title()[base:]
    assert len(seen) == len(set(seen)) <= 5
    assert seen == sorted(seen)  # never backwards
    TrackedIssue.objects.none()
    reset(read)


def changes_of_title():
    events = AuditEvent.objects.filter(verb="issue.read", object_id=str(issue().pk)).order_by("pk")
    return [event.after["changed_at"] for event in events if "changed_at" in event.after]


def reset(world):
    """GitLab is asked in full, and what it says is older: the rows are made as if nothing had been told."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE rollouts_trackedissue SET changed_at = NULL WHERE iid = 12")
    HookDelivery.objects.all().delete()


def test_what_a_delivery_cannot_say_is_read_once_for_all(read):
    state = read.gitlab.state
    state.set_issue("acme/app", 12, description="- [x] one\n- [ ] two")
    state.add_note("acme/app", 12, "works for me")
    state.add_note("acme/app", 13, "for me too")
    note = {
        "object_kind": "note",
        "user": {"username": "ann"},
        "project": {"id": 1001, "path_with_namespace": "acme/app"},
        "object_attributes": {"noteable_type": "Issue", "updated_at": "2026-11-23 10:00:00 UTC"},
    }
    at = state.issue("acme/app", 12)["updated_at"]
    post(told(updated_at=at).replace(b'"changes": {}', b'"changes": {"description": {}}'))
    for iid in (12, 13):
        post(json.dumps(note | {"issue": {"iid": iid}}).encode())
    read.gitlab.forget_requests()
    tasks.work_deliveries()
    assert SyncScope.objects.get(project__path="acme/app").hinted_at
    passes.work(default_instance())
    assert len(read.gitlab.requests) == 1
    assert (issue(12).task_count, issue(12).task_done, issue(12).notes_count, issue(13).notes_count) == (2, 1, 1, 1)
    assert SyncScope.objects.get(project__path="acme/app").hinted_at is None


def test_a_flag_event_is_a_hint_and_never_the_value(read):
    state = read.gitlab.state
    state.add_project_flag("acme/app", "haiku", active=False)
    read.apply(slug="two", flag="haiku, project: acme/app, environment: production")
    read.sync()
    event = {
        "object_kind": "feature_flag",
        "project": {"id": 1001, "path_with_namespace": "acme/app"},
        "object_attributes": {"id": 1, "name": "haiku", "active": True},
    }
    readings = FlagReading.objects.count()
    assert post(json.dumps(event).encode()).status_code == 204
    tasks.work_deliveries()
    passes.work(default_instance())
    assert FlagReading.objects.count() == readings  # GitLab itself says that it is off
    assert FeatureFlag.objects.get(name="haiku").latest.exposure.words


def test_no_delivery_changes_a_phase_or_a_reading(world):
    world.up_to("team", "requested")
    before = list(Phase.objects.values()), FlagReading.objects.count()
    for body in (
        told(),
        told().replace(b"issue", b"feature_flag"),
        json.dumps({"object_kind": "phase", "state": "approved"}).encode(),
    ):
        post(body)
    tasks.work_deliveries()
    assert (list(Phase.objects.values()), FlagReading.objects.count()) == before


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_there_is_no_server_error(read, data):
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
    payload = json.loads(told())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from([payload, payload["object_attributes"], payload]))
        if isinstance(place, dict) and place:
            place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
        if not isinstance(payload.get("object_attributes"), dict):
            break
    text = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=300)
    names = st.sampled_from(["webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID", "X-Gitlab-Event"])
    headers = data.draw(st.dictionaries(names, text, max_size=4))
    body = json.dumps(payload).encode()
    cut = data.draw(st.sampled_from([len(body), len(body) // 2]))
    assert post(body[:cut], **headers).status_code in (202, 204)
    tasks.work_deliveries()
    assert not HookDelivery.objects.filter(state="waiting").exists()


def close(second, *, iso=False, **more):
    """A close at a whole second, as GitLab tells it."""
    at = f"{second:%Y-%m-%dT%H:%M:%SZ}" if iso else f"{second:%Y-%m-%d %H:%M:%S} UTC"
    return told(state="closed", closed_at=at, updated_at=at, **more)


@pytest.mark.parametrize("iso", [False, True])
def test_a_close_in_the_second_of_the_known_change_is_asked_for_and_not_dropped(read, iso):
    known = issue()
    second = known.changed_at.replace(microsecond=0)
    read.gitlab.state.set_issue("acme/app", 12, state="closed", updated_at=f"{second:%Y-%m-%dT%H:%M:%S}.999Z")
    post(close(second, iso=iso))
    tasks.work_deliveries()
    assert issue().state == "opened"  # the second alone does not say which was the last
    passes.work(default_instance())
    assert issue().state == "closed"


def test_of_two_deliveries_of_one_second_gitlab_says_which_was_the_last(read):
    second = (timezone.now() + timedelta(minutes=1)).replace(microsecond=0)
    at = f"{second:%Y-%m-%d %H:%M:%S} UTC"
    read.gitlab.state.set_issue("acme/app", 12, title="second", updated_at=f"{second:%Y-%m-%dT%H:%M:%S}.800Z")
    before = changes()
    post(told(title="second", updated_at=at), **{"webhook-id": "b"})
    post(told(title="first", updated_at=at), **{"webhook-id": "a"})
    tasks.work_deliveries()
    assert issue().title == "flag rollout"
    passes.work(default_instance())
    assert (issue().title, changes()) == ("second", before + 1)
    post(told(title="first", updated_at=at), **{"webhook-id": "c"})  # once more, late
    tasks.work_deliveries()
    passes.work(default_instance())
    assert (issue().title, changes()) == ("second", before + 1)
    post(told(title="later", updated_at=f"{second + timedelta(seconds=1):%Y-%m-%d %H:%M:%S} UTC"))
    tasks.work_deliveries()
    assert issue().title == "later"


def test_what_a_reading_says_more_exactly_is_no_change(read):
    second = (timezone.now() + timedelta(minutes=1)).replace(microsecond=0)
    post(close(second, title="done"))
    tasks.work_deliveries()
    before = changes()
    fine = f"{second:%Y-%m-%dT%H:%M:%S}.456Z"
    read.gitlab.state.set_issue("acme/app", 12, title="done", state="closed", closed_at=fine, updated_at=fine)
    read.sync(full=True)
    assert (issue().state, changes()) == ("closed", before)


def test_what_a_delivery_does_not_say_is_unchanged(read):
    state = read.gitlab.state
    state.set_issue("acme/app", 12, confidential=True, labels=["kept"], assignees=["ann"], updated_at=soon(1))
    read.sync()
    payload = json.loads(told(minutes=5))
    for name in ("title", "confidential"):
        del payload["object_attributes"][name]
    del payload["labels"], payload["assignees"]
    post(json.dumps(payload).encode())
    tasks.work_deliveries()
    found = issue()
    assert found.changed_at > timezone.now() + timedelta(minutes=4)
    assert (found.title, found.confidential, found.labels, found.assignees) == ("flag rollout", True, ["kept"], ["ann"])
    payload["object_attributes"] |= {"assignee_ids": [], "updated_at": soon(6)}  # GitLab's way to say nobody
    post(json.dumps(payload).encode())
    tasks.work_deliveries()
    assert (issue().labels, issue().assignees) == (["kept"], [])


def soon(minutes):
    return (timezone.now() + timedelta(minutes=minutes)).isoformat()


class TestAtAGitLab:
    """With the simulated GitLab that really sends them."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def live(self, transactional_db, live_server, gitlab, settings):
        from tests.walk import World

        settings.PORTAL_URL = live_server.url
        world = World.build(gitlab)
        world.apply()
        world.sync()
        assert self.hooks("install") == ({"acme/app": "installed"}, 0)
        return world

    @staticmethod
    def hooks(*arguments):
        out, status = StringIO(), 0
        try:
            call_command("hooks", *arguments, "--json", stdout=out)
        except SystemExit as stop:
            status = stop.code
        found = json.loads(out.getvalue())["instances"]["gitlab"]
        return {finding["project"]: finding["state"] for finding in found}, status

    @pytest.mark.parametrize("times", Times)
    def test_a_change_in_gitlab_arrives_by_itself(self, live, times):
        later = (timezone.now() + timedelta(minutes=1)).isoformat()
        live.gitlab.state.hook_times = times
        live.gitlab.state.set_issue("acme/app", 11, title="Plan B", state="closed", updated_at=later)  # confidential
        live.gitlab.state.set_issue("acme/app", 12, labels=["b", "a"], updated_at=later)
        live.gitlab.wait_for_deliveries()
        live.gitlab.forget_requests()
        tasks.work_deliveries()
        assert (issue(11).title, issue(11).state, issue(12).labels) == ("Plan B", "closed", ["a", "b"])
        assert not live.gitlab.calls()  # nothing had to be asked
        events = AuditEvent.objects.count()
        live.sync(full=True)
        assert AuditEvent.objects.count() == events  # a reading says the same

    def test_twice_late_and_shuffled_ends_as_gitlab_has_it(self, live):
        live.gitlab.post.twice = live.gitlab.post.shuffled = True
        live.gitlab.post.held = 0.02
        for number in range(40):
            live.gitlab.state.set_issue("acme/app", 11 + number % 4, title=f"title {number}")
        live.gitlab.wait_for_deliveries()
        tasks.work_deliveries()
        passes.work(default_instance())  # many of one second: which was the last is asked
        assert [issue(11 + number).title for number in range(4)] == [f"title {36 + number}" for number in range(4)]

    def test_what_is_lost_on_the_way_is_found_by_polling(self, live):
        live.gitlab.post.lost = 1.0
        live.gitlab.state.set_issue("acme/app", 12, title="unheard of")
        live.gitlab.wait_for_deliveries()
        tasks.work_deliveries()
        assert issue().title == "flag rollout"
        live.sync()
        assert issue().title == "unheard of"

    def test_hooks_are_installed_once_and_mended(self, live):
        state = live.gitlab.state
        assert self.hooks("install") == ({"acme/app": "ok"}, 0)
        assert self.hooks("check") == ({"acme/app": "ok"}, 0)
        (hook,) = state.table("hooks", state.project("acme/app")["id"]).values()
        state.set_hook("acme/app", hook["id"], confidential_issues_events=False)
        assert self.hooks("check") == ({"acme/app": "wrong"}, 1)
        assert self.hooks("install") == ({"acme/app": "updated"}, 0)

        def after(**changes):
            state.put("hooks", hook["id"], state.hook("acme/app", hook["id"]) | changes, within=hook_project)
            return self.hooks("check")

        hook_project = state.project("acme/app")["id"]
        assert after(failures=4, disabled_until="2999-01-01T00:00:00.000Z") == ({"acme/app": "disabled"}, 1)
        assert after(failures=40) == ({"acme/app": "disabled"}, 1)
        failed = {"trigger": "Issue Hook", "status": 500, "at": "2026-11-24T00:00:00.000Z"}
        assert after(failures=1, disabled_until=None, log=[failed]) == ({"acme/app": "failing"}, 1)
        state.delete_hook("acme/app", hook["id"])
        assert self.hooks("check") == ({"acme/app": "missing"}, 1)
        assert self.hooks("install", "--dry-run") == ({"acme/app": "installed"}, 0)
        assert self.hooks("check") == ({"acme/app": "missing"}, 1)

    def test_without_the_right_the_words_say_which(self, live, settings):
        settings.GITLAB_TOKEN = live.gitlab.reader_token
        assert self.hooks("check") == ({"acme/app": "forbidden"}, 1)

    @pytest.mark.parametrize("arguments", [["check", "--instance", "nowhere"], ["check", "--url", "ftp://x"]])
    def test_wrong_use_is_told(self, live, arguments):
        with pytest.raises(CommandError) as error:
            call_command("hooks", *arguments)
        assert error.value.returncode == 2

    def test_a_switched_off_hook_is_gitlabs_answer_to_failures(self, live, settings):
        settings.GITLAB_WEBHOOK_SECRET = settings.GITLAB_WEBHOOK_SIGNING_TOKEN = "another-one-now"
        for number in range(5):
            live.gitlab.state.set_issue("acme/app", 12, title=f"t{number}")
            live.gitlab.wait_for_deliveries()
        assert self.hooks("check")[0] == {"acme/app": "disabled"}
