"""A question has one answer: page, admin, API and command say it word by word, in worlds that are tricky."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from rollouts.models import AuditEvent
from rollouts.portal.presenters.timeline import at
from rollouts.rules.blockers import in_words
from rollouts.rules.exposure import Exposure
from rollouts.services import locks, readings, tokens
from tests.markup import flat
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
HERE = "/rollouts/haiku/"


# Who is in


@pytest.mark.parametrize(
    "gates",
    [
        [("boolean", True)],
        [("boolean", True), ("actors", ["User:42:opt_out"])],
        [("percentage_of_actors", 25), ("actors", ["User:42"])],
        [("percentage_of_actors", 0.001), ("groups", ["acme_team_members"])],
        [("percentage_of_actors", 99.5)],
        [],
    ],
)
def test_who_is_in_and_why_is_said_in_the_same_words(world, doors, gates):
    world.apply()
    world.gitlab.fail(status=403, path="/features")  # so that a reading by hand is what is known
    world.sync()
    flag = world.rollout().flag
    readings.enter(flag, Exposure.from_gates(gates), by=world.actor("mia"), evidence="seen")
    same_words_of(doors("vic"), flag, {}, ["42", "User:7", "user:ann", "nobody", "<x>"])


@pytest.mark.parametrize("stickiness", ["userId", "sessionId"])
def test_so_it_is_of_a_projects_flag_however_it_is_spread(world, doors, stickiness):
    """By session the id decides nothing, and nobody is told a percentage as if it did."""
    world.gitlab.state.add_project_flag(
        "acme/app",
        "of_project",
        strategies=[
            {
                "name": "flexibleRollout",
                "parameters": {"groupId": "gr", "rollout": "40", "stickiness": stickiness},
                "scopes": [{"environment_scope": "production"}],
            }
        ],
    )
    world.apply(flag="of_project, project: acme/app, environment: production")
    world.sync()
    flag = world.rollout().flag
    which = {"project": "acme/app", "environment": "production"}
    told = same_words_of(doors("vic"), flag, which, ["42", "7", "a b"])
    if stickiness == "sessionId":
        assert all("40 %" not in why for why in told)


def same_words_of(vic, flag, which, asked):
    """The sentences, which page, list, sheet and API have to tell alike."""
    there = f"/flags/{flag.pk}/"
    listed = vic.press(f"{there}who/", actors="\n".join(asked)).context["answers"]
    sheet = csv.DictReader(
        io.StringIO(vic.press(f"{there}who/", actors="\n".join(asked), **{"as": "csv"}).content.decode())
    )
    told = []
    for written, one, row in zip([part for text in asked for part in text.split()], listed, sheet, strict=True):
        page = vic.page(there, {"actor": written}).context["answer"]
        api = vic.api(f"/flags/{flag.name}/includes", {**which, "actor": written})
        assert page == one
        assert (row["actor"], row["in"], row["why"]) == (page.actor, page.verdict, page.wrong or page.why)
        if page.wrong:
            assert api["detail"] == page.wrong
        else:
            assert (api["actor"], api["included"]) == (page.actor, page.inside)
            assert re.sub(r" ?\(GitLab as of .*\)$", "", api["why"]) == page.why
            told.append(page.why)
    return told


# When what is to come may begin


def test_every_page_tells_the_same_date_whatever_locks_there_are(world, doors):
    """The plan's page looked past locks, the rollout's past all but sixty."""
    world.plan["soak"] = "2d"
    world.up_to("everyone", "active")
    soon = world.now().replace(tzinfo=None, microsecond=0)

    def lock(title, starts, ends):
        when = {"starts": soon + timedelta(days=starts), "ends": soon + timedelta(days=ends)}
        locks.add({"title": title, "kind": "once", **when}, by=world.actor("mia"))

    lock("Freeze", 1, 6)
    for number in range(61):
        lock(f"Later {number}", 30 + number, 30.5 + number)
    mia = doors("mia")
    rollout, plan = mia.page(HERE).context["page"].ramp, mia.page(f"{HERE}plan/").context["ramp"]
    assert plan.rows == rollout.rows
    coming = [row.at for row in rollout.rows if not row.is_past]
    assert coming[0] >= world.now() + timedelta(days=5)
    (row,) = mia.page("/timeline/", {"zoom": "quarter"}).context["rows"]
    steps = ", ".join(line.steps for line in row.lines)
    for step in rollout.rows[1:]:
        assert f"{step.percentage} % {at(step.at)}" in steps


def test_a_plan_that_is_written_is_told_the_dates_that_it_has_once_it_is_made(world, doors, time_machine):
    time_machine.move_to(world.now(), tick=False)
    soon = world.now().replace(tzinfo=None)
    world.apply(slug="first", flag="first_flag")
    freeze = {"starts": soon + timedelta(hours=1), "ends": soon + timedelta(days=3)}
    locks.add({"title": "Freeze", "kind": "once", **freeze}, by=world.actor("mia"))
    mia = doors("mia")
    document = world.document(soak="1d")
    written = mia.press("/rollouts/new/check/", document=document).context["prospect"]
    world.apply_text(document)
    made = mia.page(HERE).context["page"].ramp
    stages = [stage.at for stage in written.stages if "%" in stage.who]
    assert [row.at for row in made.rows if row.at > world.now()] == [at for at in stages if at]
    assert stages[-1] > world.now() + timedelta(days=3)


def test_how_long_a_step_must_stand_is_one_answer(world, doors):
    """Of the last step the preview and the admin told its own soak, which nothing waits for."""
    document = world.document(soak="2d").replace("final_soak: 2d", "final_soak: 5d")
    mia = doors("mia")
    written = mia.press("/rollouts/new/check/", document=document).context["prospect"]
    world.apply_text(document)
    soaks = [in_words(row.soak) for row in mia.page(HERE).context["page"].ramp.rows]
    assert soaks == ["2 d", "2 d", "5 d"]
    assert [stage.waits for stage in written.stages if "%" in stage.who] == [f"stands {soak}" for soak in soaks]
    admin = mia.page(f"/admin/rollouts/rollout/{world.rollout().pk}/change/").context
    assert [step.soak for step in admin["sections"][-1].steps] == soaks


# How long it has stood, how fresh


def test_what_nobody_read_is_no_soak_on_any_page(world, doors, time_machine):
    world.plan["soak"] = "1h"
    world.up_to("everyone", "active")
    time_machine.move_to(world.now() + timedelta(minutes=40))
    mia = doors("mia")
    page = mia.page(HERE).context["page"]
    stood = re.search(r"(?:stood|read for) ([^·]*?) of 1.h", page.stations[-1].words)[1]
    (row,) = mia.page("/").context["groups"][0].rows
    assert f"stood {stood} of 1 h" in row.details
    assert row.health == page.health.health == mia.api("/rollouts/haiku")["health"] == "stale"


@pytest.mark.parametrize("read", ["never", "lately", "long ago", "by hand"])
def test_what_is_stale_is_stale_at_every_door(world, doors, time_machine, read):
    world.apply()
    if read == "by hand":
        world.gitlab.fail(status=403, path="/features")
        world.sync()
        readings.enter(world.rollout().flag, Exposure(), by=world.actor("mia"), evidence="seen")
    elif read != "never":
        world.sync()
    if read == "long ago":
        time_machine.move_to(world.now() + timedelta(hours=1))
    vic, flag = doors("vic"), world.rollout().flag
    page = vic.page(HERE).context["page"]
    told = {
        page.facts.is_stale,
        page.health.health == "stale",
        vic.page(f"/flags/{flag.pk}/").context["shown"].row.is_stale,
        vic.api(f"/flags/{FLAG}")["is_stale"],
        vic.api(f"/flags/{FLAG}/includes", {"actor": "42"})["is_stale"],
        vic.api("/rollouts/haiku")["health"] == "stale",
        next(iter(vic.page("/flags/").context["rows"])).is_stale,
    }
    assert told == {read in ("never", "long ago")}


def test_where_reading_has_a_hole_is_one_answer(world, doors, time_machine):
    """The flag's page drew a line through a night in which nobody knew; flag, rollout and soak tell the same."""
    world.up_to("everyone", "active")
    start, vic = world.now(), doors("vic")

    def holes_told():
        flag = vic.page(f"/flags/{world.rollout().flag.pk}/").context["shown"].readings
        rollout = [band.words for band in vic.page(HERE).context["page"].chart.gaps][1:]  # before the first reading
        flag_gaps = [gap.words for gap in flag.gaps]
        assert len(flag.paths) == len(flag_gaps) + (flag_gaps[-1:] != ["not read since: not known"])
        return rollout, flag_gaps

    time_machine.move_to(start + timedelta(hours=2))
    world.sync()
    world.gitlab.fail(status=403, path="/features")
    time_machine.move_to(start + timedelta(hours=3))
    world.sync()
    readings.enter(world.rollout().flag, world.rollout().flag.latest.exposure, by=world.actor("mia"), evidence="seen")
    time_machine.move_to(start + timedelta(hours=4))
    rollout, flag = holes_told()
    assert (len(rollout), flag[:-1], flag[-1]) == (2, rollout[:-1], "not read since: not known")
    world.gitlab.heal()
    world.sync()
    rollout, flag = holes_told()
    assert (len(rollout), flag) == (2, rollout)
    unread = world.phase("everyone").unread
    assert abs(unread - timedelta(hours=3, minutes=55)) < timedelta(minutes=1)


