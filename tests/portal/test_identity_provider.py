"""Signing in by an OpenID provider that really runs: who comes in, with which roles, and who does not."""

from __future__ import annotations

import time
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from rollouts.models import ApiToken, AuditEvent, Identity
from rollouts.rules.identities import roles_by_group
from rollouts.services import tokens
from tests.portal.oidc import come, way_back

pytestmark = pytest.mark.django_db


def roles(name):
    return sorted(User.objects.get(username=name).groups.values_list("name", flat=True))


def said(response):
    """What stands on the page itself."""
    main = response.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(unescape(main).split())


def test_who_comes_for_the_first_time_has_an_account_with_the_roles_of_their_groups(world, provider):
    client = Client()
    page = said(client.get("/accounts/login/", {"next": "/flags/"}))
    assert "Sign in by GitLab" in page
    answer = come(client, next="/flags/")
    assert (answer.status_code, answer["Location"]) == (303, "/flags/")
    assert client.get("/flags/").status_code == 200
    assert roles("ann") == ["approver", "manager"]
    person = User.objects.get(username="ann")
    assert (person.email, person.has_usable_password()) == ("ann@example.com", False)
    assert Identity.objects.get().subject == "7"
    told = {e.verb: e for e in AuditEvent.objects.filter(object_name="ann")}
    assert told["account.come_in"].after["username"] == "ann"
    assert told["account.come_in"].actor == "sign-in"
    assert told["account.sign_in"].after["way"] == "identity provider"


