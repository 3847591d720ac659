"""Verifying: does each event stand where and as it was sealed, and does the whole stand under its checkpoints?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..models import AuditEvent, Checkpoint, Seal, Verification, clock
from ..rules import merkle
from ..rules.phrases import Phrase, say
from . import canonical, sealing, tombstones
from .signed_note import Note, NoteRefused, Verifier
from .signed_note import read as read_note

BATCH = 2_000


@dataclass(frozen=True, slots=True)
class FirstBad:
    """``event`` is its number, or None where none is there; ``chain`` is empty where it is none's."""

    event: int | None
    chain: str
    why: Phrase

    def as_json(self) -> dict[str, Any]:
        return {"event": self.event, "chain": self.chain, "why": self.why}


@dataclass(slots=True)
class Report:
    """``checkpoint`` is the newest that it was held against; ``unsealed`` events wait for the sealer."""

    events: int = 0
    chains: int = 0
    tombstones: int = 0
    unsealed: int = 0
    checkpoint: Note | None = None
    first_bad: FirstBad | None = None

    @property
    def is_ok(self) -> bool:
        return self.first_bad is None

    @property
    def words(self) -> Phrase:
        """What was found, in a sentence or two."""
        bad = self.first_bad
        if bad is None:
            found = say(
                "{events} events in {chains} chains stand as they were sealed; {unsealed} are not sealed yet.",
                events=self.events, chains=self.chains, unsealed=self.unsealed,
            )  # fmt: skip
            return say(
                "{found} {n} of them are tombstones: what they said is gone, and an event tells of it.",
                found=found, n=self.tombstones,
            ) if self.tombstones else found  # fmt: skip
        if bad.event is None:
            return bad.why
        return say("Event {event} of {chain}: {why}", event=str(bad.event), chain=bad.chain, why=bad.why)

    def as_json(self) -> dict[str, Any]:
        note = self.checkpoint
        newest = note and {
            "size": note.size, "root": note.root.hex(), "at": note.at.isoformat() if note.at else None,
        }  # fmt: skip
        bad = self.first_bad.as_json() if self.first_bad else None
        return {
            "ok": self.is_ok, "events": self.events, "chains": self.chains, "tombstones": self.tombstones,
            "unsealed": self.unsealed, "checkpoint": newest, "first_bad": bad,
        }  # fmt: skip


class _Bad(Exception):
    def __init__(self, event: int | None, chain: str, why: Phrase) -> None:
        self.found = FirstBad(event, chain, why)


def verify(outside: str = "", key: str = "") -> Report:
    """Verify the whole history against the portal's own checkpoints, and one from ``outside`` (a signed note) if given.

    ``key`` is the verifier key that must have signed it; without one it is one of the portal's own. What is wrong is
    in the report; raises ``NoteRefused`` where the outside note is none, or of another portal.
    """
    report = Report()
    notes = list(Checkpoint.objects.order_by("size"))
    try:
        trusted = _trusted(notes)
        expected = {checkpoint.size: checkpoint.root for checkpoint in notes}
        report.checkpoint = read_note(notes[-1].note) if notes else None
        if outside:
            note = _outside(outside, key, trusted)
            if note.size in expected and expected[note.size] != note.root.hex():
                raise _Bad(None, "", _rebuilt(note.size))
            expected[note.size] = note.root.hex()
            report.checkpoint = max(note, report.checkpoint or note, key=lambda each: each.size)
        _walk(report, expected)
        _unsealed(report, notes[-1] if notes else None)
    except _Bad as bad:
        report.first_bad = bad.found
    return report


def keep(report: Report) -> Verification:
    """Remember what was found, for whoever looks at the history."""
    return Verification.objects.create(
        at=clock.now(),
        events=report.events,
        chains=report.chains,
        tombstones=report.tombstones,
        size=report.checkpoint.size if report.checkpoint else None,
        first_bad=report.first_bad.as_json() if report.first_bad else None,
    )


def was_never() -> bool:
    """Whether nobody has verified what is there to be verified."""
    return Checkpoint.objects.exists() and not Verification.objects.exists()


def newest() -> dict[str, Any]:
    """What was found last, as JSON; ``ok`` is None where nobody has verified yet."""
    found = Verification.objects.first()
    if found is None:
        nothing = {"events": 0, "chains": 0, "tombstones": 0, "checkpoint": None, "first_bad": None}
        return {"ok": None, **nothing, "verified_at": None}
    checkpoint = Checkpoint.objects.filter(size=found.size or 0).values("size", "root", "at").first()
    return {
        "ok": found.is_ok, "events": found.events, "chains": found.chains, "tombstones": found.tombstones,
        "checkpoint": checkpoint, "first_bad": found.first_bad, "verified_at": found.at,
    }  # fmt: skip