# What may be done


def offered_at_every_door(one, pk):
    """What page, admin and API offer, with words and blockers; the admin's own page of a phase says the same."""
    page = one.page(HERE).context["page"]
    offered = [*page.actions, *page.roll_backs, *page.rollout_actions]
    admin = one.page(f"/admin/rollouts/rollout/{pk}/change/").context
    if admin and "sections" in admin:
        buttons = [*admin["buttons"], *(button for part in admin["sections"] for button in part.buttons)]
        assert {button.offer for button in buttons} >= set(offered)
        for part in admin["sections"][1:]:
            mine = one.page(f"/admin/rollouts/phase/{part.phase.pk}/change/").context["buttons"]
            assert mine == list(part.buttons)
            is_current = page.facts.current and part.phase.name == page.facts.current.name
            here = {button.offer for button in mine if is_current or button.offer.verb == "roll_back"}
            assert here == {offer for offer in offered if offer.phase == part.phase.name}
    by_verb = {(offer.phase, offer.verb): [blocker.message for blocker in offer.blockers] for offer in offered}
    for phase in one.api("/rollouts/haiku")["phases"]:
        told = {}
        for blocker in phase["blockers"]:
            told.setdefault((phase["name"], blocker["verb"]), []).append(blocker["message"])
        assert len(told) < 2
        assert all(by_verb[key] == messages for key, messages in told.items() if key in by_verb)
        if page.next.phase == phase["name"]:
            assert {verb for _phase, verb in told} <= {page.next.verb}
    return {offer.verb: offer for offer in offered}


