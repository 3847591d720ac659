"""Exports read back, line by line: each event is what was sealed, at its place, and all of them what was signed.

What is wrong is said with its line. Nothing is written here (``services.history_import`` does).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from ..models import AuditEvent
from ..rules import merkle
from ..rules.phrases import say
from . import canonical, sealing
from .signed_note import Note, NoteRefused, Verifier
from .signed_note import read as read_note

#: The longest line that the portal writes has less than a tenth of it (``audit.bounds``).
LONGEST = 10_000_000
#: A file is read from its end in pieces of so many bytes, until its last line is whole.
PIECE = 100_000


class ExportRefused(ValueError):
    """The file is not an export that can be taken up; says what, where and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event with its seal; ``event`` is None where only a tombstone is left, ``told_by`` where there is none."""

    number: int
    event: AuditEvent | None
    pk: int
    concerns: tuple[int, ...]
    position: int
    chain: str
    place: int
    salt: str
    digest: str
    told_by: int | None


class Export:
    """A file that was opened. Raises ``ExportRefused`` and ``NoteRefused``, here and while it is read."""

    def __init__(self, file: BinaryIO, key: str = "") -> None:
        self._file = file
        self.manifest, self._last = _manifest(file)
        self.note = _signed(self.manifest, key)
        if self.note.size != self.manifest["events"]:
            raise ExportRefused(
                say("The checkpoint is over {size} events, the export says that it has {n}.",
                    size=self.note.size, n=self.manifest["events"])
            )  # fmt: skip
        people = self.manifest["people"]
        self._hidden = {one["name"]: one["hidden"] for one in people if one["hidden"]}
        self._salts = {one["name"]: sealing.key(one["salt"]) for one in people}

    def lines(self) -> Iterator[Line]:
        """All events in the order of their places. What is wrong with the whole is raised at the end."""
        hashed, frontier, heads = sha256(), merkle.Frontier(), dict[str, tuple[int, str]]()
        self._file.seek(0)
        for number, text in _texts(self._file, self._last):
            hashed.update(text)
            try:
                line = self._read(number, json.loads(text), heads)
            except (ValueError, KeyError, TypeError, AttributeError) as wrong:
                if isinstance(wrong, ExportRefused):
                    raise
                raise ExportRefused(say("Line {n} is damaged: it is no event of an export.", n=str(number))) from None
            if line.position != frontier.size:
                raise ExportRefused(say("Line {n} is not at its place: one is missing before.", n=str(number)))
            frontier.add(merkle.leaf(bytes.fromhex(line.digest)))
            heads[line.chain] = (line.place, line.digest)
            yield line
        if hashed.hexdigest() != self.manifest["sha256"] or frontier.size != self.manifest["events"]:
            raise ExportRefused(say("The lines are not those that the manifest was written for."))
        if frontier.root != self.note.root:
            raise ExportRefused(say("The events are not those that the checkpoint was signed over."))

    def _read(self, number: int, row: dict[str, Any], heads: dict[str, tuple[int, str]]) -> Line:
        stone = row.get("tombstone")
        form = stone or json.loads(row["sealed"])
        digest = stone["digest"] if stone else sha256(row["sealed"].encode()).hexdigest()
        place, previous = heads.get(form["chain"], (0, ""))
        if (form["number"], form["previous"]) != (place + 1, previous):
            raise ExportRefused(
                say("Line {n} does not follow on number {place} of {chain}.",
                    n=str(number), place=str(place), chain=str(form["chain"])[:120])
            )  # fmt: skip
        event, concerns = _event(row["row"])
        if not stone:
            if event is None or not self._is_sealed_so(event, concerns, form, row):
                raise ExportRefused(say("Line {n} is not what was sealed.", n=str(number)))
        elif event is not None and event.pk != form["event"]:
            raise ExportRefused(say("Line {n} is not what was sealed.", n=str(number)))
        bytes.fromhex(digest)
        told_by = int(stone["told_by"]) if stone else None
        return Line(number, event, int(form["event"]), concerns, int(row["position"]), str(form["chain"]),
                    int(form["number"]), str(row["salt"]), digest, told_by)  # fmt: skip

    def _is_sealed_so(
        self, event: AuditEvent, concerns: tuple[int, ...], form: dict[str, Any], row: dict[str, Any]
    ) -> bool:
        made = canonical.sealed(
            event, canonical.names_in(event), concerns, self._hide, sealing.key(row["salt"]),
            number=form["number"], previous=form["previous"],
        )  # fmt: skip
        return canonical.written(made) == row["sealed"].encode()

    def _hide(self, name: str) -> str:
        if name not in self._hidden:
            self._hidden[name] = canonical.hidden(name, self._salts.get(name, b""))
        return self._hidden[name]


def _event(row: dict[str, Any] | None) -> tuple[AuditEvent | None, tuple[int, ...]]:
    if row is None:
        return None, ()
    values = {column.attname: row[column.attname] for column in AuditEvent._meta.concrete_fields}
    event = AuditEvent(**values | {"at": datetime.fromisoformat(row["at"])})
    return event, tuple(map(int, row["concerns"]))


def _texts(file: BinaryIO, last: int) -> Iterator[tuple[int, bytes]]:
    """Each line before the one that begins at ``last``, with its number."""
    number = 0
    while file.tell() < last:
        number += 1
        text = file.readline(LONGEST + 1)
        if len(text) > LONGEST:
            raise ExportRefused(say("Line {n} is longer than 10 MB: the portal writes none so long.", n=str(number)))
        yield number, text


def _manifest(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """The last line, and where it begins."""
    breaks_off = ExportRefused(say("The export breaks off: its last line is no manifest. Make it anew."))
    begin, tail = file.seek(0, 2), b""
    while begin and b"\n" not in tail.rstrip(b"\n") and len(tail) < LONGEST:
        size = min(begin, PIECE)
        begin = file.seek(begin - size)
        tail = file.read(size) + tail
    at = tail.rstrip(b"\n").rfind(b"\n") + 1
    if not at and begin:
        raise breaks_off
    try:
        manifest = json.loads(tail[at:])["manifest"]
        is_whole = manifest["is_whole"], int(manifest["events"]), str(manifest["sha256"]), str(manifest["checkpoint"])
    except (ValueError, KeyError, TypeError):
        raise breaks_off from None
    if not is_whole[0]:
        raise ExportRefused(say("The export is a part of a history: leave the filters out when making it."))
    if not {"people", "gaps", "read"} <= manifest.keys():
        raise ExportRefused(say("The export lacks what a portal needs: make it by «audit export --for-import»."))
    return manifest, begin + at


def _signed(manifest: dict[str, Any], key: str) -> Note:
    """The checkpoint, signed by a key of this portal, or by the one that is given."""
    note = read_note(manifest["checkpoint"])
    keys = [Verifier.read(key)] if key else [signer.verifier for signer in sealing.signers()]
    if not note.signed_by(keys):
        raise NoteRefused(
            f"The checkpoint is of {note.origin[:100]} and signed by "
            + (
                "another key than the one that is given."
                if key
                else "no key of this portal. If it is whose you think, give its verifier key: --key NAME+ID+KEY."
            )
        )
    return note


def opened(path: Path) -> BinaryIO:
    """Raises ``OSError``."""
    return path.open("rb")
