"""Forgetting a person who left: the name goes everywhere, what was done stays, and the history still verifies.

User names stand outside of what is hashed, keyed by a salt: the salt goes, and a stand-in takes the name's place, so
those events are what was sealed. Where a name was written into a sentence, or with an address of mail, the event
loses it all the same, and gets a tombstone that the event of the forgetting tells of (``audit.tombstones``).

Rows are rewritten past the models, which would write the name into the history once more. History, readings and
approvals are append-only in the database: their triggers step aside within the one transaction, so this is for who
owns the tables.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from axes.models import AccessAttempt
from django.apps import apps
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Q

from ..audit import canonical, sealing, tombstones, triggers
from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import (
    Absence,
    ApprovalRequest,
    AuditEvent,
    BrowserSession,
    Checkpoint,
    EventWords,
    FollowedRollout,
    FormerIdentity,
    Identity,
    Notice,
    NoticeSettings,
    Passkey,
    PersonSalt,
    Rollout,
    SavedView,
    SecondFactor,
)
from ..models.tokens import Ended
from ..rules.blockers import Blocker
from ..rules.forgetting import Without, is_stand_in, rewritten, stand_in, without
from ..rules.machine import Role
from ..rules.phrases import joined, say
from . import accounts
from .refusals import refuse_if, role_missing

#: What GitLab says of its own users and flags, and what proves the history: no names of people of the portal.
NOT_OURS = frozenset(
    """BrowserSession CheckpointCopy Checkpoint Condition EventWords FeatureFlag GitLabActor GitLabInstance
    GitLabProject HookDelivery InstanceHealth IssueFeedback KeepingRun NoticePlace OwedChat OwedMail PersonSalt Seal
    Sender SyncRun SyncScope TrackedIssue Verification""".split()
)
APPEND_ONLY = (triggers.HISTORY, "rollouts_flagreading", "rollouts_approval")
#: Where the rules of the portal look a thing up by, or what GitLab said.
UNTOUCHED = frozenset({"chain", "digest", "gates", "key", "marker", "raw", "request_id", "slug", "verb"})
BATCH = 500
NAMED = 5


@dataclass(slots=True)
class Forgotten:
    """What was done, or would be: how many rows of each table lose the name, and how many events their sealed form."""

    stands_in: str
    rows: dict[str, int] = field(default_factory=dict)
    tombstones: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"stands_in": self.stands_in, "rows": self.rows, "tombstones": self.tombstones}


class NotTheOwner(RuntimeError):
    """The database refuses: whoever connects does not own the tables."""


class _OnlyTried(Exception):
    """A dry run has seen what it would do."""


def forget(person: User, *, by: Actor, reason: str, dry_run: bool = False) -> Forgotten:
    """All of it in one transaction. Raises ``Refused``, and ``NotTheOwner``; then nothing changed.

    Events that can't change any more are read before it, so that nobody waits for that.
    """
    found = Forgotten("")
    known = _Known(_words_of(person, dict.fromkeys(_names_of(person), "")))
    try:
        with transaction.atomic():
            found = _forget(person, by, reason, known)
            if dry_run:
                raise _OnlyTried
    except _OnlyTried:
        pass
    except DatabaseError as error:
        if "must be owner" in str(error) or "permission denied" in str(error):
            raise NotTheOwner(str(error).splitlines()[0]) from None
        raise
    return found


class _Known:
    """The settled events in which words stand, by number, found while nothing is locked."""

    def __init__(self, words: dict[str, str]) -> None:
        newest = Checkpoint.objects.first()
        self.words, self.settled = set(words), newest.settled if newest else 0
        self.events = [row["id"] for row in _rows_with(AuditEvent, words, "id <= %s", [self.settled])]
        self.altered = tombstones.altered(self.events)


def _forget(person: User, by: Actor, reason: str, known: _Known) -> Forgotten:
    person = User.objects.select_for_update().get(pk=person.pk)
    names = _names_of(person)
    refuse_if(_blockers(person, names, by, reason))
    signs = secrets.token_hex(3)
    stand_ins = {name: stand_in(signs, number) for number, name in enumerate(names, start=1)}
    now_called = stand_ins[person.get_username()]
    words = _words_of(person, stand_ins)
    found = Forgotten(now_called)
    if known.words != set(words):  # renamed meanwhile
        known = _Known(words)
    refuse_if(_altered(person, words, known))
    with triggers.aside(connection, *APPEND_ONLY):
        _rewrite_all(person, by, reason, stand_ins, words, known, found)
    return found


def _words_of(person: User, stand_ins: dict[str, str]) -> dict[str, str]:
    """What is looked for, with what takes its place: names, the address of mail, the full name."""
    now_called = stand_ins[person.get_username()]
    return {**stand_ins, **{word: now_called for word in (person.email, person.get_full_name()) if word}}


def _rewrite_all(
    person: User, by: Actor, reason: str, stand_ins: dict[str, str], words: dict[str, str], known: _Known,
    found: Forgotten,
) -> None:  # fmt: skip
    now_called = found.stands_in
    with recorded("person.forget", by=by, reason=without(words)(reason.strip())) as recording:
        _close(person, now_called, words)
        recording.about = person
        accounts.end_access(person, Ended.SWITCHED_OFF)
        if person.groups.exists():
            person.groups.clear()
        _hide(stand_ins)
        _rewrite_tables(without(words), words, found)
        changed = _rewrite_events(person, words, known, found)
        found.tombstones = len(changed)
        recording.notes |= {"rows": dict(found.rows), tombstones.KEY: tombstones.listed(changed)}
    told_by = AuditEvent.objects.filter(verb="person.forget", object_id=str(person.pk)).order_by("-pk")[0]
    tombstones.put(changed, told_by)


def _names_of(person: User) -> list[str]:
    """The present user name first, then those that the account had before and that are nobody else's today."""
    now = person.get_username()
    about = AuditEvent.objects.filter(object_type="User", object_id=str(person.pk)).order_by("pk")
    earlier = {
        part["username"]
        for before, after in about.values_list("before", "after")
        for part in (before, after)
        if isinstance(part.get("username"), str)
    }
    taken = set(User.objects.filter(username__in=earlier).values_list("username", flat=True))
    return [now, *sorted(earlier - taken - {now, ""})]