def test_what_may_be_done_is_one_answer_at_every_door(world, doors):
    """The admin offered what the page knew to make no sense, paused without a reason, and called a step by no number."""
    world.plan["soak"] = "2d"
    world.apply()
    world.sync()
    pk, mia, root, vic = world.rollout().pk, doors("mia"), doors("root"), doors("vic")
    assert offered_at_every_door(vic, pk) == {}
    assert set(offered_at_every_door(mia, pk)) == {"request", "skip", "abandon"}
    world.confirm()
    world.up_to("team", "requested")
    assert set(offered_at_every_door(doors("alice"), pk)) == {"approve", "reject"}
    assert set(offered_at_every_door(mia, pk)) == {"withdraw", "abandon"}
    world.up_to("everyone", "active")
    told = offered_at_every_door(mia, pk)
    assert set(told) == {"advance", "pause", "roll_back"}
    assert told["pause"].needs_reason
    assert told["advance"].label.startswith("Advance to ")
    assert told["advance"].blockers
    assert not told["advance"].may_override
    assert offered_at_every_door(root, pk)["advance"].may_override
    mia.press(f"{HERE}phases/everyone/pause/", reason="lunch")
    assert set(offered_at_every_door(mia, pk)) == {"resume", "roll_back"}
    mia.press(f"{HERE}phases/everyone/roll_back/", reason="slow")
    assert set(offered_at_every_door(mia, pk)) == {"retry", "roll_back"}


