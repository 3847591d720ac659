"""Sealing: each event gets its number in its chain and its place in the tree of all; checkpoints are signed over it.

Events are sealed after they are committed, in the order in which they become visible, so nobody who writes waits for
a chain, and a transaction that commits late is sealed late: nothing is passed over. One sealer works at a time.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from ..models import AuditEvent, Checkpoint, EventWords, PersonSalt, Seal, clock
from ..rules import merkle
from . import canonical, signed_note

BATCH = 1_000
#: On SQLite nobody writes while a batch is sealed, so batches are short there.
BATCH_ALONE = 200
#: SQLite's writers ask again each 0.1 s at the latest: after each full batch they have their turn.
TURN = 0.15
#: No transaction takes longer to be seen after its events were written; ``audit verify`` finds one that did.
LATE = timedelta(hours=1)
#: How long a checkpoint waits for more events.
EVERY = timedelta(minutes=15)
#: A key of PostgreSQL's advisory locks: «seal».
_LOCK = 0x7365616C


def work(*, batches: int = 50, now: bool = False) -> int:
    """Seal what is not sealed, so much at most, and sign a checkpoint when one is due, or ``now``.

    Returns how many events it sealed.
    """
    total, after = 0, None
    is_alone = connection.vendor == "sqlite"
    most = BATCH_ALONE if is_alone else BATCH
    for _ in range(batches * BATCH // most):
        sealed, after = seal(after, most)
        total += sealed
        if not sealed:
            break
        if sealed == most and is_alone:
            time.sleep(TURN)
    if now or _is_due():
        checkpoint()
    return total


def seal(after: int | None = None, most: int = BATCH) -> tuple[int, int | None]:
    """Seal events from after this number on: how many, and the last one's number. None where another is at it."""
    with _alone() as is_alone:
        if not is_alone:
            return 0, after
        newest = Checkpoint.objects.first()
        low = max(after or 0, newest.settled if newest else 0)
        events = list(AuditEvent.objects.filter(pk__gt=low, seal=None).order_by("pk")[:most])
        if not events:
            return 0, after
        last = Seal.objects.order_by("-position").values_list("position", flat=True).first()
        position = -1 if last is None else last
        heads = _heads({event.chain for event in events})
        hide, concerns = Salts(make=True), concerned(event.pk for event in events)
        names = {event.pk: canonical.names_in(event) for event in events}
        hide.know(names.values())
        seals = []
        for event in events:
            number, previous = heads.get(event.chain, (0, ""))
            salt = secrets.token_bytes(16)
            form = canonical.sealed(
                event, names[event.pk], concerns[event.pk], hide, salt, number=number + 1, previous=previous
            )
            digest, position = canonical.digest(form), position + 1
            heads[event.chain] = (number + 1, digest)
            seals.append(
                Seal(
                    event=event, position=position, chain=event.chain, number=number + 1, salt=salt.hex(), digest=digest
                )
            )
        Seal.objects.bulk_create(seals)
        _find_by_words(events)
        return len(seals), events[-1].pk


def _find_by_words(events: list[AuditEvent]) -> None:
    """What a process of an earlier release wrote after the migration had looked has no words yet."""
    known = set(EventWords.objects.filter(event__in=events).values_list("event_id", flat=True))
    if missing := [event.pk for event in events if event.pk not in known]:
        EventWords.objects.keep(AuditEvent.objects.filter(pk__in=missing).select_related("rollout"))


def checkpoint() -> Checkpoint | None:
    """Sign what is sealed; the newest checkpoint where nothing came since, None where nothing is sealed at all."""
    with _alone() as is_alone:
        newest = Checkpoint.objects.first()
        if not is_alone:
            return newest
        frontier = merkle.Frontier(newest.size, map(bytes.fromhex, newest.nodes)) if newest else merkle.Frontier()
        for leaf in leaves(frontier.size):
            frontier.add(leaf)
        keys = signers()
        if not frontier.size or (newest and newest.size == frontier.size):
            return newest
        now = clock.now()
        return Checkpoint.objects.create(
            at=now,
            size=frontier.size,
            root=frontier.root.hex(),
            note=signed_note.write(origin(), frontier.size, frontier.root, now, keys),
            keys=[str(signer.verifier) for signer in keys],
            nodes=[node.hex() for node in frontier.nodes],
            settled=_settled(newest.settled if newest else 0),
        )


