"""AI models: where each is live and for whom, its quota's use, what replaced it, when it retires."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.models import AIModel
from rollouts.rules.catalogue import CatalogueModel, FeatureSetting
from rollouts.services import imports
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


def words(response):
    return flat(response)


def names(response):
    return [row.model.name for row in response.context["rows"]]


def catalogue(world, *models, features=()):
    imports.import_models(models, features, by=world.actor("root"))


def new(world):
    return f"/models/{world.rollout().ai_model.slug}/"


def baseline(world):
    return f"/models/{world.rollout().baseline.slug}/"


def test_a_model_says_for_whom_it_is_live_and_what_that_asks_of_its_quota(world):
    world.up_to("everyone", "active")
    world.advance("everyone")
    world.obey()
    client = signed_in(world)
    for path in ("/models/", new(world)):
        page = words(client.get(path))
        assert "25 % of actors, group acme_team_members and 2 named actors" in page
        assert "60,000 requests a minute" in page
        assert "10,500 in use at peak, 18 %, besides named people and groups" in page
    assert "All users: active, 25 %" in words(client.get(new(world)))
    page = words(client.get(baseline(world)))
    assert "being replaced by<a" in page
    assert "does not reach yet" in page
    assert "31,500 in use at peak" in page
    assert "as the baseline" in page


def test_use_is_not_known_when_gitlab_was_not_read_lately(world, time_machine):
    world.up_to("team", "active")
    assert "few: named people and groups only" in words(signed_in(world).get(new(world)))
    time_machine.move_to(world.now() + timedelta(hours=2))
    page = words(signed_in(world).get(new(world)))
    assert "not known; GitLab was last read as: 2 named actors" in page
    assert "use not known: Claude Haiku" in page


def test_who_has_taken_over_and_what_it_leaves(world):
    world.up_to("everyone", "completed")
    client = signed_in(world)
    page = words(client.get(baseline(world)))
    assert "replaced by<a" in page
    assert "being replaced by" not in page
    assert "does not reach yet" not in page
    page = words(client.get(new(world)))
    assert "everyone" in page
    assert "42,000 in use at peak, 70 %" in page


def test_a_retirement_that_is_near_is_flagged_while_the_model_is_in_use(world, time_machine):
    time_machine.move_to("2026-11-24T12:00:00Z")
    catalogue(
        world,
        CatalogueModel("used", "Used", "Anthropic", deprecation_date=date(2027, 2, 14)),
        CatalogueModel("idle", "Idle", "Anthropic", deprecation_date=date(2027, 2, 14)),
        CatalogueModel("gone", "Gone", "Mistral", deprecation_date=date(2026, 11, 23), removal_version="19.8"),
        CatalogueModel("far", "Far", "Mistral", "Vertex AI", deprecation_date=date(2028, 1, 1)),
        features=[FeatureSetting("code_completions", ("used", "gone"), ("idle",))],
    )
    client = signed_in(world)
    page = words(client.get("/models/"))
    assert "retires 14 Feb 2027 (in 82 days) and still in use" in page
    assert "retires 14 Feb 2027 (in 82 days)</span>" in page
    assert "retired 23 Nov 2026 (1 day ago) and still in use" in page
    page = words(client.get("/models/gone/"))
    assert "Plan what replaces it." in page
    assert "removed in 19.8" in page
    assert "code completions" in page
    assert names(client.get("/models/?show=retired")) == ["Gone"]
    assert names(client.get("/models/?show=soon&sort=name")) == ["Idle", "Used"]
    assert names(client.get("/models/?show=retiring&sort=-retires")) == ["Far", "Idle", "Used"]
    assert names(client.get("/models/?provider=Mistral&host=Vertex AI")) == ["Far"]
    assert names(client.get("/models/?q=anthropic&sort=-name")) == ["Used", "Idle"]
    assert names(client.get("/models/?provider=nobody")) == []


def test_what_is_live_comes_first_and_can_be_asked_for(world):
    world.up_to("team", "active")
    catalogue(world, CatalogueModel("aaa", "Aaa"))
    client = signed_in(world)
    live = world.rollout().ai_model.name
    assert names(client.get("/models/"))[0] == live
    assert names(client.get("/models/?show=live")) == [live]
    assert names(client.get("/models/?capability=code_completion")) == [live]
    assert names(client.get("/models/?show=nonsense&sort=nonsense")) == []


def test_a_flag_that_is_wider_than_planned_makes_its_model_live(world):
    world.apply()
    world.sync()
    assert "nobody by a rollout" in words(signed_in(world).get(new(world)))
    world.gitlab.state.set_feature(FLAG, "10", key="percentage_of_actors")
    world.sync()
    assert "10 % of actors" in words(signed_in(world).get(new(world)))
    assert names(signed_in(world).get("/models/?show=live")) == [world.rollout().ai_model.name]


def test_the_number_of_queries_does_not_grow_with_the_models(world, django_assert_num_queries):
    world.up_to("team", "active")
    catalogue(world, *[CatalogueModel(f"m{n}", f"Model {n}", "Mistral") for n in range(3)])
    client, path = signed_in(world, "mia"), new(world)
    asked = {}
    for page in ("/models/", "/models/?show=live&sort=quota", path):
        client.get(page)
        with CaptureQueriesContext(connection) as few:
            client.get(page)
        asked[page] = len(few)
    catalogue(world, *[CatalogueModel(f"m{n}", f"Model {n}", "Mistral") for n in range(60)])
    for n in range(6):
        world.apply(slug=f"haiku-{n}", title=f"Haiku {n}", flag=f"flag_{n}")
    for page, number in asked.items():
        with django_assert_num_queries(number):
            assert client.get(page).status_code == 200
    assert len(client.get("/models/").context["rows"]) == 50
    assert AIModel.objects.count() == 62


def test_nothing_confidential_and_nothing_that_breaks(world):
    world.up_to("team", "active")
    client = signed_in(world)
    for path in ("/models/", new(world), baseline(world)):
        assert SECRET_TITLE not in client.get(path).content.decode()
    for odd in ("'; drop", "\U0001f680", "x" * 100_000, "<script>", "-1"):
        for key in ("q", "provider", "host", "capability", "show", "sort", "page"):
            assert client.get("/models/", {key: odd}).status_code == (200 if key == "q" else 422)