def _blockers(person: User, names: list[str], by: Actor, reason: str) -> list[Blocker]:
    name = person.get_username()
    blockers = role_missing(by, Role.ADMIN, say("Forgetting somebody"))
    if not reason.strip():
        blockers.append(Blocker("reason_missing", say("Forgetting somebody needs a reason.")))
    if is_stand_in(name):
        blockers.append(Blocker("same", say("{name} is forgotten already.", name=name)))
    if by.user is not None and by.user.pk == person.pk:
        blockers.append(Blocker("oneself", say("Nobody forgets themselves: ask another admin.")))
    if person.is_active and _is_admin(person) and not _admins().exclude(pk=person.pk).exists():
        blockers.append(Blocker("last_door", say("{name} is the only admin: make another one first.", name=name)))
    owned = Rollout.objects.open().filter(Q(created_by=name, owners=[]) | Q(pk__in=_owned(name)))
    if titles := list(owned.order_by("title").values_list("title", flat=True)[: NAMED + 1]):
        message = say("{name} owns open rollouts: {titles}. Give them another owner first, by their plans.",
                      name=name, titles=_some(titles))  # fmt: skip
        blockers.append(Blocker("owns", message))
    asked = ApprovalRequest.objects.filter(requested_by=name, closed_at=None).select_related("phase__rollout")
    if standing := [str(request) for request in asked.order_by("pk")[: NAMED + 1]]:
        message = say("{name} has asked for what still stands: {requests}. Withdraw it, or ask anew in another name.",
                      name=name, requests=_some(standing))  # fmt: skip
        blockers.append(Blocker("asks", message))
    return blockers