# A refusal and its status


def test_a_refusal_has_the_same_words_and_status_at_every_door(world, doors):
    world.apply()
    world.sync()
    world.do("request", "team", "mia")
    world.approve("team")
    for who, verb, status in (
        ("mia", "start", 409),
        ("vic", "withdraw", 403),
        ("mia", "skip", 409),
        ("vic", "pause", 409),
    ):
        one, phase = doors(who), world.phase("team")
        page = one.press(f"{HERE}phases/team/{verb}/")
        admin = one.press(f"/admin/rollouts/phase/{phase.pk}/transition/{verb}/")
        api = one.script.post(f"/rollouts/haiku/phases/team/{verb}")
        command, exit_code = one.command("transition", "haiku", "team", verb)
        assert [words for words, _url in page.context["refused"]] == [b["message"] for b in command["blockers"]]
        assert api.json()["blockers"] == command["blockers"]
        assert [url for _words, url in page.context["refused"]] == [b["url"] for b in command["blockers"]]
        assert (page.status_code, api.status_code, exit_code) == (status, status, 1)
        if who == "mia":
            assert [words for words, _url in admin.context["refused"]] == [b["message"] for b in command["blockers"]]
            assert admin.status_code == status


@pytest.mark.parametrize(
    ("who", "path", "form", "status", "words"),
    [
        ("mia", "/views/", {"name": " ", "query": "q=x"}, 422, "Give the view a name"),
        ("vic", "/views/", {"name": "All", "query": "q=x", "shared": "yes"}, 403, "takes the role manager"),
        ("mia", "/account/tokens/{token}/revoke/", {}, 409, "was revoked already"),
        ("mia", "/locks/", {"title": "x", "kind": "once", "zone": "UTC"}, 422, "Say when the lock starts"),
        ("vic", "/locks/", {"title": "x", "kind": "once", "zone": "UTC", "starts": "2030-01-01T00:00",
                            "ends": "2030-01-02T00:00"}, 403, "takes the role manager"),
        ("mia", "/locks/{lock}/end/", {}, 409, "needs a reason"),
        ("mia", "/locks/calendars/", {"name": "x", "url": "https://elsewhere.example/x.ics"}, 409, "the role admin"),
        ("root", "/locks/calendars/", {"name": "x", "url": "https://elsewhere.example/x.ics"}, 422, "allowed hosts only"),
        ("mia", "/flags/{flag}/readings/", {"percentage": "5"}, 409, "Evidence is missing"),
        ("mia", "/flags/{flag}/readings/", {"percentage": "many", "evidence": "x"}, 422, "Write a number"),
        ("vic", "/flags/{flag}/readings/", {"percentage": "5", "evidence": "x"}, 403, "takes the role manager"),
        ("vic", "/rollouts/new/", {}, 403, "takes the role manager"),
        ("vic", "/rollouts/new/check/", {}, 403, "takes the role manager"),
        ("vic", "/rollouts/haiku/plan/", {"document": "x"}, 403, "takes the role manager"),
        ("vic", "/sync/now/", {}, 403, "takes the role manager"),
        ("mia", "/rollouts/haiku/phases/team/start/", {}, 409, "needs it approved"),
        ("mia", "/rollouts/haiku/metrics/none/", {"value": "1"}, 409, "The plan bounds no none"),
    ],
)  # fmt: skip
def test_a_page_refuses_in_one_way(world, doors, who, path, form, status, words):
    """Some pages sent one back to where one came from, with a sentence that the next click forgot, and 303."""
    world.apply()
    world.gitlab.fail(status=403, path="/features")
    world.sync()
    soon = world.now().replace(tzinfo=None) + timedelta(days=2)
    inputs = {"title": "Freeze", "kind": "once", "starts": soon, "ends": soon + timedelta(days=1)}
    lock = locks.add(inputs, by=world.actor("mia"))
    token = tokens.issue(world.people["mia"], "report", world.actor("mia"))[0]
    tokens.revoke(token, world.actor("mia"))
    browser, address = doors(who).browser, path.format(lock=lock.pk, token=token.pk, flag=world.rollout().flag.pk)
    count = AuditEvent.objects.count()
    for how in ({}, {"HX-Request": "true"}):
        answer = browser.post(address, form, headers=how)
        assert answer.status_code == status
        page = flat(answer)
        assert words in page
        assert "othing was changed" in page
        assert 'role="alert"' in answer.content.decode() or "code num" in answer.content.decode()
    assert AuditEvent.objects.count() == count


