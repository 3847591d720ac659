"""Look-ups in the history that people keep under a name: their own, bounded, told to nobody else."""

from __future__ import annotations

import pytest

from rollouts.models import AuditEvent, SavedView
from rollouts.services import views
from tests.markup import flat
from tests.portal.pages import signed_in, words

pytestmark = pytest.mark.django_db
KEPT = {"page": "audit", "name": "Starts", "query": "verb=phase.start&since=2026-11-01"}


def told():
    return list(SavedView.objects.values_list("page", "name", "query"))


def test_a_look_up_is_kept_listed_renamed_and_removed(world):
    world.apply()
    vic = signed_in(world, "vic")
    assert 'name="page" value="audit"' not in words(vic.get("/audit/"))  # nothing to be kept
    query = "verb=plan.apply&since=2026-11-01"
    page = flat(vic.get(f"/audit/?{query}&before="))
    assert f'name="query" value="{query.replace("&", "&amp;")}&amp;before="' in page
    answer = vic.post("/views/", {**KEPT, "query": f"?{query}&before=x&actor="})
    assert (answer.status_code, answer["Location"]) == (303, f"/audit/?{query}")
    page = flat(vic.get(answer["Location"]))
    assert f'<a href="/audit/?{query.replace("&", "&amp;")}" aria-current="true">Starts</a>' in page
    assert "Starts" not in words(vic.get("/"))  # the portfolio has views of its own
    view = SavedView.objects.get()
    assert vic.post(f"/views/{view.pk}/rename/", {"name": " What   began "})["Location"] == f"/audit/?{query}"
    assert told() == [("audit", "What began", query)]
    assert vic.post(f"/views/{view.pk}/remove/")["Location"] == "/audit/"
    assert told() == []
    verbs = AuditEvent.objects.filter(object_type="SavedView").order_by("pk").values_list("verb", "actor")
    assert list(verbs) == [("view.keep", "vic"), ("view.rename", "vic"), ("view.remove", "vic")]


def test_one_name_is_one_look_up_and_one_view_of_the_portfolio(world):
    vic = signed_in(world, "vic")
    for more in ({}, {"query": "verb=phase"}, {"page": "portfolio", "query": "health=drifting"}):
        assert vic.post("/views/", {**KEPT, **more}).status_code == 303
    assert set(told()) == {("audit", "Starts", "verb=phase"), ("portfolio", "Starts", "health=drifting")}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"query": "verb=phase&evil=1"}, "There is no filter «evil» here"),
        ({"query": "sort=title"}, "There is no filter «sort» here"),
        ({"query": "since=tomorrow"}, "tomorrow"),
        ({"query": "rollout=nothing"}, "There is no rollout «nothing»."),
        ({"query": "q=" + "x" * 201}, "200 characters at most"),
        ({"query": "&".join(f"{name}={'é' * 199}" for name in ("request", "q"))}, "too long to be kept"),
        ({"name": " "}, "1 to 60 characters"),
        ({"name": "x" * 61}, "1 to 60 characters"),
        ({"page": "flags"}, "There is no list «flags»"),
    ],
)
def test_what_is_no_look_up_is_refused(world, given, message):
    answer = signed_in(world, "vic").post("/views/", {**KEPT, **given}, follow=True)
    assert message in words(answer)
    assert told() == []
    assert not AuditEvent.objects.filter(verb="view.keep").exists()


def test_there_is_an_end_of_keeping(world):
    vic = signed_in(world, "vic")
    for number in range(views.MOST):
        views.keep(f"{number}", "verb=phase", by=world.actor("vic"), page="audit")
    assert f"You keep {views.MOST} views already" in words(vic.post("/views/", KEPT, follow=True))
    assert vic.post("/views/", {**KEPT, "name": "0"}).status_code == 303  # kept anew
    assert SavedView.objects.count() == views.MOST


def test_nobody_touches_or_finds_that_of_another(world):
    view = views.keep("Mine", "q=Codename", by=world.actor("alice"), page="audit")
    vic, root = signed_in(world, "vic"), signed_in(world, "root")
    for client in (vic, root):
        assert "Mine" not in words(client.get("/audit/", {"verb": "phase"})).partition("</form>")[0]
        for verb in ("rename", "remove"):
            assert client.post(f"/views/{view.pk}/{verb}/", {"name": "x"}).status_code == 404
    views.keep("All", "q=x", by=world.actor("mia"), page="audit", shared=True)
    shared = SavedView.objects.get(name="All")
    assert "All" in words(vic.get("/audit/"))
    assert vic.post(f"/views/{shared.pk}/rename/", {"name": "x"}).status_code == 403
    assert {name for _, name, _ in told()} == {"Mine", "All"}
    assert "Codename" not in words(vic.get("/audit/?verb=view"))  # what an approver looks for may need a role


def test_a_name_that_is_taken_is_refused(world):
    vic = signed_in(world, "vic")
    for name in ("One", "Two"):
        vic.post("/views/", {**KEPT, "name": name})
    one = SavedView.objects.get(name="One")
    assert "You keep another view called Two." in words(
        vic.post(f"/views/{one.pk}/rename/", {"name": "Two"}, follow=True)
    )
    assert vic.get(f"/views/{one.pk}/rename/").status_code == 405
    assert {name for _, name, _ in told()} == {"One", "Two"}
