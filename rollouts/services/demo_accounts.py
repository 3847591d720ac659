"""The demo's people have a password that the README tells: they are for the simulator, never beside a real GitLab."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import Account, accounts
from ..rules.origins import is_loopback

PEOPLE = {"mia": "manager", "alice": "approver", "vic": "viewer", "root": "admin"}
PASSWORD = "rollout"


def make() -> None:
    """One person for each role."""
    with transaction.atomic():
        for name, role in PEOPLE.items():
            if User.objects.filter(username=name).exists():
                continue
            with recorded("account.add", by=Actor.job("demo")) as recording:
                recording.about = person = User.objects.create_user(username=name, password=PASSWORD)
                person.groups.add(Group.objects.get(name=role))
                Account.objects.create(person=person, is_demo=True)


def is_closed(person: Any, password: str = "") -> bool:
    """Whether this is one of them and a real GitLab is set. Those of earlier releases are known by their password."""
    if not _gitlab_is_real():
        return False
    account = accounts.of(person)
    return bool(account and account.is_demo) or (person.get_username() in PEOPLE and password == PASSWORD)


def _gitlab_is_real() -> bool:
    """The simulator runs on this machine."""
    host = urlsplit(settings.GITLAB_URL).hostname
    return bool(host) and not is_loopback(host or "")