def leaves(since: int = 0, until: int | None = None) -> Iterator[bytes]:
    """The tree's leaves: each is made of the digest of an event, in the order of their places."""
    seals = Seal.objects.filter(position__gte=since).order_by("position")
    if until is not None:
        seals = seals.filter(position__lt=until)
    for digest in seals.values_list("digest", flat=True).iterator(10_000):
        yield merkle.leaf(bytes.fromhex(digest))


def origin() -> str:
    """How checkpoints name this history: the portal's host and ``/audit``."""
    return f"{urlsplit(settings.PORTAL_URL).netloc or 'localhost'}/audit"


def signers() -> list[signed_note.Signer]:
    """The keys that sign, as configured; beside SQLite one is made once. Raises ``NoteRefused``."""
    pem, path = settings.AUDIT_SIGNING_KEY, settings.AUDIT_KEY_PATH
    if not pem and path is not None:
        with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(signed_note.new_key())
        pem = path.read_text()
    return signed_note.signers(pem, origin())


def key(salt: str) -> bytes:
    """A salt as it keys a hash; of one that somebody has damaged nothing, which then shows in the digest."""
    try:
        return bytes.fromhex(salt)
    except ValueError:
        return b""


def concerned(events: Iterable[int]) -> dict[int, list[int]]:
    """Which rollouts each of these events concerns besides its own."""
    found: dict[int, list[int]] = {event: [] for event in events}
    if found:
        through = AuditEvent.concerns.through.objects.filter(auditevent__gte=min(found), auditevent__lte=max(found))
        for event, rollout in through.values_list("auditevent_id", "rollout_id"):
            if event in found:
                found[event].append(rollout)
    return found


class Salts:
    """Whom a name stands for: by the salts that the database keeps, read when they are needed."""

    def __init__(self, *, make: bool = False) -> None:
        self._salts: dict[str, bytes] = {}
        self._hidden: dict[str, str] = {}
        self._make = make

    def know(self, names: Iterable[set[str]]) -> None:
        """Read the salts of these people, and make those that are missing where it may."""
        wanted = set[str]().union(*names) - self._salts.keys()
        known = PersonSalt.objects.filter(name__in=wanted).values_list("name", "salt", "hidden") if wanted else ()
        for name, salt, hidden in known:
            self._salts[name] = key(salt)
            if hidden:
                self._hidden[name] = hidden
        if missing := wanted - self._salts.keys():
            made = {name: secrets.token_bytes(32) if self._make else b"" for name in sorted(missing)}
            if self._make:
                PersonSalt.objects.bulk_create(PersonSalt(name=name, salt=salt.hex()) for name, salt in made.items())
            self._salts |= made

    def __call__(self, name: str) -> str:
        if name not in self._hidden:
            self._hidden[name] = canonical.hidden(name, self._salts[name])
        return self._hidden[name]


def _heads(chains: set[str]) -> dict[str, tuple[int, str]]:
    """The last number and digest of each of these chains."""
    last = Seal.objects.order_by().filter(chain__in=chains).values("chain").annotate(last=Max("position"))
    positions = [row["last"] for row in last]
    rows = Seal.objects.filter(position__in=positions).values_list("chain", "number", "digest")
    return {chain: (number, digest) for chain, number, digest in rows}


def _settled(before: int) -> int:
    """Up to which number no event can come any more that is not sealed."""
    long_ago = AuditEvent.objects.filter(at__lt=clock.now() - LATE)
    newest = long_ago.order_by("-at", "-pk").values_list("pk", flat=True).first()
    if newest is None or newest <= before:
        return before
    open_events = AuditEvent.objects.filter(pk__gt=before, pk__lte=newest, seal=None)
    first = open_events.order_by("pk").values_list("pk", flat=True).first()
    return newest if first is None else first - 1


def _is_due() -> bool:
    newest = Checkpoint.objects.first()
    return newest is None or newest.at <= clock.now() - EVERY


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else seals until this transaction ends."""
    with transaction.atomic():
        if connection.vendor != "postgresql":  # SQLite's transactions are one after the other
            yield True
            return
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
            yield bool(cursor.fetchone()[0])
