"""How the sync stands: the page, the API and the metrics say the same."""

import re

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from rollouts.models import HookDelivery
from rollouts.services import tokens
from rollouts.services.instances import default_instance
from rollouts.sync import passes
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


def words(client):
    return " ".join(client.get("/sync/").content.decode().split())


def measured(client, **headers):
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_the_page_says_what_was_asked_and_what_is_left(world):
    world.apply()
    world.gitlab.limit_requests(600)
    world.sync()
    world.sync()
    page = words(signed_in(world))
    assert "calls a minute left in GitLab" in page
    assert "of our 300" in page
    assert '<meter min="0" max="300"' in page
    assert "all read" in page
    assert "2 places are followed, and all is read" in page
    assert "4 followed, 4 changed" in page  # the first pass


def test_the_page_says_of_each_project_how_its_last_reading_went(world):
    world.apply()
    world.sync()
    world.gitlab.fail(path="/issues", status=403)
    world.sync(full=True)
    page = words(signed_in(world))
    row = page[page.index('<th scope="row">acme/app</th>') :].split("</tr>")[0]
    assert "forbidden (403)" in row
    assert row.count("<time") == 1  # its issues were read once; it has no flags
    assert row.count('class="num"') == 3  # seconds, calls, changes
    assert "1 reading failed" in page
    assert "Issues: acme/app" in page
    assert "Reporter" in page or "role" in page  # the cure


def test_a_pass_under_way_has_a_bar(world):
    world.apply()
    world.sync()
    passes.begin(default_instance(), trigger="beat")
    page = words(signed_in(world))
    assert re.search(rf'<progress\s+id="pass-{default_instance().pk}"\s+max="2"\s+value="0"', page)
    assert "0 of 2 read" in page


def test_why_nothing_is_asked_is_told(world):
    world.apply()
    world.gitlab.fail(status=429, headers={"Retry-After": "120"})
    world.sync()
    assert "GitLab asked us to wait until" in words(signed_in(world))


def test_a_token_without_the_right_is_told_with_the_scope(world, settings):
    world.apply()
    settings.GITLAB_TOKEN = world.gitlab.reader_token
    world.sync()
    assert "administrator" in words(signed_in(world))


def test_webhooks_that_wait_are_told(world, settings):
    settings.GITLAB_WEBHOOK_SECRET = "secret"
    assert "hooks check" in words(signed_in(world))
    from rollouts.services import deliveries

    deliveries.store(default_instance(), key="1", event="x", project_path="", happened_at=None, content={})
    assert HookDelivery.objects.count() == 1
    page = words(signed_in(world))
    assert "1 waiting" in page
    assert "oldest that waits" in page


def test_metrics_say_what_the_page_says(world):
    world.apply()
    world.sync()
    found = measured(signed_in(world))
    here = ("gitlab", "gitlab")
    assert found["portal_sync_read_calls", (here, ("project", "acme/app"))] == 1
    assert found["portal_hook_waiting", (here,)] == 0
    assert found["portal_rollouts", (("state", "draft"),)] == 1
    assert not any(name == "portal_sync_failing" for name, _ in found)
    names = {name for _, labels in found for name, _ in labels}
    assert not names & {"instance", "job"}, "Prometheus' own: it would rename ours"
    world.gitlab.fail(path="/issues", status=403)
    world.sync()
    failing = (here, ("outcome", "forbidden"), ("project", "acme/app"), ("what", "issues"))
    assert measured(signed_in(world))["portal_sync_failing", failing] == 1


def test_metrics_are_for_a_token_or_who_is_signed_in(world):
    assert Client().get("/metrics").status_code == 401
    assert Client().get("/metrics", headers={"Authorization": "Bearer mrp_nonsense"}).status_code == 401
    _, token = tokens.issue(world.people["vic"], name="prometheus", by=world.actor("vic"))
    assert measured(Client(), Authorization=f"Bearer {token}")


def test_the_queries_do_not_grow_with_the_projects(world, django_assert_max_num_queries):
    for number in range(8):
        world.gitlab.state.add_project(f"acme/app{number}")
        text = world.document(slug=f"r{number}", flag=f"f{number}").replace("/acme/app/", f"/acme/app{number}/")
        from rollouts.services import plans

        plans.apply(text, by=world.actor("mia"), source="plan.yaml")
    world.sync()
    client = signed_in(world)
    with django_assert_max_num_queries(20):
        client.get("/sync/")
    with django_assert_max_num_queries(18):
        client.get("/metrics")
