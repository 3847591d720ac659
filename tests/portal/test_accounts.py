"""Whose hands are on an account: set passwords, given roles, made tokens; and what the owner's own sign-in mends."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.audit.actor import Actor
from rollouts.audit.recording import recorded
from rollouts.models import Account, ApiToken, AuditEvent, FeedKey
from rollouts.services import feed_keys, tokens
from rollouts.services.refusals import Refused
from tests.api.scripts import Script
from tests.portal.pages import browser, sign_in

pytestmark = pytest.mark.django_db
OWN = "a password of my own"


def set_password(client, person, password="from the admin 1"):
    return client.post(
        f"/admin/auth/user/{person.pk}/password/",
        {"password1": password, "password2": password, "usable_password": "true"},
    )


def change_own(client, old, new=OWN):
    return client.post("/account/password/", {"old_password": old, "new_password1": new, "new_password2": new})


def codes(world, by, phase="team"):
    with pytest.raises(Refused) as refused:
        world.do("approve", phase, by)
    return refused.value.codes


def asked_by_root(world):
    world.up_to("team", "planned")
    world.do("request", "team", "root")


def test_an_admin_who_sets_a_password_approves_nothing_by_it(world):
    asked_by_root(world)
    root = browser("root", "rollout")
    assert set_password(root, world.people["alice"]).status_code == 302
    alice = browser("alice", "from the admin 1")
    for door in ("/", "/approvals/", "/admin/", "/rollouts/haiku/", "/account/", "/metrics", "/audit/"):
        response = alice.get(door)
        assert (response.status_code, response["Location"]) == (302, "/account/password/"), door
    refused = alice.post("/rollouts/haiku/phases/team/approve/", {"reason": "yes"})
    assert refused["Location"] == "/account/password/"
    for path in ("/api/v1/", "/api/v1/rollouts", "/api/v1/docs"):
        answer = alice.get(path, headers={"accept": "application/json"})
        assert answer.status_code == 403, path
        assert "/account/password/" in answer.json()["detail"]
    assert "account_touched" in codes(world, "alice")
    assert world.phase("team").state == "requested"


def test_the_owner_sets_their_own_signs_in_anew_and_counts_again(world):
    asked_by_root(world)
    set_password(browser("root", "rollout"), world.people["alice"])
    alice = browser("alice", "from the admin 1")
    assert change_own(alice, "from the admin 1", "from the admin 1").status_code == 422, "it is not their own"
    assert change_own(alice, "from the admin 1").status_code == 303
    assert alice.get("/").status_code == 200
    assert "account_touched" in codes(world, "alice"), "this session began with root's password"
    browser("alice", OWN)
    world.do("approve", "team", "alice")
    assert world.phase("team").state == "approved"


def test_signing_in_where_the_admin_signs_in_too_proves_nothing(world):
    asked_by_root(world)
    one = browser("root", "rollout")
    set_password(one, world.people["alice"])
    one.post("/accounts/logout/")
    sign_in(one, "alice", "from the admin 1")
    change_own(one, "from the admin 1")
    one.post("/accounts/logout/")
    assert sign_in(one, "alice", OWN).status_code == 302
    assert "account_touched" in codes(world, "alice")


def test_a_role_that_somebody_gave_is_proved_by_signing_in(world):
    asked_by_root(world)
    root = browser("root", "rollout")
    vic = world.people["vic"]
    root.post(
        "/admin/auth/user/",
        {"action": "give_role", "_selected_action": [vic.pk], "role": "approver", "confirmed": "yes"},
    )
    assert world.actor("vic").person.touched_by == {"root"}
    assert "account_touched" in codes(world, "vic")
    browser("vic", "rollout")
    world.do("approve", "team", "vic")


def test_only_what_that_somebody_asked_for_is_barred(world):
    world.up_to("team", "planned")
    world.do("request", "team", "mia")
    set_password(browser("root", "rollout"), world.people["alice"])
    alice = browser("alice", "from the admin 1")
    change_own(alice, "from the admin 1")
    world.do("approve", "team", "alice")


def test_an_override_is_reviewed_by_nobody_whose_password_its_maker_set(world):
    from rollouts.models import Override
    from rollouts.services import overrides

    world.up_to("team", "approved")
    with recorded("x", by=Actor.system_user()):
        override = Override.objects.create(
            phase=world.phase("team"), verb="start", by="root", at=world.now(), reason="x", due_at=world.now()
        )
    set_password(browser("root", "rollout"), world.people["alice"])
    assert {b.code for b in overrides.blockers_of_review(override, world.actor("alice"))} == {"account_touched"}
    assert not overrides.blockers_of_review(override, world.actor("sam"))


@pytest.mark.parametrize("more", [{}, {"by": "alice"}])
def test_the_terminal_makes_a_token_that_says_so_and_touches_the_account(world, capsys, more):
    call_command("api_token", "alice", **more)
    token = ApiToken.objects.get()
    name = Actor.system_user().name
    assert token.made_by == name
    assert world.actor("alice").person.touched_by == {name}
    assert "it approves nothing" in browser("alice", "rollout").get("/people/alice/").content.decode()


def test_a_token_that_the_terminal_made_decides_nothing(world, capsys):
    world.up_to("team", "planned")
    world.do("request", "team", "mia")
    call_command("api_token", "alice")
    at_the_terminal = Script(capsys.readouterr().out.strip())
    own = Script(tokens.issue(world.people["alice"], "own", world.actor("alice"))[1])
    seen = world.facts().phase("team").request.stands
    for verb in ("approve", "reject"):
        answer = at_the_terminal.post(f"/rollouts/haiku/phases/team/{verb}", {"reason": "x", "looked_at": seen})
        assert answer.status_code == 409
        assert "token_of_another" in {blocker["code"] for blocker in answer.json()["blockers"]}
    assert at_the_terminal.get("/rollouts/haiku").status_code == 200
    assert own.post("/rollouts/haiku/phases/team/approve", {"looked_at": seen}).status_code == 200


@pytest.mark.parametrize("how", ["password", "switched off", "role", "superuser"])
def test_a_reset_a_switch_off_and_a_lost_role_end_tokens_and_feeds_and_say_so(world, how):
    alice, root = world.people["alice"], browser("root", "rollout")
    if how == "superuser":
        alice.is_superuser = True
        alice.save()
    _, text = tokens.issue(alice, "report", world.actor("alice"))
    key = feed_keys.text_of(feed_keys.renew(alice, by=world.actor("alice")))
    assert Script(text).get("/").status_code == 200
    assert Client().get(f"/feeds/{key}/rollouts.ics").status_code == 200
    groups = list(alice.groups.values_list("pk", flat=True))
    form = {"username": "alice", "groups": groups, "is_active": "on", "is_superuser": "on"}
    if how != "superuser":
        form.pop("is_superuser")
    match how:
        case "password":
            page = set_password(root, alice)
        case "switched off":
            form.pop("is_active")
        case "role":
            form["groups"] = []
        case "superuser":
            form.pop("is_superuser")
    if how != "password":
        page = root.post(f"/admin/auth/user/{alice.pk}/change/", form)
    assert page.status_code == 302, page.content.decode()
    assert "With it ended: report" in root.get(page["Location"]).content.decode()
    assert Script(text).get("/").status_code == 401
    assert Client().get(f"/feeds/{key}/rollouts.ics").status_code == 404
    why = {"password": "password_set", "switched off": "switched_off"}.get(how, "role_lost")
    assert ApiToken.objects.get().revoked_because == FeedKey.objects.get().ended_because == why
    event = AuditEvent.objects.newest_first().filter(object_type="User").first()
    assert event.actor == "root"
    assert any(values.get("revoked_because") == why for values in event.after.values() if isinstance(values, dict))


def test_switched_on_again_the_old_tokens_stay_ended(world):
    alice, root = world.people["alice"], browser("root", "rollout")
    _, text = tokens.issue(alice, "report", world.actor("alice"))
    groups = list(alice.groups.values_list("pk", flat=True))
    root.post(f"/admin/auth/user/{alice.pk}/change/", {"username": "alice", "groups": groups})
    root.post(f"/admin/auth/user/{alice.pk}/change/", {"username": "alice", "groups": groups, "is_active": "on"})
    assert Script(text).get("/").status_code == 401
    page = browser("alice", "rollout").get("/people/alice/").content.decode()
    assert "the person was switched off" in page


def test_a_person_makes_and_revokes_their_tokens_on_their_page(world):
    vic = browser("vic", "rollout")
    page = vic.post("/account/tokens/", {"name": "nightly", "days": "30"})
    assert page.status_code == 201
    assert "no-store" in page["Cache-Control"]
    text = page.content.decode().partition("<code>mrp_")[2].partition("</code>")[0]
    assert Script(f"mrp_{text}").get("/").json()["name"] == "vic"
    assert text not in vic.get("/people/vic/").content.decode()
    token = ApiToken.objects.get()
    assert (token.made_by, AuditEvent.objects.get(verb="token.issue").actor) == ("", "vic")
    other = browser("mia", "rollout")
    assert other.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    vic.post(f"/account/tokens/{token.pk}/revoke/")
    assert Script(f"mrp_{text}").get("/").status_code == 401
    for wrong in ({"name": ""}, {"name": "x", "days": "0"}, {"name": "x", "days": "ten"}, {"name": "x" * 101}):
        assert vic.post("/account/tokens/", wrong).status_code == 422
    assert ApiToken.objects.count() == 1


def test_a_new_person_sets_their_own_password_first(world):
    root = browser("root", "rollout")
    root.post(
        "/admin/auth/user/add/",
        {"username": "newcomer", "password1": "given 1 by root", "password2": "given 1 by root",
         "usable_password": "true"},
    )  # fmt: skip
    account = Account.objects.get(person__username="newcomer")
    assert (account.must_change_password, account.password_by, set(account.touched)) == (True, "root", {"root"})
    assert browser("newcomer", "given 1 by root").get("/")["Location"] == "/account/password/"


def test_viewers_change_their_own_password_and_stay_signed_in(world):
    vic = browser("vic", "rollout")
    assert change_own(vic, "wrong").status_code == 422
    assert change_own(vic, "rollout").status_code == 303
    assert vic.get("/").status_code == 200
    event = AuditEvent.objects.get(verb="account.password")
    assert (event.actor, event.after["password"]) == ("vic", "changed")
    assert OWN not in str(event.after)
    assert not Account.objects.filter(person__username="vic").exists()


def test_nobody_but_the_person_makes_their_feeds(world):
    with pytest.raises(Refused):
        feed_keys.renew(world.people["mia"], by=world.actor("root"))


def test_who_signs_in_while_their_password_is_being_set_proves_nothing(world):
    """The password was right when it was asked for, and another one's when the sign-in was written down."""
    from django.contrib.auth.models import User

    from rollouts.services import sign_ins

    root = world.actor("root")
    alice = User.objects.select_related("account").get(username="alice")
    with recorded("admin.change", by=root):
        person = User.objects.get(username="alice")
        person.groups.clear()
    stale = User.objects.select_related("account").get(pk=alice.pk)
    assert stale.account.touched
    set_password(browser("root", "rollout"), world.people["alice"])
    sign_ins.signed_in(stale, way=sign_ins.PASSWORD, address="", also_here=frozenset())
    account = Account.objects.get()
    assert (set(account.touched), account.must_change_password, account.password_by) == ({"root"}, True, "root")