def test_a_plan_that_can_not_be_applied_now_is_409_and_one_that_is_none_422(world, doors):
    world.up_to("team", "active")
    changed, wrong = world.document(flag="other_flag"), world.document(steps="[9, 1]")
    mia = doors("mia")
    for text, status in ((changed, 409), (wrong, 422), (world.document(slug="other"), 422)):
        page = mia.press(f"{HERE}plan/", document=text)
        api = mia.script.put("/rollouts/haiku/plan", text)
        assert (page.status_code, api.status_code) == (status, status)
        if status == 409:
            assert page.context["refused"] == [(b["message"], b["url"]) for b in api.json()["blockers"]]
        else:
            told = [(fault.message, fault.line or None) for fault in page.context["faults"]]
            assert told == [(one["message"], one["line"]) for one in api.json()["errors"]]


# A checklist item and an issue as this person may see them


def items_at_every_door(one, pk):
    """What page, admin and API say of each item, and what may be done to it; they have to say the same."""
    shown = one.page(HERE).context["page"].sections
    page = [item for part in shown for item in part.items]
    api = one.api("/rollouts/haiku/items")["items"]
    admin = one.page(f"/admin/rollouts/rollout/{pk}/change/").context
    told = [
        (item.key, item.phase or None, item.ok, item.words, item.may_confirm, item.may_undo, item.waits)
        for item in page
    ]
    names = ("key", "phase", "done", "words", "may_confirm", "may_unconfirm", "waits")
    assert sorted(map(str, told)) == sorted(str(tuple(item[name] for name in names)) for item in api)
    issues = {item.key: item.issue.title for item in page if item.issue}
    assert issues == {item["key"]: item["issue"]["title"] for item in api if item["issue"]}
    if admin and "sections" in admin:
        assert {part.checklist for part in admin["sections"] if part.checklist} == set(shown)
        listed = one.page("/admin/rollouts/trackedissue/").context["cl"].result_list
        issues_shown = {issue.shown.url: issue.shown for issue in listed}
        assert all(issues_shown[item.issue.url] == item.issue for item in page if item.issue)
    return {item.key: item for item in page}


