"""What the portal knows of an account beside Django's own user: whose hands were on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from ..rules.phrases import say
from . import bindings
from .change_log import AuditedModel


class Account(AuditedModel):
    """One for each person of whom there is something to know; who has none is their own master.

    ``touched`` maps names to times: who gave or took a role, set the password or made a token of this account, and
    could have been in it since. A sign-in of the person's own empties it (docs/decisions/0038-own-accounts.md).
    """

    #: The event in which somebody had a hand in it says so itself.
    unaudited_fields = frozenset({"id", "person", "touched"})

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="account")
    password_by = models.CharField(
        max_length=150, blank=True, help_text=_("Who else set the password; empty where it is the person's own.")
    )
    must_change_password = models.BooleanField(
        default=False, help_text=_("Nothing works before the person has set a password of their own.")
    )
    is_demo = models.BooleanField(
        default=False, editable=False, help_text=_("Made by the demo: opens nothing beside a real GitLab.")
    )
    same_human = models.JSONField(
        default=list, blank=True, help_text=_("Other accounts that the same GitLab user was in: one pair of eyes.")
    )
    former_names = models.JSONField(
        default=list, blank=True, help_text=_("What the person was called here before: nobody else may be.")
    )
    working_hours = models.CharField(
        max_length=120, blank=True, help_text=_("As in Mon-Fri 09:00-17:00 Europe/Berlin; empty: the portal's.")
    )
    touched = models.JSONField(default=dict, blank=True, help_text=_("Who had a hand in the account, and when."))

    class Meta:
        ordering = ("person",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(must_change_password=False) | ~models.Q(password_by=""),
                name="who_must_change_a_password_did_not_set_it",
            ),
        ]

    def __str__(self) -> str:
        return say("account of {person}", person=self.person)

    def _changed_since(self, before: dict[str, Any]) -> set[str]:
        """A row that is new tells what is not as with everybody."""
        usual = {} if before else {field.attname: field.get_default() for field in self._meta.concrete_fields}
        return super()._changed_since({**usual, **before})


def of(user: Any) -> Account | None:
    """Read once for each object; with the session where somebody is signed in."""
    try:
        account: Account | None = user.account
    except (ObjectDoesNotExist, AttributeError):
        return None
    return account


def touched_by(user: Any) -> frozenset[str]:
    """Whose hands were on the account since its owner proved to be in it."""
    account = of(user)
    return frozenset(account.touched) if account else frozenset()


def must_change_password(user: Any) -> bool:
    account = of(user)
    return bool(account and account.must_change_password)


class Identity(AuditedModel):
    """Who somebody is at the identity provider: known again by ``issuer`` and ``subject``, never by a name."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="identity")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    username = models.CharField(max_length=255, blank=True, help_text=_("What the provider calls them."))

    class Meta:
        ordering = ("person",)
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint(fields=("issuer", "subject"), name="one_person_per_identity")]

    def __str__(self) -> str:
        return say("identity of {person}", person=self.person)

    @property
    def is_gitlabs(self) -> bool:
        """Whether the provider is one of the GitLabs that are followed: its subject is then the id of a GitLab user."""
        return self.issuer.rstrip("/") in {bindings.url_of(name).rstrip("/") for name in bindings.names()}


class FormerIdentity(AuditedModel):
    """Who somebody was at the identity provider until they disconnected: one human in whichever account is next."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="former_identities")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)

    class Meta:
        ordering = ("pk",)
        verbose_name_plural = _("former identities")
        constraints = [models.UniqueConstraint(fields=("person", "issuer", "subject"), name="one_former_identity_each")]
        indexes = [models.Index(fields=("issuer", "subject"), name="former_identity_by_subject")]

    def __str__(self) -> str:
        return say("former identity of {person}", person=self.person)


def same_human(user: Any) -> frozenset[str]:
    """Names of other accounts that this person's GitLab user is, or was, in."""
    account = of(user)
    return frozenset(account.same_human) if account else frozenset()


def former_names(user: Any) -> frozenset[str]:
    """What this person was called here before: what stands under those names is theirs."""
    account = of(user)
    return frozenset(account.former_names) if account else frozenset()


def called_before(names: Iterable[str] | None = None) -> dict[str, str]:
    """Former names, all or those of these, each with whose it is now; one query, of the few who were renamed."""
    rows = Account.objects.exclude(former_names=[]).values_list("former_names", "person__username")
    known = {former: name for formers, name in rows for former in formers}
    return known if names is None else {name: known[name] for name in names if name in known}


def twins_of(user: Any) -> frozenset[str]:
    """All other names of this person: of other accounts, of before, and GitLab's."""
    return same_human(user) | former_names(user) | frozenset(filter(None, (handle_of(user),)))


def names_of(user: Any) -> frozenset[str]:
    """All names of the human behind this account, as four eyes tell people apart."""
    return same_human(user) | former_names(user) | {user.get_username()} if user is not None else frozenset()


def handle_of(user: Any) -> str:
    """What GitLab calls this person, as they proved by a sign-in there; empty where it is somebody else's name here."""
    if user is None or not user.pk:
        return ""
    if not hasattr(user, "_handle"):
        know_handles([user])
    handle: str = user._handle
    return handle


def know_handles(users: Iterable[Any]) -> None:
    """One query for all, and none where no GitLab user is called otherwise here; identities are read together with
    the persons."""
    called = {}
    for user in users:
        user._handle = ""
        identity = getattr(user, "identity", None)
        if identity is not None and identity.username and identity.is_gitlabs:
            called[user] = identity.username
    others = {handle.lower() for user, handle in called.items() if handle != user.get_username()}
    taken = set()
    if others:
        people = get_user_model()._default_manager.annotate(low=Lower("username")).filter(low__in=others)
        taken = set(people.values_list("low", "pk"))
    for user, handle in called.items():
        if not any(low == handle.lower() and pk != user.pk for low, pk in taken):
            user._handle = handle