def _walk(report: Report, expected: dict[int, str]) -> None:
    frontier, heads, hide = merkle.Frontier(), dict[str, tuple[int, str]](), sealing.Salts()
    told = tombstones.told()
    for seals, events in _batches():
        concerns = sealing.concerned(events)
        names = {pk: canonical.names_in(event) for pk, event in events.items()}
        hide.know(names.values())
        for seal in seals:
            event = events.get(seal.event_id)
            number, previous = heads.get(seal.chain, (0, ""))
            report.events, report.chains = frontier.size, len(heads)
            if seal.position != frontier.size:
                raise _Bad(None, "", say("The event at place {place} was removed.", place=frontier.size + 1))
            teller = told.get(seal.event_id)
            if event is None and not (teller and teller.is_gone):
                raise _Bad(seal.event_id, seal.chain, say("The event was removed."))
            if event is not None and event.chain != seal.chain:
                raise _Bad(event.pk, seal.chain, say("The event was moved to the chain {chain}.", chain=event.chain))
            if seal.number <= number:
                raise _Bad(
                    seal.event_id, seal.chain, say("Two events are number {n} of the chain.", n=str(seal.number))
                )
            if seal.number != number + 1:
                raise _Bad(seal.event_id, seal.chain, say("Number {n} of the chain was removed.", n=str(number + 1)))
            if event is not None:
                form = canonical.sealed(
                    event,
                    names[event.pk],
                    concerns[event.pk],
                    hide,
                    sealing.key(seal.salt),
                    number=seal.number,
                    previous=previous,
                )
                if canonical.digest(form) != seal.digest and teller is None:
                    raise _Bad(event.pk, seal.chain, say("The event is not what was sealed."))
            report.tombstones += teller is not None
            heads[seal.chain] = (seal.number, seal.digest)
            frontier.add(merkle.leaf(bytes.fromhex(seal.digest)))
            root = expected.pop(frontier.size, None)
            if root is not None and root != frontier.root.hex():
                raise _Bad(None, "", _rebuilt(frontier.size))
    report.events, report.chains = frontier.size, len(heads)
    expected.pop(0, None)
    if expected:
        raise _Bad(
            None, "",
            say("A checkpoint says that there are {size} events; there are {events}: the newest were removed.",
                size=max(expected), events=frontier.size),
        )  # fmt: skip


def _batches() -> Iterator[tuple[list[Seal], dict[int, AuditEvent]]]:
    last = -1
    while seals := list(Seal.objects.filter(position__gt=last).order_by("position")[:BATCH]):
        places = (seals[0].position, seals[-1].position)
        yield seals, {event.pk: event for event in AuditEvent.objects.filter(seal__position__range=places).order_by()}
        last = seals[-1].position


def _unsealed(report: Report, newest: Checkpoint | None) -> None:
    """What the sealer has not come to yet is well; what stands among events that were sealed long ago is not."""
    unsealed = AuditEvent.objects.filter(seal=None).order_by("pk")
    report.unsealed = unsealed.count()
    late = unsealed.filter(pk__lte=newest.settled).first() if newest else None
    if late is not None:
        raise _Bad(late.pk, late.chain, say("The event was put in among those that were sealed already."))


def _trusted(notes: list[Checkpoint]) -> list[Verifier]:
    """The portal's keys of now and those that signed a checkpoint beside one of them; each checkpoint needs one.

    Raises ``_Bad`` where one has none, or says something else than its row.
    """
    trusted, unsigned = [signer.verifier for signer in sealing.signers()], False
    for checkpoint in reversed(notes):
        try:
            note, keys = read_note(checkpoint.note), [Verifier.read(key) for key in checkpoint.keys]
        except NoteRefused:
            note, keys = None, []
        if note is None or (note.size, note.root.hex()) != (checkpoint.size, checkpoint.root):
            raise _Bad(None, "", say("The checkpoint of {size} events was changed.", size=checkpoint.size))
        if not note.signatures:  # from before there was a key
            unsigned = True
        elif trusted and (unsigned or not note.signed_by(trusted)):
            raise _Bad(
                None, "",
                say("The checkpoint of {size} events, or one after it, is signed by no key of this portal.",
                    size=checkpoint.size),
            )  # fmt: skip
        elif trusted:
            trusted += [each for each in note.signed_by(keys) if each not in trusted]
    return trusted


def _outside(text: str, key: str, trusted: list[Verifier]) -> Note:
    note = read_note(text)
    if note.origin != sealing.origin():
        raise NoteRefused(f"The checkpoint is of {note.origin[:100]}, this history is {sealing.origin()}.")
    keys = [Verifier.read(key)] if key else trusted
    if keys and not note.signed_by(keys):
        raise NoteRefused("The checkpoint is signed by none of this portal's keys. Give the key of then, by --key.")
    return note


def _rebuilt(size: int) -> Phrase:
    return say("The first {size} events are not those that the checkpoint was signed over.", size=size)
