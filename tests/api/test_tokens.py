"""Tokens: who issues and revokes them, what they open, and that their text is nowhere."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models import ProtectedError
from django.test import Client
from django.utils import timezone

from rollouts.audit.actor import Actor
from rollouts.models import ApiToken, AuditEvent
from rollouts.models.change_log import Unaudited
from rollouts.services import tokens
from rollouts.services.refusals import Refused
from tests.api.scripts import Script
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def mias(world):
    return tokens.issue(world.people["mia"], "nightly report", world.actor("mia"))


def test_a_person_issues_and_revokes_their_own(world, mias):
    token, text = mias
    assert text.startswith("mrp_")
    assert token.prefix == text[:8]
    assert Script(text).get("/").json() == {
        "name": "mia", "roles": ["manager", "viewer"], "docs": "/api/v1/docs", "openapi": "/api/v1/openapi.json"
    }  # fmt: skip
    tokens.revoke(token, world.actor("mia"))
    assert Script(text).get("/").status_code == 401
    assert list(AuditEvent.objects.filter(verb__startswith="token.").values_list("verb", "actor")) == [
        ("token.revoke", "mia"), ("token.issue", "mia")
    ]  # fmt: skip
    assert AuditEvent.objects.get(verb="token.issue").after["person"] == "mia"


@pytest.mark.parametrize("by", ["mia", "alice", "vic", "root"])
def test_nobody_but_the_person_makes_a_token(world, by):
    with pytest.raises(Refused) as refused:
        tokens.issue(world.people["sam"], "x", world.actor(by))
    assert refused.value.codes == {"role"}
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("by", ["mia", "alice", "vic"])
def test_only_an_admin_revokes_for_others(world, by):
    sam = world.people["sam"]
    token, _ = tokens.issue(sam, "x", world.actor("sam"))
    with pytest.raises(Refused) as refused:
        tokens.revoke(token, world.actor(by))
    assert refused.value.codes == {"role"}
    assert ApiToken.objects.get().revoked_at is None
    tokens.revoke(token, Actor.system_user())
    with pytest.raises(Refused) as refused:
        tokens.revoke(token, world.actor("root"))
    assert refused.value.codes == {"revoked"}


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "name_missing"), ("  ", "name_missing"), ("a\x00b", "name_missing"), ("x" * 101, "name_long")],
)
def test_a_name_that_is_none_is_refused(world, name, code):
    with pytest.raises(Refused) as refused:
        tokens.issue(world.people["mia"], name, world.actor("mia"))
    assert refused.value.codes == {code}


def test_a_token_that_would_have_expired_is_refused(world):
    with pytest.raises(Refused) as refused:
        tokens.issue(world.people["mia"], "x", world.actor("mia"), timezone.now())
    assert refused.value.codes == {"expired"}


def test_an_expired_token_opens_nothing(world):
    _, text = tokens.issue(world.people["mia"], "x", world.actor("mia"), timezone.now() + timedelta(days=1))
    assert Script(text).get("/rollouts").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        assert Script(text).get("/rollouts").status_code == 401


def test_a_token_of_somebody_who_was_switched_off_opens_nothing(world, mias):
    mia = world.people["mia"]
    mia.is_active = False
    mia.save()
    assert Script(mias[1]).get("/rollouts").status_code == 401
    with pytest.raises(Refused) as refused:
        tokens.issue(mia, "x", Actor.system_user())
    assert refused.value.codes == {"inactive"}


def test_rights_are_those_of_the_person_now(world, mias):
    world.up_to("team", "planned")
    world.people["mia"].groups.clear()
    assert Script(mias[1]).post("/rollouts/haiku/phases/team/request").status_code == 403


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer mrp_", "Bearer mrp_" + "a" * 43, "Basic bWlhOnJvbGxvdXQ=", "mrp_x", "Bearer ÿþ",
     "Bearer " + "x" * 5000, "Bearer mrp_%00", "Bearer null"],
)  # fmt: skip
def test_wrong_tokens_open_nothing_even_in_a_signed_in_browser(world, refused, header):
    client = Client()
    client.force_login(world.people["mia"])
    response = client.get("/api/v1/rollouts", headers={"Authorization": header})
    refused(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_token_nearly_right_is_wrong(mias):
    text = mias[1]
    other = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert Script(other).get("/").status_code == 401
    assert Script(text.upper()).get("/").status_code == 401


def test_use_is_noted_at_most_once_a_minute(mias):
    text = mias[1]
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        Script(text).get("/")
        first = ApiToken.objects.get().last_used_at
        clock.shift(59)
        Script(text).get("/")
        assert ApiToken.objects.get().last_used_at == first == start
        clock.shift(1)
        Script(text).get("/")
        assert ApiToken.objects.get().last_used_at == start + timedelta(minutes=1)
    assert AuditEvent.objects.filter(object_type="ApiToken").count() == 1


def test_the_text_and_what_recognises_it_are_in_no_history_log_or_page(world, mias, caplog):
    token, text = mias
    caplog.set_level(logging.DEBUG)
    Script(text).get("/rollouts")
    Script(text).post("/rollouts/haiku/phases/team/fly")
    Script(text + "x").get("/rollouts")
    tokens.revoke(token, world.actor("mia"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM rollouts_auditevent")
        history = repr(cursor.fetchall())
        cursor.execute("SELECT * FROM rollouts_apitoken")
        stored = repr(cursor.fetchall())
    seen = history + caplog.text
    for page in ("", f"{token.pk}/change/", f"{token.pk}/history/"):
        seen += signed_in(world, "root").get(f"/admin/rollouts/apitoken/{page}").content.decode()
    seen += Script(tokens.issue(world.people["root"], "x", world.actor("root"))[1]).get("/audit").content.decode()
    assert "nightly report" in seen
    for secret in (text, text[8:], token.digest):
        assert secret not in seen
    assert text not in stored
    assert text[8:] not in stored


def test_what_recognises_a_token_never_changes(mias):
    token = ApiToken.objects.get()
    token.digest = "0" * 64
    for attack in (token.save, lambda: ApiToken.objects.update(digest="0" * 64), token.delete):
        with pytest.raises((Unaudited, ProtectedError)):
            attack()


def run(*arguments):
    out, err = StringIO(), StringIO()
    try:
        call_command("api_token", *arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return out.getvalue(), err.getvalue(), stop.code
    except CommandError as error:
        return out.getvalue(), str(error), error.returncode
    return out.getvalue(), err.getvalue(), 0


def test_the_command_prints_a_token_once(world):
    out, err, status = run("mia", "--name", "nightly", "--as", "mia")
    assert status == 0
    assert Script(out.strip()).get("/").json()["name"] == "mia"
    assert "not shown again" in err
    answer = json.loads(run("mia", "--json", "--expires-days", "30")[0])
    assert answer.keys() == {"ok", "user", "name", "token", "expires_at"}
    assert ApiToken.objects.first().expires_at.isoformat() == answer["expires_at"]
    assert set(AuditEvent.objects.filter(verb="token.issue").values_list("source", flat=True)) == {"command"}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("sam", "--as", "mia"), 1, "Nobody but sam makes"),
        (("sam", "--as", "root"), 1, "Nobody but sam makes"),
        (("mia", "--name", " "), 1, "needs a name"),
        (("nobody",), 2, "There is no portal user nobody"),
        (("mia", "--as", "nobody"), 2, "no active portal user"),
        (("mia", "--expires-days", "0"), 2, "1 to 3,650"),
        (("mia", "--expires-days", "999999999999"), 2, "1 to 3,650"),
    ],
)
def test_the_command_refuses_in_a_sentence(world, arguments, status, message):
    out, err, code = run(*arguments)
    assert (out, code) == ("", status)
    assert message in err
    assert not ApiToken.objects.exists()
    if status == 1:
        told = json.loads(run(*arguments, "--json")[0])
        assert told["ok"] is False
        assert told["blockers"][0].keys() == {"code", "message", "url"}


def test_admins_revoke_on_the_admins_page_in_one_event_each(world, mias):
    others = tokens.issue(world.people["sam"], "other", world.actor("sam"))[0]
    client = signed_in(world, "root")
    chosen = [mias[0].pk, others.pk]
    page = client.get("/admin/rollouts/apitoken/").content.decode()
    assert "nightly report" in page
    assert "other" in page
    assert (
        client.post(
            "/admin/rollouts/apitoken/", {"action": "revoke", "_selected_action": chosen, "confirmed": "yes"}
        ).status_code
        == 302
    )
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    events = AuditEvent.objects.filter(verb="token.revoke")
    assert {(event.actor, event.source) for event in events} == {("root", "admin")}
    assert events.count() == 2
    answer = client.post(
        "/admin/rollouts/apitoken/",
        {"action": "revoke", "_selected_action": chosen[:1], "confirmed": "yes"},
        follow=True,
    ).content.decode()
    assert "was revoked already" in answer


def test_others_see_and_revoke_only_their_own_in_the_admin(world, mias):
    others = tokens.issue(world.people["sam"], "other", world.actor("sam"))[0]
    client = signed_in(world, "mia")
    page = client.get("/admin/rollouts/apitoken/").content.decode()
    assert "nightly report" in page
    assert "sam" not in page
    chosen = [others.pk, mias[0].pk]
    client.post("/admin/rollouts/apitoken/", {"action": "revoke", "_selected_action": chosen, "confirmed": "yes"})
    assert list(ApiToken.objects.filter(revoked_at=None)) == [others]
    assert signed_in(world, "vic").get("/admin/rollouts/apitoken/").status_code == 403


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_the_admin_neither_makes_nor_changes_a_token(world, mias, path):
    response = signed_in(world, "root").post(
        f"/admin/rollouts/apitoken/{path.format(pk=mias[0].pk)}", {"name": "x", "post": "yes"}
    )
    assert response.status_code == 403
    assert ApiToken.objects.get().name == "nightly report"
