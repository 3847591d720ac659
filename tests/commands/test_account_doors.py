"""Django's own commands and signals: no door changes an account, a role or a row of ours without an event."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.core import serializers
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from rollouts.audit.actor import Actor
from rollouts.models import Account, ApiToken, AuditEvent
from rollouts.models.history import AuditEventQuerySet
from rollouts.services import tokens
from tests.models.approvals import with_approvals
from tests.portal.pages import browser

pytestmark = pytest.mark.django_db
TERMINAL = Actor.system_user().name


def newest():
    return AuditEvent.objects.newest_first().first()


def superuser(name, **more):
    call_command("createsuperuser", username=name, email="a@example.com", interactive=False, verbosity=0, **more)


def load(tmp_path, *rows):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    call_command("loaddata", str(path), verbosity=0, stdout=StringIO())


def user_row(name, **fields):
    return {"model": "auth.user", "fields": {"username": name, "password": "!", **fields}}


def test_createsuperuser_leaves_an_event_and_works_at_once(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "first admin 1")
    superuser("boss")
    event = newest()
    assert (event.verb, event.actor, event.source) == ("account.add", TERMINAL, "command")
    assert (event.after["username"], event.after["is_superuser"], event.after["password"]) == ("boss", True, "set")
    assert "first admin" not in str(event.after)
    assert browser("boss", "first admin 1").get("/admin/").status_code == 200


def test_changepassword_leaves_an_event_ends_tokens_and_asks_for_an_own_one(world, monkeypatch):
    tokens.issue(world.people["alice"], "report", world.actor("alice"))
    monkeypatch.setattr("getpass.getpass", lambda *a, **k: "set at the terminal 1")
    call_command("changepassword", "alice", stdout=StringIO())
    event = newest()
    assert (event.verb, event.actor, event.source) == ("account.change", TERMINAL, "command")
    assert event.after["password"] == "changed"
    assert "set at the terminal" not in str((event.before, event.after))
    assert ApiToken.objects.get().revoked_because == "password_set"
    assert Account.objects.get(person__username="alice").must_change_password
    assert browser("alice", "set at the terminal 1").get("/")["Location"] == "/account/password/"


def test_loaddata_leaves_an_event_for_each_account_and_role(world, tmp_path):
    approvers = Group.objects.get(name="approver").pk
    before = AuditEvent.objects.count()
    load(
        tmp_path,
        user_row("loaded", groups=[approvers]),
        {"model": "auth.group", "fields": {"name": "night watch"}},
        {
            "model": "auth.user",
            "pk": world.people["vic"].pk,
            "fields": {"username": "vic", "password": "x", "groups": [approvers]},
        },
    )
    told = [(e.verb, e.object_name, e.actor, e.source) for e in AuditEvent.objects.order_by("pk")[before:]]
    assert told == [
        ("account.add", "loaded", TERMINAL, "command"),
        ("account.change", "loaded", TERMINAL, "command"),
        ("account.add", "night watch", TERMINAL, "command"),
        *[("account.change", "vic", TERMINAL, "command")] * 3,  # the row, the role that goes, the role that comes
    ]
    assert world.actor("vic").person.touched_by == {TERMINAL}
    assert Account.objects.get(person__username="vic").must_change_password


def test_no_row_of_ours_comes_from_a_fixture(world, tmp_path):
    with_approvals(world)
    world.sync()
    tokens.issue(world.people["mia"], "report", world.actor("mia"))
    tried = 0
    for model in apps.get_app_config("rollouts").get_models():
        thing = model._default_manager.first()
        if thing is None:
            continue
        count, events = model._default_manager.count(), AuditEvent.objects.count()
        for pk in (thing.pk, None):
            row = json.loads(serializers.serialize("json", [thing]))[0] | {"pk": pk}
            with pytest.raises(CommandError, match="can't hold"):
                load(tmp_path, user_row("beside"), row)
        assert model._default_manager.count() == count
        assert AuditEvent.objects.count() == events, "nothing was loaded, the account beside it neither"
        tried += 1
    assert tried > 20


@pytest.mark.parametrize("name", ["аlice", "ramp", "sync", "Alice", "a b", "os:root"])
def test_no_door_lets_such_a_name_in(world, tmp_path, monkeypatch, name):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "first admin 1")
    people, root = User.objects.count(), browser("root", "rollout")
    events = AuditEvent.objects.count()
    with pytest.raises(CommandError):
        superuser(name)
    with pytest.raises(CommandError, match="Nothing was loaded"):
        load(tmp_path, user_row("fine"), user_row(name))
    with pytest.raises(ValidationError), transaction.atomic():
        User.objects.create_user(name, password="x")
    vic = User.objects.get(username="vic")
    vic.username = name
    with pytest.raises(ValidationError), transaction.atomic():
        vic.save()
    page = root.post(
        "/admin/auth/user/add/",
        {"username": name, "password1": "given 1 by root", "password2": "given 1 by root", "usable_password": "true"},
    )
    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert (User.objects.count(), AuditEvent.objects.count()) == (people, events)


@pytest.mark.parametrize("name", ["аdmin", "Admin", "approver\u202e", "adrnin"])
def test_no_group_looks_like_a_role(world, tmp_path, name):
    with pytest.raises(ValidationError), transaction.atomic():
        Group.objects.create(name=name)
    with pytest.raises(CommandError):
        load(tmp_path, {"model": "auth.group", "fields": {"name": name}})


def test_people_of_earlier_releases_keep_their_names_and_sign_in(db):
    User.objects.bulk_create([User(username="José")])
    person = User.objects.get()
    person.set_password("rollout")
    person.save()
    assert browser("José", "rollout").get("/").status_code == 200


def test_python_at_the_shell_leaves_events_too(world):
    vic = world.people["vic"]
    for change, verb in (
        (lambda: vic.groups.add(Group.objects.get(name="admin")), "account.change"),
        (lambda: Group.objects.get(name="admin").user_set.remove(vic), "account.change"),
        (lambda: Group.objects.get(name="viewer").user_set.clear(), "account.change"),
        (lambda: (setattr(vic, "is_superuser", True), vic.save()), "account.change"),
        (lambda: User.objects.filter(username="vic").delete(), "account.delete"),
        (lambda: User.objects.create_user("late"), "account.add"),
    ):
        before = AuditEvent.objects.count()
        change()
        assert AuditEvent.objects.count() == before + 1
        assert (newest().verb, newest().source, newest().actor) == (verb, "shell", TERMINAL)


def test_an_account_and_its_event_are_written_together_or_not_at_all(world, monkeypatch):
    def full(*args, **kwargs):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(AuditEventQuerySet, "bulk_create", full)
    vic = world.people["vic"]
    vic.is_superuser = True
    with pytest.raises(RuntimeError), transaction.atomic():
        vic.save()
    assert not User.objects.get(username="vic").is_superuser
