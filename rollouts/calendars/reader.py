"""Read a calendar: start the child, wait so long and no longer, and take plain periods from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..rules.locks import Window
from ..rules.phrases import invalid, say, unpacked
from ..rules.zones import zone
from .limits import WALL_SECONDS
from .refusals import CalendarRefused, too_much

__all__ = ["LARGEST", "LONGEST", "CalendarRefused", "Reading", "read_calendar"]

LARGEST = 1_000_000  # bytes
#: After so many seconds by the clock on the wall it is killed, should it not have given up itself.
LONGEST = WALL_SECONDS + 10
HOME = Path(__file__).resolve().parents[2]
#: All that the child gets of the portal's environment: no secret.
KEPT = ("PATH", "PYTHONPATH", "PYTHONTZPATH", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: the periods, in order, and sentences for people («Freeze: every Friday, without end.»)."""

    windows: tuple[Window, ...]
    notes: tuple[str, ...] = ()


def read_calendar(
    content: bytes, *, since: datetime, until: datetime, default_zone: str = "UTC", transparent_locks: bool = False
) -> Reading:
    """All events that touch [since, until) (aware), whole, in order, each once.

    Times without a zone and whole days are those of the file's X-WR-TIMEZONE, or else of ``default_zone``. Raises
    ``CalendarRefused``; and plain ``ValueError`` for an unknown ``default_zone`` or a span without a zone, which are
    not the calendar's fault.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise invalid("since and until need a zone. Give them in UTC.")
    zone(default_zone)
    if len(content) > LARGEST:
        raise CalendarRefused(
            say("the calendar is larger than {size} MB. Export a shorter span of it.", size=f"{LARGEST / 1e6:g}")
        )
    question = {
        "since": since.astimezone(UTC).isoformat(),
        "until": until.astimezone(UTC).isoformat(),
        "zone": default_zone,
        "transparent_locks": transparent_locks,
    }
    answer = json.loads(_ask_child(json.dumps(question).encode() + b"\n" + content) or b"{}")
    if "periods" not in answer:
        raise CalendarRefused(unpacked(answer["refused"])) if "refused" in answer else too_much()
    return Reading(
        tuple(
            Window(datetime.fromisoformat(start), datetime.fromisoformat(end), title)
            for start, end, title in answer["periods"]
        ),
        tuple(unpacked(note) for note in answer["notes"]),
    )


def _ask_child(question: bytes) -> bytes:
    """What the child wrote, empty where it was killed. Files, not pipes: then nobody waits for anybody."""
    kept = {name: value for name in KEPT if (value := os.environ.get(name))}
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as output:
        asked.write(question)
        asked.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-m", "rollouts.calendars.child"],
            stdin=asked, stdout=output, stderr=subprocess.DEVNULL, cwd=HOME, env=kept,
        )  # fmt: skip
        try:
            child.wait(LONGEST)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also where the portal itself is told to stop
            if child.poll() is None:
                child.kill()
                child.wait()
        if child.returncode != 0:
            return b""
        output.seek(0)
        return output.read()
