"""Waivers: who may ask, who may grant, until when; what has run out blocks again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command

from rollouts.models import AuditEvent, ChecklistItem, Notice, PlanTemplate, Waiver
from rollouts.rules.document import DocumentRefused
from rollouts.rules.machine import Role
from rollouts.rules.template_document import parse_template
from rollouts.services import as_of, checklist, due, notices, period_report, reports, waivers
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db
WAIVABLE = "considerations"


def unconfirm(world, key=WAIVABLE):
    item = ChecklistItem.objects.get(rollout=world.rollout(), key=key)
    checklist.unconfirm(item, by=world.actor("mia"), reason="it was wrong")


def start_blockers(world, name="team"):
    return refused(world.do, "start", name, "mia").codes


def test_a_phase_is_skipped_on_a_waiver_that_somebody_else_granted(world):
    world.apply()
    waiver = world.waive("team", granted=False)
    assert refused(world.do, "skip", "team", "mia", reason="x").codes == {"waiver_missing"}
    assert refused(waivers.decide, "grant", waiver, by=world.actor("mia")).codes >= {"role", "four_eyes"}
    waivers.decide("grant", waiver, by=world.actor("alice"))
    assert world.do("skip", "team", "mia", reason="x").state == "skipped"
    verbs = AuditEvent.objects.filter(verb__in=["waiver.ask", "waiver.grant", "phase.skip"]).order_by("pk")
    assert list(verbs.values_list("verb", "actor")) == [
        ("waiver.ask", "mia"), ("waiver.grant", "alice"), ("phase.skip", "mia"),
    ]  # fmt: skip


def test_who_asks_never_grants_whatever_role_they_have(world):
    world.apply()
    waiver = world.waive("team", granted=False, by="root")
    for verb in ("grant", "refuse"):
        assert refused(waivers.decide, verb, waiver, by=world.actor("root"), note="x").codes == {"four_eyes"}
    assert Waiver.objects.get().state == "asked"


@pytest.mark.parametrize(
    ("days", "reason", "code"), [(-1, "x", "waiver_end"), (91, "x", "waiver_end"), (None, "x", "waiver_end"),
                                 (9, " ", "reason_missing")]
)  # fmt: skip
def test_a_waiver_has_a_reason_and_an_end_that_the_template_allows(world, days, reason, code):
    world.apply()
    ends_at = None if days is None else world.now() + timedelta(days=days)
    what = waivers.named(world.rollout(), "team")
    assert refused(waivers.ask, what, by=world.actor("mia"), reason=reason, ends_at=ends_at).codes == {code}
    assert not Waiver.objects.exists()


def test_only_what_the_template_lets_go_can_be_waived(world):
    world.up_to("team", "planned")
    for phase, item in (("company", ""), ("everyone", ""), ("", "rollout_plan"), ("everyone", "announcement")):
        what = waivers.named(world.rollout(), phase, item)
        answer = refused(waivers.ask, what, by=world.actor("mia"), reason="x", ends_at=world.now() + timedelta(days=1))
        assert "not_waivable" in answer.codes, (phase, item)


def test_whoever_the_template_names_grants_it_and_nobody_else(world):
    template = PlanTemplate.objects.get(slug="code_suggestions")
    parsed = parse_template(template.document.replace("waivable: {roles: [approver], longest: 90d}",
                                                      "waivable: {roles: [admin], longest: 2d}"))  # fmt: skip
    rule = parsed.waivable("team")
    assert (rule.roles, rule.longest) == (frozenset({Role.ADMIN}), timedelta(days=2))
    world.apply()
    waiver = world.waive("team", granted=False)
    for name in ("vic", "mia"):
        assert "role" in refused(waivers.decide, "grant", waiver, by=world.actor(name)).codes


def test_without_an_item_a_phase_starts_while_its_waiver_stands(world, time_machine):
    world.up_to("team", "approved")
    unconfirm(world)
    assert world.phase("team").state == "requested"  # what was approved has changed
    world.approve("team")
    assert start_blockers(world) == {"item_open"}
    world.waive("", WAIVABLE, days=2)
    world.approve("team")
    assert world.do("start", "team", "mia").state == "active"


def test_a_waiver_that_has_run_out_blocks_the_start_again_and_voids_what_rested_on_it(world, time_machine):
    world.up_to("team", "planned")
    unconfirm(world)
    waiver = world.waive("", WAIVABLE, days=2)
    world.confirm("team")
    world.do("request", "team", "mia")
    world.approve("team")
    assert world.phase("team").state == "approved"
    world.let_pass(time_machine, days=2, minutes=1)
    due.work()
    assert Waiver.objects.get(pk=waiver.pk).state == "expired"
    assert world.phase("team").state == "requested"
    event = AuditEvent.objects.get(verb="waiver.expire")
    assert (event.actor_kind, event.rollout) == ("job", world.rollout())
    world.approve("team")
    assert start_blockers(world) == {"item_open"}
    world.waive("", WAIVABLE, days=2)
    world.approve("team")
    assert world.do("start", "team", "mia").state == "active"


def test_it_blocks_from_the_very_moment_of_its_end_whether_a_job_ran_or_not(world, time_machine):
    world.up_to("company", "planned")
    unconfirm(world)
    world.waive("", WAIVABLE, days=2)
    world.confirm("company")
    world.do("request", "company", "mia")
    world.approve("company")
    time_machine.move_to(Waiver.objects.get().ends_at)
    assert "item_open" in {b.code for b in world_blockers(world, "start", "company")}


def world_blockers(world, verb, phase):
    from rollouts.rules import guards

    return guards.standing_in_the_way(verb, world.facts(), world.facts().phase(phase))


def test_what_was_begun_without_an_item_goes_no_further_once_the_waiver_is_over(world, time_machine):
    world.up_to("everyone", "planned")
    unconfirm(world)
    waiver = world.waive("", WAIVABLE, days=2)
    world.up_to("everyone", "active")
    assert "waiver_over" not in {b.code for b in world_blockers(world, "advance", "everyone")}
    waivers.decide("end", waiver, by=world.actor("alice"), note="we need it now")
    blockers = {b.code: b.message for b in world_blockers(world, "advance", "everyone")}
    assert "its waiver ended" in blockers["waiver_over"]
    assert "waiver_over" in refused(world.do, "advance", "everyone", "mia").codes
    world.confirm()
    world.do("advance", "everyone", "mia")


def test_a_phase_that_was_skipped_on_a_waiver_that_is_over_holds_the_next_ones(world, time_machine):
    world.apply()
    world.sync()
    world.confirm()
    world.skip("team")
    world.up_to("company", "approved")
    world.let_pass(time_machine, days=31)
    due.work()
    world.up_to("company", "requested")
    assert "waiver_over" in {b.code for b in world_blockers(world, "start", "company")}
    world.waive("team", days=20)
    assert "waiver_over" not in {b.code for b in world_blockers(world, "start", "company")}


def test_one_that_nobody_granted_in_time_is_granted_no_more(world, time_machine):
    world.apply()
    waiver = world.waive("team", days=1, granted=False)
    time_machine.move_to(waiver.ends_at)
    assert refused(waivers.decide, "grant", waiver, by=world.actor("alice")).codes == {"waiver_end"}
    waivers.decide("withdraw", waiver, by=world.actor("mia"))


def test_the_same_is_asked_for_once_and_decided_once(world):
    world.apply()
    waiver = world.waive("team", granted=False)
    what = waivers.named(world.rollout(), "team")
    again = refused(waivers.ask, what, by=world.actor("mia"), reason="x", ends_at=world.now() + timedelta(days=1))
    assert again.codes == {"another_waiver"}
    assert refused(waivers.decide, "refuse", waiver, by=world.actor("alice")).codes == {"reason_missing"}
    waivers.decide("refuse", waiver, by=world.actor("alice"), note="no")
    for verb in ("grant", "refuse", "withdraw"):
        assert "state" in refused(waivers.decide, verb, waiver, by=world.actor("sam"), note="x").codes
    assert Waiver.objects.get().note == "no"


def test_people_are_told_and_asked_no_more_once_it_is_decided(world):
    world.apply()
    waiver = world.waive("team", granted=False)
    notices.work()

    def told(verb):
        return {n.person.username for n in Notice.objects.filter(event__verb=verb, dropped=False)}

    assert told("waiver.ask") == {"alice", "sam", "root"}
    waivers.decide("grant", waiver, by=world.actor("alice"))
    notices.work()
    assert (told("waiver.ask"), told("waiver.grant")) == (set(), {"mia"})


def test_the_reports_tell_of_it_and_so_does_how_it_was(world, time_machine):
    world.apply()
    before = world.now()
    time_machine.move_to(before + timedelta(minutes=1))
    world.skip("team")
    (told,) = reports.of_rollout("haiku", world.now()).as_json()["waivers"]
    assert (told["asked_by"], told["decided_by"], told["phase"], told["state"]) == ("mia", "alice", "team", "granted")
    figure = {one.name: one for one in period_report.of_period(before, world.now() + timedelta(days=1)).figures}
    assert (figure["waivers"].count, figure["waivers"].rows[0]["rollout"]) == (1, "haiku")
    assert as_of.of("haiku", before).facts.phase("team").waiver is None
    past = as_of.of("haiku", world.now())
    assert past.facts.phase("team").waiver.stands(world.now())
    assert [one.asked_by for one in past.rollout.waivers.all()] == ["mia"]
    assert (past.facts.phases, past.facts.items) == (world.facts().phases, world.facts().items)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("optional: true", "", "only an optional phase can be waived"),
        ("kind: manual\n    guide: G4", "kind: flag\n    guide: G4", "can't be waived: an admin overrides it"),
        ("guide: G4\n", "guide: G4\n    required: false\n", "what is not required needs no waiver"),
        ("waivable: {roles: [approver], longest: 90d}", "waivable: {roles: []}", "nobody could grant it"),
        ("longest: 90d", "longest: 20m", "an hour at least"),
    ],
)
def test_a_template_that_lets_go_what_it_can_t_is_refused_in_words(world, old, new, words):
    document = PlanTemplate.objects.get(slug="code_suggestions").document
    assert old in document
    with pytest.raises(DocumentRefused) as wrong:
        parse_template(document.replace(old, new, 1))
    assert words in str(wrong.value)


def test_the_command_asks_lists_and_decides_and_tries_without_doing(world, capsys, settings):
    world.apply()
    until = f"{world.now() + timedelta(days=9):%Y-%m-%d}"
    ask = ["waiver", "ask", "haiku", "--phase", "team", "--until", until, "--reason", "small", "--as", "mia"]
    call_command(*ask, "--dry-run")
    assert not Waiver.objects.exists()
    call_command(*ask, "--json")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["ok"], told["state"], told["may"]["withdraw"]) == (True, "asked", [])
    with pytest.raises(SystemExit):
        call_command("waiver", "grant", str(told["id"]), "--as", "alice", "--json")
    assert json.loads(capsys.readouterr().out)["blockers"][0]["code"] == "in_anothers_name"
    settings.COMMAND_MAY_APPROVE = True
    with pytest.raises(SystemExit):
        call_command("waiver", "grant", str(told["id"]), "--as", "mia")
    call_command("waiver", "grant", str(told["id"]), "--as", "alice")
    call_command("waiver", "list", "--state", "stands", "--json")
    (one,) = json.loads(capsys.readouterr().out.splitlines()[-1])["items"]
    assert (one["decided_by"], one["stands"]) == ("alice", True)