def _altered(person: User, words: dict[str, str], known: _Known) -> list[Blocker]:
    """Events that somebody changed already: a tombstone on one would hide that."""
    later = {row["id"] for row in _rows_with(AuditEvent, words, "id > %s", [known.settled])}
    found = sorted(known.altered | tombstones.altered(later | _about(person)))
    if not found:
        return []
    message = say(
        "Somebody has changed events that would lose the name, past the portal: {events}. They are not what was "
        "sealed, and forgetting would hide it. See what `audit verify` says, and put them right from a copy first.",
        events=_some([str(number) for number in found[: NAMED + 1]]),
    )
    return [Blocker("altered", message)]


def _about(person: User) -> set[int]:
    about = AuditEvent.objects.order_by().filter(object_type="User", object_id=str(person.pk))
    return set(about.values_list("pk", flat=True))


def _owned(name: str) -> list[int]:
    rows = Rollout.objects.open().exclude(owners=[]).values_list("pk", "owners")
    return [pk for pk, owners in rows if name in owners]


def _some(titles: list[str]) -> str:
    return joined(titles[:NAMED], ", ") + (" …" if len(titles) > NAMED else "")


def _is_admin(person: User) -> bool:
    return _admins().filter(pk=person.pk).exists()


def _admins() -> Any:
    return User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.ADMIN.value), is_active=True)


def _close(person: User, name: str, words: dict[str, str]) -> None:
    """The account opens nothing any more and says nobody's name. Past its signals, which would tell the old one."""
    BrowserSession.objects.filter(person=person).delete()
    AccessAttempt.objects.filter(username__in=words).delete()
    models.QuerySet(SavedView).filter(person=person, shared=False).delete()
    for kind in (Notice, NoticeSettings, FollowedRollout):
        models.QuerySet(kind).filter(person=person).delete()
    models.QuerySet(Identity).filter(person=person).delete()
    models.QuerySet(Passkey).filter(factor__person=person).delete()
    models.QuerySet(SecondFactor).filter(person=person).delete()
    models.QuerySet(FormerIdentity).filter(person=person).delete()
    models.QuerySet(Absence).filter(Q(person=person) | Q(instead=person)).delete()
    empty = {"first_name": "", "last_name": "", "email": "", "is_active": False}
    person.set_unusable_password()
    User.objects.filter(pk=person.pk).update(
        username=name, password=person.password, is_staff=False, is_superuser=False, last_login=None, **empty
    )
    person.refresh_from_db()


def _hide(stand_ins: dict[str, str]) -> None:
    """From now on the stand-in is hashed as the name was; what keyed the name is gone."""
    for salt in PersonSalt.objects.filter(name__in=stand_ins):
        hidden = salt.hidden or canonical.hidden(salt.name, sealing.key(salt.salt))
        PersonSalt.objects.filter(pk=salt.pk).update(name=stand_ins[salt.name], salt="", hidden=hidden)


def _rewrite_tables(without: Without, words: dict[str, str], found: Forgotten) -> None:
    for model in apps.get_app_config("rollouts").get_models():
        if model is AuditEvent or model.__name__ in NOT_OURS:
            continue
        changed = sum(_rewrite(model, row, without) for row in _rows_with(model, words))
        if changed:
            found.rows[model._meta.db_table.removeprefix("rollouts_")] = changed


def _rewrite_events(person: User, words: dict[str, str], known: _Known, found: Forgotten) -> set[int]:
    """The events that are no longer what was sealed."""
    changed, numbers = set[int](), {*known.events, *_about(person)}
    rows = {row["id"]: row for row in _rows_with(AuditEvent, words, "id > %s", [known.settled])}
    for start in range(0, len(numbers), BATCH):
        rows |= {row["id"]: row for row in _rows(AuditEvent, sorted(numbers)[start : start + BATCH])}
    personal = {"email", "first_name", "last_name"}
    for row in rows.values():
        if _rewrite(AuditEvent, row, without(words), personal if _is_about(row, person) else frozenset()):
            changed.add(row["id"])
    if changed:
        found.rows["auditevent"] = len(changed)
    for start in range(0, len(changed), BATCH):
        some = sorted(changed)[start : start + BATCH]
        EventWords.objects.renew(AuditEvent.objects.filter(pk__in=some).select_related("rollout"))
    return tombstones.altered(changed)