def test_the_way_there_has_pkce_a_state_and_a_nonce(world, provider):
    asked = parse_qs(urlsplit(Client().get("/accounts/provider/")["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert all(len(asked[name][0]) >= 20 for name in ("code_challenge", "state", "nonce"))
    assert asked["redirect_uri"] == ["http://localhost:8000/accounts/provider/callback/"]


def test_roles_are_those_of_today_and_what_opened_the_portal_ends_with_them(world, provider):
    come(Client())
    person = User.objects.get(username="ann")
    tokens.issue(person, "report", world.actor("ann"))
    person.groups.add(Group.objects.create(name="night watch"))
    provider.knows("7", preferred_username="ann", groups=["acme/approvers"])
    come(Client())
    assert roles("ann") == ["approver", "night watch"]
    assert ApiToken.objects.get().revoked_because == "role_lost"
    provider.knows("7", preferred_username="ann")
    come(Client())
    assert roles("ann") == ["night watch"]


def test_who_is_in_no_mapped_group_is_a_viewer_or_stays_outside(world, provider, settings):
    provider.knows("8", preferred_username="bob", groups=["acme/others"])
    client = Client()
    assert come(client, "8").status_code == 303
    assert client.get("/").status_code == 200
    settings.OIDC_UNMAPPED = False
    answer = come(Client(), "8")
    assert answer.status_code == 403
    assert "None of your groups has a role here" in said(answer)
    provider.knows("9", preferred_username="eve", groups=[])
    assert come(Client(), "9").status_code == 403
    assert not User.objects.filter(username="eve").exists()


def test_an_account_that_is_there_is_not_joined_by_its_name_nor_by_an_address_that_an_admin_gave_it(world, provider):
    mia = world.people["mia"]
    mia.email = "mallory@example.com"
    mia.save()
    mallory = {"email": "mallory@example.com", "email_verified": True, "groups": ["acme/managers"]}
    provider.knows("5", preferred_username="mia", **mallory)
    answer = come(Client(), "5")
    assert answer.status_code == 403
    assert "There is an account mia here already" in said(answer)
    provider.knows("6", preferred_username="mallory", **mallory)
    assert come(Client(), "6").status_code == 303
    assert Identity.objects.get().person.username == "mallory"


def test_who_is_switched_off_here_stays_outside(world, provider):
    come(Client())
    User.objects.filter(username="ann").update(is_active=False)
    before = AuditEvent.objects.count()
    answer = come(Client())
    assert answer.status_code == 403
    assert "switched off" in said(answer)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("name", ["portal", "аnn", "a b", "", "x" * 200, "-"])
def test_a_name_that_no_account_may_have_is_refused_in_words(world, provider, name):
    provider.knows("8", preferred_username=name, groups=["acme/managers"])
    answer = come(Client(), "8")
    assert answer.status_code == 403
    assert "An account for you can't be made" in said(answer) or "needs the scope profile" in said(answer)
    assert not Identity.objects.exists()


def test_a_way_back_works_once_and_only_in_the_browser_that_began(world, provider):
    begun = Client()
    back = way_back(begun)
    assert Client().get(back).status_code == 400
    assert begun.get(back).status_code == 303
    begun.post("/accounts/logout/")
    again = begun.get(back)
    assert again.status_code == 400
    assert "is used up" in said(again)
    assert begun.get("/").status_code == 302


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("nonce", "another"),
        ("iss", "https://elsewhere.example.com"),
        ("aud", "another portal"),
        ("exp", timedelta(minutes=-10)),
        ("iat", timedelta(minutes=10)),
        ("sub", "8"),
    ],
)
def test_an_id_token_that_does_not_hold_lets_nobody_in(world, provider, claim, value):
    is_span = isinstance(value, timedelta)  # from when the test runs, not from when it was read
    provider.sign_otherwise(**{claim: int(time.time() + value.total_seconds()) if is_span else value})
    answer = come(Client())
    assert answer.status_code in (400, 502)
    assert not User.objects.filter(username="ann").exists()
    assert not AuditEvent.objects.filter(verb="account.sign_in").exists()


def test_keys_that_were_rotated_are_read_anew(world, provider):
    come(Client())
    provider.sign_otherwise()
    assert come(Client()).status_code == 303


def test_a_key_that_is_not_the_providers_lets_nobody_in(world, provider):
    provider.sign_otherwise()
    del provider.changed["/jwks"]
    assert come(Client()).status_code in (400, 502)
    assert not User.objects.filter(username="ann").exists()


def test_a_clock_that_is_a_minute_off_does_not_matter(world, provider):
    provider.sign_otherwise(exp=int(time.time()) - 60)
    assert come(Client()).status_code == 303


def test_userinfo_of_somebody_else_is_refused(world, provider):
    provider.changed["/userinfo"] = lambda told: {**told, "sub": "8"}
    answer = come(Client())
    assert answer.status_code == 502
    assert "somebody else" in said(answer)


def test_a_provider_that_is_down_is_said_and_passwords_still_work(world, provider):
    client = Client()
    back = way_back(client)
    provider.is_down = True
    answer = client.get(back)
    assert answer.status_code == 502
    assert "GitLab can't be asked at the moment" in said(answer)
    assert 'name="password"' in said(answer)
    assert Client().post("/accounts/login/", {"username": "mia", "password": "rollout"}).status_code == 302


def test_a_provider_that_calls_itself_otherwise_is_refused(world, provider):
    provider.changed["/.well-known/openid-configuration"] = lambda told: {**told, "issuer": "https://else.example.com"}
    answer = Client().get("/accounts/provider/")
    assert answer.status_code == 502
    assert "something else than OIDC_ISSUER" in said(answer)


def test_signing_out_works_though_the_provider_calls_itself_otherwise_meanwhile(world, provider):
    from rollouts.portal import identity_provider

    client = Client()
    come(client)
    identity_provider._registered.cache_clear()
    provider.changed["/.well-known/openid-configuration"] = lambda told: {**told, "issuer": "https://else.example.com"}
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"


def test_what_a_stranger_writes_into_the_way_back_is_not_repeated(world, provider):
    answer = Client().get("/accounts/provider/callback/", {"error": "x", "error_description": "Call +1 555 0100 now"})
    assert answer.status_code == 502
    assert "555" not in said(answer)
    denied = Client().get("/accounts/provider/callback/", {"error": "access_denied"})
    assert denied.status_code == 403
    for broken in ({}, {"code": "x"}, {"state": "x"}, {"code": "x" * 5_000, "state": "y"}):
        assert Client().get("/accounts/provider/callback/", broken).status_code == 400


@pytest.mark.parametrize("following", ["https://elsewhere.example.com/", "//elsewhere.example.com", "javascript:x"])
def test_nobody_is_led_to_another_site(world, provider, following):
    assert come(Client(), next=following)["Location"] == "/"


def test_passwords_can_be_switched_off(world, provider, settings):
    settings.OIDC_ONLY = True
    assert 'name="password"' not in said(Client().get("/accounts/login/"))
    answer = Client().post("/accounts/login/", {"username": "mia", "password": "rollout"})
    assert answer.status_code == 403
    assert "sign in by GitLab" in said(answer)
    assert come(Client()).status_code == 303


def test_signing_out_ends_the_session_at_the_provider_too(world, provider):
    client = Client()
    come(client)
    away = client.post("/accounts/logout/")
    assert away.status_code == 303
    assert away["Location"].startswith(f"{provider.url}/oauth2/end_session?")
    asked = parse_qs(urlsplit(away["Location"]).query)
    assert asked["post_logout_redirect_uri"] == ["http://localhost:8000/accounts/login/"]
    assert client.get("/").status_code == 302
    by_password = Client()
    by_password.post("/accounts/login/", {"username": "mia", "password": "rollout"})
    assert by_password.post("/accounts/logout/")["Location"] == "/accounts/login/"


def test_without_a_provider_there_is_no_such_way(world):
    for path in ("/accounts/provider/", "/accounts/provider/callback/"):
        assert Client().get(path).status_code == 404
    assert "Sign in by" not in said(Client().get("/accounts/login/"))


@pytest.mark.parametrize("written", ["acme", "acme:boss", ":manager", "acme:manager acme/x:"])
def test_a_mapping_that_is_none_is_refused(written):
    with pytest.raises(ValueError, match="is no group with a role"):
        roles_by_group(written)


# Connecting an account that is there


def signed_in(name, password="rollout"):
    client = Client()
    assert client.post("/accounts/login/", {"username": name, "password": password}).status_code == 302
    return client


def connect(client, sub="7"):
    """By the form of one's own page, to the provider and back."""
    assert client.post("/account/identity/connect/").status_code == 303
    assert 'href="/accounts/provider/"' in said(client.get(client.get("/account/")["Location"]))
    return come(client, sub)


def test_somebody_connects_their_own_account_and_comes_in_by_it(world, provider):
    client = signed_in("vic")
    assert connect(client).status_code == 303
    assert Identity.objects.get().person.username == "vic"
    assert roles("vic") == ["viewer"], "connecting gives no role"
    event = AuditEvent.objects.get(verb="identity.link")
    assert (event.actor, event.after["subject"]) == ("vic", "7")
    other = Client()
    assert come(other).status_code == 303
    assert other.get("/account/")["Location"] == "/people/vic/"
    assert roles("vic") == ["approver", "manager"]
    assert "calls you ann" in said(client.get("/people/vic/"))
    assert "as ann" in said(client.get("/people/vic/"))


def test_connecting_asks_for_the_password_anew_when_the_last_is_old(world, provider, time_machine):
    client = signed_in("vic")
    time_machine.move_to(timezone.now() + timedelta(minutes=6))
    answer = client.post("/account/identity/connect/")
    assert answer["Location"] == "/accounts/again/?next=%2Faccount%2F"
    assert client.get("/accounts/provider/")["Location"] == "/", "nothing was asked for"
    wrong = client.post("/accounts/again/", {"password": "nonsense", "next": "/account/"})
    assert wrong.status_code == 422
    assert client.post("/account/identity/connect/")["Location"].startswith("/accounts/again/")
    right = client.post("/accounts/again/", {"password": "rollout", "next": "/account/"})
    assert (right.status_code, right["Location"]) == (303, "/account/")
    assert connect(client).status_code == 303
    assert Identity.objects.get().person.username == "vic"


def test_a_link_from_elsewhere_connects_nothing(world, provider):
    client = signed_in("vic")
    assert client.get("/accounts/provider/")["Location"] == "/"
    assert client.get("/account/identity/connect/").status_code == 405
    assert not Identity.objects.exists()


def test_what_one_browser_began_no_other_ends(world, provider):
    mia, vic = signed_in("mia"), signed_in("vic")
    mia.post("/account/identity/connect/")
    back = way_back(mia)
    assert vic.get(back).status_code == 400
    assert not Identity.objects.exists()
    assert mia.get(back).status_code == 303
    assert mia.get(back).status_code == 400


def test_two_accounts_never_share_an_identity(world, provider):
    connect(signed_in("vic"))
    answer = connect(signed_in("mia"))
    assert answer.status_code == 409
    assert "belongs to another account" in said(answer)
    again = connect_anyway(signed_in("vic"), provider)
    assert again.status_code == 409
    assert Identity.objects.get().person.username == "vic"


def connect_anyway(client, provider):
    """With another identity, though one is there: the form is not offered then."""
    provider.knows("8", preferred_username="bob")
    client.post("/account/identity/connect/")
    return come(client, "8")


def test_nobody_connects_an_account_that_somebody_else_had_a_hand_in(world, provider):
    root = signed_in("root")
    groups = list(Group.objects.filter(name__in=["viewer", "approver"]).values_list("pk", flat=True))
    vic = world.people["vic"]
    root.post(f"/admin/auth/user/{vic.pk}/change/", {"username": "vic", "groups": groups, "is_active": "on"})
    root.post("/accounts/logout/")
    root.post("/accounts/login/", {"username": "vic", "password": "rollout"})  # the same browser: it may be root
    answer = connect(root)
    assert answer.status_code == 409
    assert "until vic has signed in anew" in said(answer)
    assert not Identity.objects.exists()


def test_disconnecting_takes_the_roles_that_came_from_there(world, provider):
    connect(signed_in("vic"))
    come(Client())
    client = signed_in("vic")
    assert client.post("/account/identity/disconnect/").status_code == 303
    assert not Identity.objects.exists()
    assert roles("vic") == []
    assert AuditEvent.objects.get(verb="identity.unlink").after["username"] == "ann"
    answer = come(Client())
    assert answer.status_code == 303, "who came from there is another account from now on"
    assert User.objects.get(username="ann").identity.subject == "7"


def test_who_has_no_other_way_in_does_not_disconnect(world, provider):
    provider.sign_otherwise(auth_time=int(time.time()))
    client = Client()
    come(client)
    answer = client.post("/account/identity/disconnect/")
    assert answer.status_code == 409
    assert "no other way in" in said(answer)
    assert Identity.objects.exists()


# Showing anew who one is


def anew(client, sub="7"):
    return come(client, sub, again="1", next="/flags/")


def test_who_comes_by_the_provider_shows_it_there_anew(world, provider):
    client = Client()
    come(client)
    asked = parse_qs(urlsplit(client.get("/accounts/provider/?again=1")["Location"]).query)
    assert (asked["max_age"], asked["prompt"]) == (["0"], ["login"])
    provider.sign_otherwise(auth_time=None)
    answer = anew(client)
    assert answer.status_code == 403
    assert "does not say when you signed in" in said(answer)
    provider.sign_otherwise(auth_time=int(time.time()) - 3_600)
    answer = anew(client)
    assert answer.status_code == 403
    assert "You did not sign in anew" in said(answer)
    assert come(Client(), again="1").status_code == 303, "who comes in need not have signed in there just now …"
    old = Client()
    come(old)
    assert old.post("/account/identity/disconnect/")["Location"].startswith("/accounts/again/"), "… and it is known"
    provider.sign_otherwise(auth_time=int(time.time()))
    assert anew(client)["Location"] == "/flags/"
    assert client.post("/account/identity/disconnect/").status_code == 409, "fresh enough to be told why not"


def test_nobody_shows_it_for_somebody_else(world, provider):
    client = Client()
    come(client)
    provider.knows("8", preferred_username="bob")
    provider.sign_otherwise(auth_time=int(time.time()))
    answer = anew(client, "8")
    assert answer.status_code == 403
    assert "Somebody else came back" in said(answer)
    assert not User.objects.filter(username="bob").exists()
