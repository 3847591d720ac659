"""What an open page asks, and what it costs when nothing happened."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from rollouts.portal import live
from rollouts.tasks import tell_people
from tests.markup import flat
from tests.walk import FLAG, SECRET_TITLE

VERSION, ANYWAY = live.VERSION, live.ANYWAY


@pytest.fixture
def vic(world):
    world.up_to("team", "requested")
    client = Client()
    client.force_login(world.people["vic"])
    return client


def paths(world):
    flag = world.rollout().flag.pk
    return ["/", "/rollouts/haiku/", "/approvals/", "/locks/", "/flags/", f"/flags/{flag}/", "/models/", "/sync/"]


def test_where_nothing_happened_an_open_page_gets_no_body_for_one_query(world, vic, django_assert_num_queries):
    for path in paths(world):
        version = vic.get(path)[VERSION]
        with django_assert_num_queries(3):  # the session, the person, and the question
            asked = vic.get(path, headers={VERSION: version})
        assert (asked.status_code, asked.content) == (204, b""), path
        whole = vic.get(path, headers={VERSION: version, ANYWAY: "1"})
        assert (whole.status_code, whole[VERSION]) == (200, version), path


def test_what_happened_comes_as_the_page_and_as_sentences(world, vic):
    stood = {path: vic.get(path)[VERSION] for path in paths(world)}
    world.do("approve", "team", "alice")
    for path, version in stood.items():
        answer = vic.get(path, headers={VERSION: version})
        assert answer.status_code == 200, path
        assert "<li>Claude Haiku: alice approved Owning team</li>" in flat(answer), path


def test_what_is_done_to_another_rollout_wakes_the_portfolio_and_not_this_page(world, vic):
    here, whole = vic.get("/rollouts/haiku/")[VERSION], vic.get("/")[VERSION]
    world.apply(slug="sonnet", title="Claude Sonnet", flag="use_sonnet")
    here = vic.get("/rollouts/haiku/", headers={VERSION: here})[VERSION]  # a new flag is everybody's news
    world.apply(slug="sonnet", title="Claude Sonnet 2", flag="use_sonnet")
    assert vic.get("/rollouts/haiku/", headers={VERSION: here}).status_code == 204
    assert "Claude Sonnet 2: mia applied the plan of" in vic.get("/", headers={VERSION: whole}).content.decode()


def test_a_reading_and_a_pass_of_the_sync_are_followed(world, vic):
    here, sync = vic.get("/rollouts/haiku/")[VERSION], vic.get("/sync/")[VERSION]
    world.gitlab.state.set_feature(FLAG, "true", user="ann")
    world.sync()
    assert vic.get("/rollouts/haiku/", headers={VERSION: here}).status_code == 200
    assert vic.get("/sync/", headers={VERSION: sync}).status_code == 200


def test_the_news_tells_nothing_confidential(world, vic):
    here = vic.get("/rollouts/haiku/")[VERSION]
    world.gitlab.state.set_issue("acme/app", 11, state="closed")
    world.sync()
    told = vic.get("/rollouts/haiku/", headers={VERSION: here})
    assert told.status_code == 200
    assert SECRET_TITLE not in told.content.decode()


@pytest.mark.parametrize("version", ["", "x", "9" * 40, "-1", "1-2-3-4-5"])
def test_a_version_that_was_never_given_gets_the_page(world, vic, version):
    for path in ("/", "/rollouts/haiku/"):
        assert vic.get(path, headers={VERSION: version}).status_code == 200


def test_a_page_that_asks_does_not_swallow_what_a_person_should_be_told(world, vic):
    mia = Client()
    mia.force_login(world.people["mia"])
    mia.post("/sync/now/")
    assert "GitLab is being read" not in mia.get("/sync/", headers={VERSION: "0", ANYWAY: "1"}).content.decode()
    assert "GitLab is being read" in mia.get("/sync/").content.decode()


def test_who_is_signed_out_or_looks_at_a_rollout_that_is_gone_is_told_so(world, vic):
    assert vic.get("/rollouts/gone/", headers={VERSION: "1"}).status_code == 404
    assert VERSION not in Client().get("/", headers={VERSION: "1"})


def test_all_styles_and_scripts_of_the_portal_stay_small(settings):
    """Everything that any page of the portal links, as the server sends it: compressed."""
    names = {
        name
        for template in (settings.ROOT / "templates").rglob("*.html")
        for name in re.findall(r"""static ['"]([\w./-]+\.(?:css|js))['"]""", template.read_text())
        if not name.startswith(("ninja/", "admin/"))
    }
    assert {"portal.css", "portal.js", "live.js", "django_htmx/htmx-2.min.js"} <= names
    size = sum(len(gzip.compress(Path(finders.find(name)).read_bytes(), 9)) for name in names)
    assert size <= 150_000, size


def test_the_bell_rings_on_open_pages_of_whom_it_concerns_alone(world, vic, django_assert_num_queries):
    alice = Client()
    alice.force_login(world.people["alice"])
    everywhere = [*paths(world), "/notifications/"]
    stood = {path: alice.get(path)[VERSION] for path in everywhere}
    theirs = vic.get("/")[VERSION]
    tell_people()
    for path in everywhere:
        answer = alice.get(path, headers={VERSION: stood[path]})
        assert (answer.status_code, answer.context["bell"]) == (200, 1), path
        assert "live" in answer.context
    assert vic.get("/", headers={VERSION: theirs}).status_code == 204
    stood = alice.get("/notifications/")[VERSION]
    with django_assert_num_queries(3):
        assert alice.get("/notifications/", headers={VERSION: stood}).status_code == 204
    alice.post("/notifications/read/")
    assert alice.get("/notifications/", headers={VERSION: stood}).context["bell"] == 0