def _is_about(row: dict[str, Any], person: User) -> bool:
    return (row["object_type"], row["object_id"]) == ("User", str(person.pk))


# Rows as the database holds them: no field of a model reads them otherwise.


def _columns(model: type[models.Model]) -> dict[str, bool]:
    """Text columns that may hold a name, each with whether it is JSON."""
    return {
        str(column.column): isinstance(column, models.JSONField)
        for column in model._meta.concrete_fields
        if isinstance(column, models.CharField | models.TextField | models.JSONField) and column.name not in UNTOUCHED
    }


def _rows_with(
    model: type[models.Model], words: dict[str, str], within: str = "1 = 1", bound: Sequence[Any] = ()
) -> Iterator[dict[str, Any]]:
    """Rows, ``within`` some, in which any of these words stands, as plain text."""
    columns, quote = _columns(model), connection.ops.quote_name
    if not columns:
        return
    is_in = "strpos({}::text, %s) > 0" if connection.vendor == "postgresql" else "instr({}, %s) > 0"
    written = sorted({form for word in words for form in (word, json.dumps(word)[1:-1])})
    wanted = [is_in.format(quote(column)) for column in columns for _ in written]
    yield from _read(model, f"{within} AND ({' OR '.join(wanted)})", [*bound, *written * len(columns)])


def _rows(model: type[models.Model], keys: Sequence[int]) -> Iterator[dict[str, Any]]:
    """These rows."""
    key = connection.ops.quote_name(str(model._meta.pk.column))
    yield from _read(model, f"{key} IN ({', '.join(['%s'] * len(keys))})", keys)


def _read(model: type[models.Model], where: str, values: Sequence[Any]) -> Iterator[dict[str, Any]]:
    columns, quote = _columns(model), connection.ops.quote_name
    as_text = "{}::text" if connection.vendor == "postgresql" else "{}"
    chosen = ", ".join(as_text.format(quote(column)) for column in columns)
    table, key = quote(model._meta.db_table), quote(str(model._meta.pk.column))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {key}, {chosen} FROM {table} WHERE {where}", values)  # noqa: S608 - our own names
        rows = cursor.fetchall()
    for pk, *texts in rows:
        yield {"id": pk, **dict(zip(columns, texts, strict=True))}


def _rewrite(
    model: type[models.Model], row: dict[str, Any], without: Without, emptied: frozenset[str] | set[str] = frozenset()
) -> bool:
    """Write the row's columns that differ without the names; whether any did."""
    changed: dict[str, str] = {}
    for column, is_json in _columns(model).items():
        text = row[column]
        if text is None:
            continue
        new = text
        if is_json:
            value = json.loads(text)
            told = _emptied(rewritten(value, without), emptied)
            new = text if told == value else json.dumps(told)
        elif (told_text := without(text)) != text:
            new = told_text[: _longest(model, column)]
        if new != text:
            changed[column] = new
    if not changed:
        return False
    quote = connection.ops.quote_name
    sets = ", ".join(
        f"{quote(column)} = %s" + ("::jsonb" if _columns(model)[column] and connection.vendor == "postgresql" else "")
        for column in changed
    )
    key = quote(str(model._meta.pk.column))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {key} = %s",  # noqa: S608 - our own names
            [*changed.values(), row["id"]],
        )
    return True


def _longest(model: type[models.Model], column: str) -> int | None:
    found = next(each for each in model._meta.concrete_fields if each.column == column)
    return found.max_length if isinstance(found, models.CharField) else None


def _emptied(value: Any, keys: frozenset[str] | set[str]) -> Any:
    if not keys or not isinstance(value, dict):
        return value
    return {key: "" if key in keys and isinstance(one, str) else _emptied(one, keys) for key, one in value.items()}
