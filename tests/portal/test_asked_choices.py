"""What an address asks for and there is not: 422 with the choices, the same on each page and by the API."""

from __future__ import annotations

import csv
import html

import pytest
from django.test import Client

from rollouts.models import Rollout
from tests.portal.pages import words

pytestmark = pytest.mark.django_db
CHOICES = {
    "/": {
        "state": "open, over, all, draft", "health": "drifting", "show": "yours, drifting", "provider": "anthropic", "phase": "team, company, everyone",
        "group": "health, phase", "sort": "urgency, since", "view": "list, board",
    },
    "/portfolio.csv": {"state": "open, over, all, draft", "health": "drifting", "show": "yours", "provider": "anthropic", "phase": "team"},
    "/flags/": {
        "type": "beta", "group": "group::ai coding", "presence": "unread, set", "instance": "gitlab", "with": "rollout, none, ours",
        "age": "overdue", "issue": "missing", "sort": "rollout, -rollout, name",
    },
    "/models/": {"provider": "anthropic", "host": "Vertex AI", "capability": "code_completion", "show": "live, retiring", "sort": "live"},
    "/timeline/": {"state": "open, over, all, draft", "phase": "team, company, everyone", "health": "drifting", "provider": "anthropic", "zoom": "week, month, quarter, year"},
    "/audit/": {"source": "page, admin, api"},
    "/rollouts/new/": {"template": "code_suggestions"},
}  # fmt: skip
FILTERS = {
    "state",
    "health",
    "show",
    "provider",
    "phase",
    "type",
    "group",
    "presence",
    "instance",
    "with",
    "age",
    "issue",
    "host",
    "source",
    "capability",
}
ASKED = [(path, name, named) for path, names in CHOICES.items() for name, named in names.items()]
ODD = "<b>flying"


@pytest.fixture
def mia(world):
    world.apply()
    world.sync()
    client = Client(raise_request_exception=False)
    client.force_login(world.people["mia"])
    return client


def test_every_choice_that_is_none_is_refused_with_those_there_are(mia):
    for path, name, named in ASKED:
        response = mia.get(path, {name: ODD})
        assert response.status_code == 422, (path, name)
        assert f"There is no {name} «{ODD}». There are: {named}" in html.unescape(response.content.decode()), (
            path,
            name,
        )
        assert ODD not in response.content.decode()
        assert mia.get(path, {name: ""}).status_code == 200


def test_what_fits_no_choice_shows_no_row_and_how_it_is_shown_is_as_usual(mia):
    for path, name, _ in ASKED:
        if path in ("/audit/", "/rollouts/new/", "/portfolio.csv"):
            continue
        page = words(mia.get(path, {name: ODD}))
        shows = "use_haiku" if path == "/flags/" else "Claude Haiku" if path != "/models/" else "claude-haiku"
        is_filter = name in FILTERS and (path, name) != ("/", "group")
        assert (shows in page) is not is_filter, (path, name)
        assert "No rollouts yet" not in page
        assert "No flags yet" not in page


def test_several_faults_are_told_at_once_and_the_page_stands(mia):
    page = words(mia.get("/", {"state": "x", "sort": "y", "q": "haiku", "after": "z"}))
    assert "There is no state «x»" in page
    assert "There is no sort «y»" in page
    assert "names no place of this list" in page
    assert "New rollout" in page


@pytest.mark.parametrize("page", ["0", "-1", "x", "2", "9" * 30, "1.5"])
def test_a_page_that_there_is_not_is_said(mia, world, page):
    flag, model = world.rollout().flag, world.rollout().ai_model
    for path in ("/flags/", "/models/", f"/flags/{flag.pk}/", f"/models/{model.slug}/"):
        response = mia.get(path, {"page": page})
        assert response.status_code == 422, path
        assert f"There is no page {page}" in words(response)


def test_an_open_page_that_asks_again_goes_on(mia):
    first = mia.get("/?state=flying", headers={"Live-Version": "0", "Live-Anyway": "1"})
    assert first.status_code == 200
    assert "There is no state" in words(first)


def test_a_template_that_there_is_not_plans_nothing(mia):
    form = {"by_form": "1", "template": "nothing", "title": "x", "rollout": "x", "model": "claude-haiku", "flag": "x"}
    response = mia.post("/rollouts/new/", form)
    assert response.status_code == 422
    assert "There is no template «nothing». There are: code_suggestions" in words(response)
    assert not Rollout.objects.filter(slug="x").exists()


@pytest.mark.parametrize(
    ("path", "name", "named"),
    [
        ("/rollouts", "state", "open, over, all, draft"), ("/rollouts", "health", "drifting"), ("/rollouts", "phase", "team, company, everyone"),
        ("/rollouts", "provider", "anthropic"), ("/audit", "source", "webhook"), ("/flags", "presence", "unread, set"), ("/flags", "with", "rollout, none, ours"),
        ("/flags", "type", "beta"),
    ],
)  # fmt: skip
def test_the_api_refuses_the_same(mia, path, name, named):
    response = mia.get(f"/api/v1{path}", {name: "flying"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["name"] == name
    assert named in response.json()["detail"].replace("'", "")


def test_the_file_of_what_fits_is_one(mia):
    rows = list(csv.reader(b"".join(mia.get("/portfolio.csv", {"provider": "anthropic"})).decode().splitlines()))
    assert len(rows) == 2
