"""Away, and somebody else instead: asked, told and shown; with nobody's rights but their own."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from rollouts.models import Absence, AuditEvent, Notice
from rollouts.rules.machine import Role
from rollouts.services import absences, accounts, notices
from rollouts.services.lists.rollouts import RolloutFilter
from rollouts.services.refusals import Refused
from tests.portal.pages import signed_in
from tests.services.refusing import refused

pytestmark = pytest.mark.django_db


def away(world, name, instead, *, days=(0, 7), by=None):
    since, until = (f"{world.now() + timedelta(days=day):%Y-%m-%d}" for day in days)
    return absences.add(world.people[name], since=since, until=until, instead=instead, by=world.actor(by or name))


def text(answer):
    return " ".join(answer.content.decode().partition("<main")[2].split())


def told(verb):
    notices.work()
    return sorted(row.person.username for row in Notice.objects.filter(event__verb=verb))


def test_who_stands_in_is_asked_and_told_and_shown(world):
    away(world, "alice", "sam")
    world.up_to("team", "requested")
    assert told("phase.request") == ["root", "sam"]
    for address in ("/approvals/", "/rollouts/haiku/"):
        page = text(signed_in(world, "mia").get(address))
        assert "(instead of alice, away)" in page, address
    assert "instead sam is asked" in text(signed_in(world, "vic").get("/people/alice/"))
    assert "sam is asked instead of alice" in text(signed_in(world, "vic").get("/people/sam/"))
    world.do("approve", "team", "sam")
    assert AuditEvent.objects.get(verb="phase.approve").after["instead_of"] == ["alice"]


def test_the_portfolio_names_who_stands_in_on_page_board_and_file(world):
    world.up_to("team", "requested")
    mia = signed_in(world, "mia")
    assert "instead of" not in text(mia.get("/"))
    away(world, "alice", "sam")
    words = "an approver (sam instead of alice, away)"
    for address in ("/", "/?view=board"):
        assert words in text(mia.get(address)), address
    file = b"".join(mia.get("/portfolio.csv").streaming_content).decode()
    assert words in file
    absences.end(absences.of(world.people["alice"])[0], by=world.actor("alice"))
    assert "instead of" not in text(mia.get("/"))


def test_the_portfolio_names_nobody_who_may_not_decide(world):
    """sam asked for it themselves, so alice is asked although she is away."""
    world.people["sam"].groups.add(Group.objects.get(name="manager"))
    world.up_to("team", "planned")
    world.confirm("team")
    world.apply_text(world.document().replace("owners: [mia]", "owners: [mia, sam]"))
    away(world, "alice", "sam")
    world.do("request", "team", "sam")
    assert "instead of" not in text(signed_in(world, "mia").get("/"))


def test_the_portfolio_asks_as_often_for_many_who_are_away_as_for_one(world):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    world.up_to("team", "requested")
    mia = signed_in(world, "mia")
    away(world, "alice", "sam")
    mia.get("/")
    with CaptureQueriesContext(connection) as few:
        mia.get("/")
    for n in range(5):
        person = world.join(f"approver{n}", "approver")
        absences.add(person, by=world.actor(f"approver{n}"), since=f"{world.now():%Y-%m-%d}",
                     until=f"{world.now() + timedelta(days=3):%Y-%m-%d}", instead="sam")  # fmt: skip
    mia.get("/")  # works out what the new people may have changed
    with CaptureQueriesContext(connection) as many:
        assert "sam instead of alice, approver0," in text(mia.get("/"))
    assert len(many) <= len(few)


def test_who_is_away_is_told_again_when_they_are_back_or_nobody_may_stand_in(world, time_machine):
    away(world, "alice", "sam", days=(0, 1))
    time_machine.move_to(world.now() + timedelta(days=3))
    world.up_to("team", "requested")
    assert told("phase.request") == ["alice", "root", "sam"]


def test_a_substitute_who_asked_is_neither_asked_nor_takes_the_place(world):
    world.people["sam"].groups.add(Group.objects.get(name="manager"))
    away(world, "alice", "sam")
    world.up_to("team", "planned")
    world.confirm("team")
    world.do("request", "team", "sam")
    assert told("phase.request") == ["alice", "root"], "alice herself: her substitute may not"
    assert refused(world.do, "approve", "team", "sam").codes == {"four_eyes"}


def test_an_owner_away_has_their_turn_taken(world):
    kim = world.join("kim", "manager")
    world.up_to("team", "active")
    assert world.rollout().owners == ["mia"]
    away(world, "mia", "kim")
    mine = RolloutFilter({"show": "yours", "state": "open"}, by=world.actor("kim")).lines()
    assert [row.rollout.slug for row in mine] == ["haiku"]
    assert "(away; instead kim)" in text(signed_in(world, "vic").get("/rollouts/haiku/"))
    world.do("pause", "team", "root", reason="a look")
    assert told("phase.pause") == ["kim"]
    world.do("resume", "team", "kim")
    assert AuditEvent.objects.get(verb="phase.resume").after["instead_of"] == ["mia"]
    accounts.take_role(kim, Role.MANAGER, by=world.actor("root"))
    assert Absence.objects.get().ended_at is not None, "who lost the role stands in for nobody"


@pytest.mark.parametrize(
    ("instead", "days", "code"),
    [
        ("alice", (0, 7), "name"),
        ("vic", (0, 7), "name"),
        ("nobody-here", (0, 7), "name"),
        ("sam", (7, 0), "time"),
        ("sam", (-9, -2), "time"),
        ("sam", (0, 500), "time"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(world, instead, days, code):
    before = AuditEvent.objects.count()
    with pytest.raises(Refused) as found:
        away(world, "alice", instead, days=days)
    assert code in found.value.codes
    assert found.value.status == 422
    assert AuditEvent.objects.count() == before


def test_no_circle_and_no_two_at_once(world):
    away(world, "alice", "sam")
    assert refused(away, world, "sam", "alice").codes == {"circle"}
    assert refused(away, world, "alice", "root").codes == {"away_already"}
    away(world, "sam", "root")
    assert absences.of(world.people["alice"])[0].instead.username == "sam"
    world.up_to("team", "requested")
    assert told("phase.request") == ["root"]


def test_nobody_says_it_for_somebody_else_but_an_admin(world):
    since = f"{world.now():%Y-%m-%d}"
    asked = {"since": since, "until": since, "instead": "sam"}
    assert signed_in(world, "sam").post("/people/alice/away/", asked).status_code == 403
    assert signed_in(world, "mia").post("/people/alice/away/", asked).status_code == 403
    assert not Absence.objects.exists()
    root = signed_in(world, "root")
    assert "Be away" in text(root.get("/people/alice/"))
    assert root.post("/people/alice/away/", asked).status_code == 303
    event = AuditEvent.objects.get(verb="absence.add")
    assert (event.actor, event.object_name, event.after["instead"]) == ("root", "alice", "sam")
    pk = Absence.objects.get().pk
    assert signed_in(world, "sam").post(f"/people/alice/away/{pk}/end/").status_code == 403
    assert signed_in(world, "vic").post(f"/people/vic/away/{pk}/end/").status_code == 404
    assert signed_in(world, "alice").post(f"/people/alice/away/{pk}/end/").status_code == 303
    assert AuditEvent.objects.get(verb="absence.end").actor == "alice"


def test_the_page_says_what_is_wrong_and_the_days_are_the_readers(world):
    alice = signed_in(world, "alice")
    wrong = alice.post("/people/alice/away/", {"since": "soon", "until": "2026-12-24", "instead": "sam"})
    assert wrong.status_code == 422
    assert "«soon» is no time" in wrong.content.decode()
    alice.cookies["zone"] = "Asia/Tokyo"
    year = world.now().year + 1
    day = f"{year}-03-10"
    assert alice.post("/people/alice/away/", {"since": day, "until": day, "instead": "sam"}).status_code == 303
    found = Absence.objects.get()
    assert (found.begins_at.isoformat(), found.ends_at.isoformat()) == (
        f"{year}-03-09T15:00:00+00:00",
        f"{year}-03-10T15:00:00+00:00",
    )


def test_the_api_and_the_command_do_the_same(world, capsys):
    alice = signed_in(world, "alice")
    since, until = (f"{world.now() + timedelta(days=n):%Y-%m-%d}" for n in (1, 2))
    asked = {"since": since, "until": until, "instead": "sam"}
    there = "/api/v1/people/alice/absences"
    answer = alice.post(there, json.dumps(asked), content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert alice.get("/api/v1/people/alice").json()["away"] == [answer.json()]
    assert alice.post(there, json.dumps({**asked, "x": 1}), content_type="application/json").status_code == 422
    sam = signed_in(world, "sam")
    assert sam.post(there, json.dumps(asked), content_type="application/json").status_code == 403
    assert sam.post(f"{there}/{answer.json()['id']}/end").status_code == 403
    assert alice.post(f"{there}/{answer.json()['id']}/end").status_code == 200
    assert alice.post(f"{there}/{answer.json()['id']}/end").status_code == 409
    assert alice.post(f"{there}/99999/end").status_code == 404
    call_command("away", "alice", "--from", since, "--until", until, "--instead", "sam", "--as", "alice", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["away"][0]["instead"] == "sam"
    person = alice.get("/api/v1/people/alice").json()
    assert person["away"] == [{**person["away"][0], "id": told["away"][0]["id"], "instead": "sam"}]
    with pytest.raises(SystemExit):
        call_command("away", "alice", "--from", since, "--until", until, "--instead", "sam", "--as", "sam", "--json")
    assert json.loads(capsys.readouterr().out)["blockers"][0]["code"] == "role"
    call_command("away", "alice", "--end", str(told["away"][0]["id"]), "--as", "alice")
    assert "is not away" in capsys.readouterr().out