def test_an_item_is_the_same_and_may_be_the_same_at_every_door(world, doors):
    """Before it can be known, after, past its phase, rolled back and tried again; for who may and who may not."""
    world.apply()
    world.sync()
    pk = world.rollout().pk
    mia, vic, alice = doors("mia"), doors("vic"), doors("alice")
    told = items_at_every_door(mia, pk)
    assert told["considerations"].may_confirm
    assert told["team_feedback"].waits
    assert not items_at_every_door(vic, pk)["considerations"].may_confirm
    world.confirm()
    assert items_at_every_door(mia, pk)["considerations"].may_undo
    assert not items_at_every_door(alice, pk)["considerations"].may_undo
    assert "confidential issue" in {item.issue.title for item in items_at_every_door(vic, pk).values() if item.issue}
    world.up_to("team", "completed")
    assert not items_at_every_door(mia, pk)["team_feedback"].may_undo
    world.do("roll_back", "team", "mia", reason="slow")
    items_at_every_door(mia, pk)
    world.do("retry", "team", "mia")
    assert items_at_every_door(mia, pk)["team_feedback"].confirmed_by == ""
    mia.script.post("/rollouts/haiku/phases/rollout/abandon", {"reason": "enough"})
    assert not any(item.may_confirm or item.may_undo for item in items_at_every_door(mia, pk).values())


def test_confirming_is_refused_in_the_same_words_at_every_door_and_done_at_each(world, doors):
    world.apply()
    world.sync()
    mia, vic, rollout = doors("mia"), doors("vic"), world.rollout()
    for one, key, verb, status in (
        (mia, "considerations", "confirm", 409),
        (mia, "capacity", "confirm", 409),
        (mia, "considerations", "unconfirm", 409),
        (vic, "team_feedback", "confirm", 409),
    ):
        row = rollout.items.get(key=key)
        undo = {"undo": "1"} if verb == "unconfirm" else {}
        page = one.press(f"{HERE}items/{row.pk}/", **undo)
        api = one.script.post(f"/rollouts/haiku/items/{key}/{verb}")
        command, exit_code = one.command("item", "haiku", key, verb)
        assert (page.status_code, api.status_code, exit_code) == (status, status, 1)
        assert not command["ok"]
        assert api.json()["blockers"] == command["blockers"]
        assert page.context["refused"] == [(b["message"], b["url"]) for b in command["blockers"]]
    told, exit_code = mia.command("item", "haiku", "considerations", "confirm", "--evidence", "https://wiki/x")
    assert (exit_code, told["ok"], told["confirmed"]) == (0, True, True)
    row = rollout.items.get(key="considerations")
    assert (row.confirmed_by, row.evidence) == ("mia", "https://wiki/x")
    event = AuditEvent.objects.filter(verb__startswith="item.").latest("pk")
    assert (event.verb, event.actor, event.source) == ("item.confirm", "mia", "command")
    answer = mia.script.post("/rollouts/haiku/items/considerations/unconfirm", {"reason": "wrong link"})
    assert answer.status_code == 200
    assert not next(item for item in answer.json()["items"] if item["key"] == "considerations")["done"]


@pytest.mark.parametrize(
    "arguments", [("other", "capacity"), ("haiku", "nothing"), ("haiku", "capacity", "--phase", "team")]
)
def test_an_item_that_there_is_not_is_wrong_use(world, doors, arguments):
    world.apply()
    slug, key, *more = arguments
    words, exit_code = doors("mia").command("item", slug, key, "confirm", *more)
    assert exit_code == 2
    assert "There is no rollout other." in words or "has no such item" in words
    body = {"evidence": "x", **({"phase": "team"} if more else {})}
    assert doors("mia").script.post(f"/rollouts/{slug}/items/{key}/confirm", body).status_code == 404


def test_what_a_page_offers_of_a_write_is_what_the_service_takes(world, doors, settings):
    settings.GITLAB_WRITES = "issues"
    world.up_to("team", "requested")
    mia = doors("mia")
    for verb, status in (("again", 409), ("cancel", 303), ("cancel", 409), ("again", 409)):
        write = mia.page(HERE).context["page"].writes[0]
        assert doors("vic").page(HERE).context["page"].writes[0].offered == []
        assert (verb in write.offered) == (status == 303)
        assert mia.press(reverse("portal:outbox", args=[write.pk, verb]), reason="by hand").status_code == status
