"""The history page: in the order of time, on the reader's clock, chosen from what there is; what is hidden is said."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from rollouts.audit.recording import recorded
from rollouts.audit.source import coming_from
from rollouts.models import AuditEvent, SyncRun, TrackedIssue, clock
from rollouts.services import tokens
from rollouts.services.lists.history import HistoryFilter
from tests.api.scripts import Script
from tests.markup import flat
from tests.portal.pages import signed_in, words
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db


@pytest.fixture
def shuffled(world):
    """Events that were written in another order than they happened, as those of the demo are; two at one moment."""
    rollout = world.apply()
    for number, days in enumerate((3, 9, 1, 5, 7, 3, 2)):
        with (
            clock.told_at(world.now() - timedelta(days=days)),
            recorded("demo.told", by=world.actor("mia"), about=rollout, rollout=rollout) as recording,
        ):
            recording.notes = {"number": number}
    return world


def times(response):
    return [
        datetime.fromisoformat(at) for at in re.findall(r'<tr id="event.*?<time datetime="([^"]+)"', words(response))
    ]


def test_events_are_told_in_the_order_of_their_time_at_every_door(shuffled):
    vic, root = signed_in(shuffled, "vic"), signed_in(shuffled, "root")
    shown = times(vic.get("/audit/"))
    assert len(shown) == AuditEvent.objects.count()
    assert shown == sorted(shown, reverse=True)
    assert shown != [event.at for event in AuditEvent.objects.order_by("-pk")]

    _, token = tokens.issue(shuffled.people["vic"], "report", by=shuffled.actor("vic"))
    told = [event["at"] for event in Script(token).every("/audit", limit=2)]
    assert len(told) == AuditEvent.objects.count()
    assert told == sorted(told, reverse=True)

    history = root.get(f"/admin/rollouts/rollout/{shuffled.rollout().pk}/history/")
    ages = [datetime.fromisoformat(at) for at in re.findall(r'<time datetime="([^"]+)"', history.content.decode())]
    listed = [event.at for event in root.get("/admin/rollouts/auditevent/").context["cl"].result_list]
    assert len(ages) >= 7
    for found in (ages, listed):
        assert found == sorted(found, reverse=True)


def test_every_page_of_history_begins_where_the_one_before_ended(shuffled):
    page, seen = HistoryFilter({}).find(2).page, []
    while True:
        seen += page.rows
        if not page.next:
            break
        page = HistoryFilter({"after": page.next}).find(2).page
    assert seen == list(AuditEvent.objects.newest_first())
    back = page.rows
    while page.previous:
        page = HistoryFilter({"after": page.previous}).find(2).page
        back = [*page.rows, *back]
    assert back == seen


def test_times_are_on_the_readers_clock_and_say_whose(world):
    world.apply()
    vic = signed_in(world, "vic")
    vic.cookies["zone"] = "Asia/Kolkata"
    with clock.told_at(datetime.fromisoformat("2026-11-02T20:00:00+00:00")):
        world.apply(title="Claude Haiku, renamed")
    page = words(vic.get("/audit/"))
    assert "01:30:00 IST" in page
    assert " UTC<" not in page
    day = words(vic.get("/audit/", {"since": "2026-11-03", "until": "2026-11-03"}))
    assert "01:30:00 IST" in day
    assert "No event fits" in words(vic.get("/audit/", {"until": "2026-11-02"}))


def test_what_is_looked_for_is_chosen_from_what_there_is(world):
    world.up_to("team", "requested")
    vic = signed_in(world, "vic")
    page = words(vic.get("/audit/", {"verb": "phase.request", "source": "shell"}))
    chosen = dict(re.findall(r'<option value="([^"]*)" (?:selected)?>([^<]*)</option>', page))
    assert set(AuditEvent.objects.values_list("verb", flat=True)) <= set(chosen)
    assert chosen["phase.request"] == "asked for …"
    assert chosen["plan.apply"] == "applied the plan of …"
    assert 'value="phase.request" selected' in page
    assert 'value="shell" selected' in page
    assert '<option value="haiku">Claude Haiku</option>' in page
    assert '<option value="mia">' in page
    assert '<option value="nobody' not in page
    asked_for_nothing = words(vic.get("/audit/", {"verb": "phase.rename"}))
    assert 'value="phase.rename" selected' in asked_for_nothing  # the form says what was asked for


def test_the_choices_take_as_many_queries_for_many_events(world, django_assert_max_num_queries):
    world.up_to("company", "requested")
    vic = signed_in(world, "vic")
    with CaptureQueriesContext(connection) as few:
        vic.get("/audit/")
    for _ in range(4):  # of the same kinds, whose names are read once for each
        world.do("withdraw", "company", "mia")
        world.do("request", "company", "mia")
    with django_assert_max_num_queries(len(few)):
        vic.get("/audit/")


def test_confidential_values_are_shown_to_those_who_may_and_others_are_told_that_there_are(world):
    world.apply()
    world.sync()
    issue = TrackedIssue.objects.get(iid=11)
    with recorded("issue.read", by=world.actor("root"), about=issue, rollout=world.rollout()):
        issue.title = f"{SECRET_TITLE} again"
        issue.save()
    event = AuditEvent.objects.latest("pk")
    assert event.confidential
    assert not event.before
    assert not event.after  # there is nothing else to show of it
    row = f'id="event-{event.pk}"'
    message = "What else is known of it takes a role to see."

    def its_row(name):
        return words(signed_in(world, name).get("/audit/?verb=issue")).partition(row)[2].partition("</tr>")[0]

    assert SECRET_TITLE in its_row("mia")
    assert message not in its_row("mia")
    assert SECRET_TITLE not in its_row("vic")
    assert message in its_row("vic")
    history = words(signed_in(world, "root").get(f"/admin/rollouts/rollout/{world.rollout().pk}/history/"))
    assert SECRET_TITLE in history


def row_of(event, response):
    return flat(response).partition(f'id="event-{event.pk}"')[2].partition("</tr>")[0]


def test_before_and_after_are_a_difference_that_is_read_with_ways_on(world):
    rollout = world.apply_text(world.document().replace("[mia]", "[mia, ann]"))
    changed = world.document(title="Claude Haiku for code").replace("[mia]", "[mia, bob]")
    with coming_from("command", "r-1"):
        world.apply_text(changed)
    vic = signed_in(world, "vic")
    event = AuditEvent.objects.filter(verb="plan.apply").latest("pk")
    answer = vic.get("/audit/", {"verb": "plan.apply"})
    row, page = row_of(event, answer), words(answer)
    assert "<span>Claude Haiku</span><ins>for code</ins>" in row  # words, and only those that are new
    assert "<span>mia,</span><del>ann</del><ins>bob</ins>" in row  # lists, item by item
    day = timezone.localtime(event.at)
    assert f"{day:%A}, {day.day} {day:%b %Y}" in page
    assert "2 events" in page
    for way in (f"?object=Rollout%3A{rollout.pk}", "?request=r-1", "/rollouts/haiku/"):
        assert f'href="{way}"' in row
    found = words(vic.get("/audit/", {"request": "r-1"}))
    assert f'id="event-{event.pk}"' in found
    assert 'name="request" value="r-1"' in found  # the form keeps what a link has asked


def test_an_exposure_is_told_in_words_with_who_is_named(world):
    world.apply()
    for value, where in (
        ("25", {"key": "percentage_of_actors"}),
        ("true", {"feature_group": "acme_team_members"}),
        ("true", {"user": "ann"}),
    ):
        world.gitlab.state.set_feature(FLAG, value, **where)
    world.sync()
    event = AuditEvent.objects.filter(verb="flag.read").latest("pk")
    row = row_of(event, signed_in(world, "vic").get("/audit/", {"verb": "flag.read"}))
    assert "25 % of actors, group acme_team_members and 1 named actor: User:" in row
    assert "percentage_of_actors" not in row
    assert "entered by" not in row  # nothing is told of what was empty and is


def test_what_was_read_leads_to_the_pass_that_read_it_while_that_is_kept(world):
    world.apply()
    world.sync()
    run, vic = SyncRun.objects.latest("pk"), signed_in(world, "vic")
    event = AuditEvent.objects.filter(verb="issue.read").latest("pk")
    address = f"/sync/?pass={run.pk}#pass-{run.pk}"
    assert f'href="{address}"' in row_of(event, vic.get("/audit/"))
    world.sync()  # a newer one, which found nothing new
    page = flat(vic.get(address))
    assert f'<tr id="pass-{run.pk}">' in page
    assert f"Pass {run.pk} and those before" in page
    SyncRun.objects.all().delete()
    assert "/sync/?pass=" not in words(vic.get("/audit/"))
    gone = vic.get(address)
    assert gone.status_code == 422
    assert f"There is no pass {run.pk}, or it is not kept any more." in words(gone)


@pytest.mark.parametrize("number", ["x", "-1", "9" * 30, "\u0661", "0"])
def test_a_pass_or_delivery_that_there_is_not_is_said(world, number):
    vic = signed_in(world, "vic")
    for kind in ("pass", "delivery"):
        answer = vic.get("/sync/", {kind: number})
        assert answer.status_code == 422
        assert f"There is no {kind} " in words(answer)


def test_what_is_kept_by_number_is_told_by_name_and_leads_there(world):
    rollout = world.apply()
    page = signed_in(world, "vic").get("/audit/?verb=plan.apply").content.decode()
    flag, model = rollout.flag, rollout.ai_model
    for url, name in ((f"/flags/{flag.pk}/", flag.name), (f"/models/{model.slug}/", str(model))):
        links = re.findall(rf'href="{re.escape(url)}"\s*>(.*?)</a></ins>', page, re.S)
        assert any(name in re.sub(r"<[^>]+>", "", link) for link in links), url


def test_the_names_of_many_events_take_as_many_queries(world):
    def asked():
        browser = signed_in(world, "vic")
        with CaptureQueriesContext(connection) as captured:
            browser.get("/audit/?verb=plan.apply")
        return len(captured)

    world.apply()
    few = asked()
    for number in range(4):
        world.apply(slug=f"other-{number}", title=f"Other {number}", flag=f"use_{number}")
    assert asked() == few


def test_lengths_and_who_must_approve_are_told_in_words(world):
    world.up_to("team", "requested")
    page = flat(signed_in(world, "vic").get("/audit/"))
    assert "1 approval by approvers, within" in page
    assert not re.search(r"\d+\.0 ?</(ins|del)>", page)
    assert "requester_may" not in page
    assert "is_start" not in page


def test_a_mapping_is_told_in_lines_and_only_what_changed_is_marked(world):
    metrics = "\nguard_metrics: {{p95_latency: {{at_most: {bound}, unit: ms}}, acceptance: {{at_least: 0.25}}}}\n"
    world.apply_text(world.document() + metrics.format(bound=400))
    world.apply_text(world.document() + metrics.format(bound=350))
    page = signed_in(world, "vic").get("/audit/?verb=plan.apply").content.decode()
    texts = [re.sub(r"<[^>]+>", "", part).strip() for part in re.findall(r"<(?:del|ins)>.*?</(?:del|ins)>", page, re.S)]
    assert "p95 latency · at most: 400" in texts
    assert "p95 latency · at most: 350" in texts
    assert "acceptance · at least: 0.25" not in texts  # it stayed
    assert not [text for text in texts if "{" in text]
