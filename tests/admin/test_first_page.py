"""The first page of the admin: what needs an admin, in sentences that lead to the cure; the history tab of each thing."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rollouts.audit.recording import recorded
from rollouts.models import AIModel, GitLabInstance, HookDelivery, InstanceHealth, PlanTemplate, clock
from rollouts.sync import outbox
from tests.markup import flat
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


def first_page(client_of, name="root"):
    return client_of(name).get("/admin/").content.decode()


def healthy(world):
    world.apply()
    world.sync()
    return world


def test_nothing_needs_an_admin_when_all_is_well(world, client_of):
    healthy(world)
    page = first_page(client_of)
    assert "Nothing needs an admin now." in page
    assert "What is rolled out" in page


def test_no_gitlab_and_no_token_are_the_first_things_told(world, client_of, settings):
    settings.GITLAB_URL = ""
    assert "No GitLab is connected: set GITLAB_URL and GITLAB_TOKEN" in first_page(client_of)
    settings.GITLAB_URL, settings.GITLAB_TOKEN = world.gitlab.url, ""
    assert "gitlab has no token: set GITLAB_TOKEN." in first_page(client_of)


def test_each_trouble_is_a_sentence_with_its_cure(world, client_of):
    healthy(world)
    now, root = clock.now(), world.actor("root")
    instance = GitLabInstance.objects.get(name="gitlab")
    health, _ = InstanceHealth.objects.get_or_create(instance=instance)
    health.token_name, health.token_expires_on = "portal", (now + timedelta(days=3)).date()
    health.save()
    HookDelivery.objects.create(
        instance=instance, key="1", event="Issue Hook", state="failed", received_at=now, worked_at=now, words="x"
    )
    User.objects.create_user("newcomer")
    with recorded("test", by=root):
        model = world.rollout().ai_model
        model.deprecated_on = (now + timedelta(days=10)).date()
        model.save()
    world.gitlab.state.add_flag_definition("lonely", type="beta", group="x", milestone="19.3", default_enabled=False)
    world.gitlab.state.set_feature("lonely", "true")
    world.sync()
    with recorded("test", by=root):
        PlanTemplate(slug="broken", title="Broken", document="template: broken").save()
    page = first_page(client_of)
    for words in (
        "ends on",
        "1 webhook delivery of gitlab failed in the last day.",
        "Without a role, so they only look: newcomer.",
        "claude-haiku on Vertex AI retires on",
        "1 flag is set in GitLab and belongs to no rollout.",
        "The template Broken can&#x27;t be read, so no rollout can be made from it.",
    ):
        assert words in page, words
    assert "6 things need an admin." in page
    assert page.index("can&#x27;t be read") < page.index("retires on") < page.index("newcomer"), "what is broken first"
    for link in ("?role=none", "?plan=without&amp;presence__exact=set"):
        assert link in page
        client = client_of("root")
        path = next(part for part in page.split('"') if part.endswith(link)).replace("&amp;", "&")
        assert client.get(path).status_code == 200
    listed = client_of("root").get("/admin/auth/user/?role=none").content.decode()
    assert "newcomer" in listed
    assert ">mia<" not in listed


def test_names_that_may_be_taken_for_others_and_a_proxy_that_is_not_counted(world, client_of, settings):
    healthy(world)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    User.objects.bulk_create([User(username="аlice", is_superuser=True)])  # as an earlier release let them in
    page = first_page(client_of)
    assert "User names that may be taken for others: alice, аlice." in page
    assert "TRUSTED_PROXIES is 0" in page
    settings.TRUSTED_PROXIES = 1
    assert "TRUSTED_PROXIES is 0" not in first_page(client_of)


def test_reviews_that_are_overdue_and_writes_that_were_given_up(world, client_of, settings, monkeypatch):
    settings.GITLAB_WRITES = "issues"
    world.up_to("team", "approved")
    world.gitlab.state.set_feature(FLAG, "true")
    world.sync()
    world.do("start", "team", "root", reason="we know", override=True, confirm="haiku")
    world.gitlab.state.set_feature(FLAG, "false")
    outbox.work()
    assert "overdue" not in first_page(client_of)
    later = timezone.now() + timedelta(days=9)
    monkeypatch.setattr("rollouts.models.clock.now", lambda: later)
    page = first_page(client_of)
    assert "The review of an override is overdue: Owning team · Claude Haiku." in page
    assert "was last read 9 d ago: nothing can start. Do worker and beat run?" in page
    listed = client_of("root").get("/admin/rollouts/override/?review=overdue").content.decode()
    assert "Claude Haiku" in listed


def test_the_first_page_costs_the_same_however_much_is_wrong(world, client_of):
    healthy(world)
    client = client_of("root")
    client.get("/admin/")
    with CaptureQueriesContext(
        connection,
    ) as quiet:
        client.get("/admin/")
    for number in range(9):
        User.objects.create_user(f"newcomer{number}")
        with recorded("test", by=world.actor("root")):
            PlanTemplate(slug=f"broken{number}", title="Broken", document="template: broken").save()
            AIModel(slug=f"m{number}", name="m", deprecated_on="2020-01-01").save()
    with CaptureQueriesContext(connection) as loud:
        client.get("/admin/")
    assert len(loud) <= len(quiet)


# The history tab


def test_the_history_tab_tells_before_and_after_in_pages(world, client_of):
    world.apply()
    root, model = client_of("root"), world.rollout().ai_model
    path = f"/admin/rollouts/aimodel/{model.pk}"
    for number in range(32):
        with recorded("admin.change", by=world.actor("root"), about=model):
            model.quota_requests_per_minute = 1000 + number
            model.save()
    page = flat(root.get(f"{path}/history/"))
    assert "<del>1030</del>" in page
    assert "<ins>1031</ins>" in page
    assert "<ins>1000</ins>" not in page
    assert "<dt>quota</dt>" in page
    older = next(part for part in page.split('"') if part.startswith("?before="))
    page = flat(root.get(f"{path}/history/{older}"))
    assert "<ins>1000</ins>" in page
    assert 'rel="next"' not in page
    newer = next(part for part in page.split('"') if part.startswith("?before=-"))
    assert "<ins>1031</ins>" in flat(root.get(f"{path}/history/{newer}"))
    assert root.get(f"{path}/history/?before=x").status_code == 422
    assert client_of("vic").get(f"{path}/history/").status_code == 403


def test_the_history_of_a_rollout_holds_its_phases_and_items(world, client_of):
    world.up_to("team", "requested")
    page = client_of("alice").get(f"/admin/rollouts/rollout/{world.rollout().pk}/history/").content.decode()
    assert "asked for Owning team" in page
    assert "confirmed The considerations for adding a model were reviewed" in page


def test_what_is_confidential_is_told_only_to_those_with_the_role(world):
    from rollouts.admin import events
    from rollouts.models import TrackedIssue

    healthy(world)
    issue = TrackedIssue.objects.get(iid=11)
    seen = [change for told in events.of(issue, sees_confidential=True).told for change in told.changes]
    assert any(change.is_confidential and SECRET_TITLE in str(change.parts) for change in seen)
    unseen = [change for told in events.of(issue, sees_confidential=False).told for change in told.changes]
    assert SECRET_TITLE not in str(unseen)
    assert not any(change.is_confidential for change in unseen)


# A rollout's page


def test_a_rollouts_page_has_its_phases_with_buttons_and_its_checklist(world, client_of):
    world.apply()
    world.sync()
    rollout, mia = world.rollout(), client_of("mia")
    page = mia.get(f"/admin/rollouts/rollout/{rollout.pk}/change/").content.decode()
    for words in (
        "Owning team",
        "Whole company",
        "All users",
        "25 %",
        "user:ann, group:acme/code",
        "Ask for Owning team",
    ):
        assert words in page, words
    item = rollout.items.get(key="considerations")
    url = f"/admin/rollouts/rollout/{rollout.pk}/item/{item.pk}/"
    assert mia.get(url).status_code == 405
    assert mia.post(url, {"evidence": " "}).status_code == 409
    assert mia.post(url, {"evidence": "https://x.example.com"}).status_code == 303
    item.refresh_from_db()
    assert (item.confirmed_by, item.evidence) == ("mia", "https://x.example.com")
    assert mia.post(url, {"undo": "1", "reason": "wrong link"}).status_code == 303
    automatic = rollout.items.get(key="flag_exists")
    refused = mia.post(f"/admin/rollouts/rollout/{rollout.pk}/item/{automatic.pk}/", {"evidence": "x"})
    assert (refused.status_code, "checks itself" in refused.content.decode()) == (409, True)
    for name in ("alice", "vic"):
        assert client_of(name).post(url, {"evidence": "x"}).status_code == 403
    assert mia.post(f"/admin/rollouts/rollout/{rollout.pk + 1}/item/{item.pk}/", {"evidence": "x"}).status_code == 404


def test_a_rollouts_page_costs_the_same_with_more_attempts_and_items(world, client_of):
    world.apply()
    world.sync()
    mia, path = client_of("mia"), f"/admin/rollouts/rollout/{world.rollout().pk}/change/"
    mia.get(path)
    with CaptureQueriesContext(connection) as before:
        mia.get(path)
    world.confirm()
    world.up_to("company", "active")
    world.do("roll_back", "company", "mia", reason="x")
    world.do("retry", "company", "mia")
    with CaptureQueriesContext(connection) as after:
        page = mia.get(path).content.decode()
    assert "Earlier attempts:" in page
    assert len(after) <= len(before) + 2
