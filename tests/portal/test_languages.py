"""Pages in the reader's language; what machines read, and what is kept, in English for everybody."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.translation import override

from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, GitLabInstance, GitLabWrite
from rollouts.rules.phrases import say, spoken, unpacked
from rollouts.services import locks, outbox
from rollouts.sync.passes import sync_instance
from tests.portal.pages import words

GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture
def rollout(world):
    world.plan["soak"] = "1d"
    world.up_to("everyone", "active")
    return world.rollout()


@pytest.fixture
def page(client, world):
    client.force_login(world.people["mia"])
    return lambda url, **headers: client.get(url, **headers)


def test_a_page_speaks_the_language_that_the_browser_asks_for(page, rollout):
    address = rollout.get_absolute_url()
    german, english = page(address, **GERMAN), page(address)
    assert '<html lang="de" dir="ltr"' in words(german)
    assert '<html lang="en" dir="ltr"' in words(english)
    assert "1 % muss" in words(german)
    assert "must stand" in words(english)
    assert "must stand" not in words(german)


def test_the_portfolio_speaks_it_too(page, rollout):
    said = words(page("/", **GERMAN))
    assert "Portfolio" in said
    assert "Auf 25 % erhöhen" in said
    assert "Advance to" not in said


def test_programs_get_english_whatever_they_accept(page, rollout):
    answer = page(f"/api/v1/rollouts/{rollout.slug}", **GERMAN)
    assert "must stand" in answer.content.decode()
    assert "muss" not in answer.content.decode()


def test_who_decides_in_german_leaves_history_and_issues_in_english(page, client, rollout):
    address = reverse("portal:transition", args=[rollout.slug, "everyone", "pause"])
    answer = client.post(address, {"reason": "Urlaub"}, follow=True, **GERMAN)
    assert "All users pausiert." in words(answer)
    event = AuditEvent.objects.filter(verb="phase.pause").get()
    assert event.reason == "Urlaub"
    assert event.after["state"] == "paused"
    assert "hat All users pausiert" in words(page("/audit/?verb=phase.pause", **GERMAN))
    assert "paused All users" in words(page("/audit/?verb=phase.pause"))


def test_the_choice_in_the_footer_wins_over_the_browser_and_keeps_the_query(page, client, rollout):
    answer = client.post("/language/", {"language": "de", "next": "/?q=haiku"})
    assert (answer.status_code, answer["Location"]) == (302, "/?q=haiku")
    assert '<html lang="de"' in words(page("/"))
    client.post("/language/", {"language": "en", "next": "/"})
    assert '<html lang="en"' in words(page("/", **GERMAN))


def test_the_choice_leads_to_no_other_site_and_to_no_language_that_there_is_not(client, db):
    assert client.post("/language/", {"language": "de", "next": "https://evil.example/"})["Location"] == "/"
    client.post("/language/", {"language": "xx", "next": "/"})
    assert client.cookies["language"].value == "de"


def test_what_is_wrong_with_a_plan_is_said_in_the_language_of_the_page(page, client, rollout):
    wrong = f"rollout: {rollout.slug}\nmodell: haiku-4-5\nflag:\n  name: use/haiku\n"
    address = reverse("portal:plan", args=[rollout.slug])
    german = words(client.post(address, {"document": wrong}, **GERMAN))
    assert "Zeile 2: `modell` ist kein Schlüssel des Dokuments. War `model` gemeint?" in german
    assert "der Flag-Name «use/haiku» enthält einen Schrägstrich (/)" in german
    english = words(client.post(address, {"document": wrong}))
    assert "line 2: `modell` is not a key of the document. Did you mean `model`?" in english


def test_what_was_kept_is_said_in_the_language_of_whoever_reads_it(page, world, settings):
    settings.GITLAB_WRITES = "flags"
    world.up_to("team", "approved")
    now = world.now().replace(tzinfo=None)
    freeze = {"title": "freeze", "kind": "once", "starts": now - timedelta(hours=1), "ends": now + timedelta(hours=2)}
    locks.add(freeze, by=world.actor("mia"))
    world.do("start", "team", "root", reason="the cure", override=True, confirm="haiku")
    with recorded("instance.add", by=world.actor("root")):
        nowhere = GitLabInstance.objects.create(name="nowhere")
    sync_instance(nowhere, trigger="page")

    german, english = words(page("/sync/", **GERMAN)), words(page("/sync/"))
    assert "use_haiku auf 2 benannte Akteure setzen" in german
    assert "Kein GitLab ist verbunden" in german
    assert "Set use_haiku to 2 named actors" in english
    assert "No GitLab is connected" in english
    address = world.rollout().get_absolute_url()
    assert "Änderungssperre: freeze, bis" in words(page(address, **GERMAN))
    assert "Change lock: freeze, until" in words(page(address))
    kept = AuditEvent.objects.filter(verb="phase.start").get()
    assert "Change lock: freeze" in str(kept.after)


def test_a_sentence_that_is_too_long_for_its_column_is_cut_where_somebody_else_speaks(world, settings):
    settings.GITLAB_WRITES = "issues"
    world.up_to("team", "approved")
    write = outbox.cancel(GitLabWrite.objects.first(), by=world.actor("mia"), reason="x" * 600)
    assert GitLabWrite.objects.get(pk=write.pk).words == f"mia: {'x' * 495}"
    instance = write.instance
    for long in ("y" * 600, 'y"' * 300, "ü\\" * 400):
        with recorded("instance.failed", by=world.actor("mia")):
            instance.flags_words = say("Waits: {words}", words=say("Not done within a day. Last: {words}", words=long))
            instance.save()
        kept = GitLabInstance.objects.get(pk=instance.pk).flags_words
        assert kept.startswith(f"Waits: Not done within a day. Last: {long[:150]}")
        assert kept.endswith("…")
        with override("de"):
            assert spoken(kept).startswith("Wartet: In einem Tag nicht gelungen")


def test_what_somebody_writes_is_no_template(world):
    world.up_to("team", "active")
    for written in ('["{x.__class__}", {"x": "y"}]', '["{x}", {"x": "y"}]', '["'):
        world.do("pause", "team", "mia", reason=written)
        assert world.phase("team").reason == written
        world.do("resume", "team", "mia")
    with pytest.raises(ValueError):
        unpacked(["{x.__class__}", {"x": "y"}])
