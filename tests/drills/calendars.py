"""Questions to many readers of calendars at once, and files that are spoilt on purpose."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

FREQUENCIES = [b"SECONDLY", b"MINUTELY", b"HOURLY", b"DAILY;COUNT=999999", b"YEARLY;BYMONTH=2;BYMONTHDAY=30"]


def ask(questions):
    """Each answer as it comes."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.drills.many_calendars"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as many:  # fmt: skip
        for question in questions:
            many.stdin.write(json.dumps(question) + "\n")
            many.stdin.flush()
            yield json.loads(many.stdout.readline())
        many.stdin.close()


def question(name: str, content: bytes, how: str) -> dict:
    """Two years from the first event on."""
    years = re.findall(rb"DTSTART[^\r\n]*?:(\d{4})(\d\d)(\d\d)", content)
    days = [
        datetime(int(y), int(m), int(d), tzinfo=UTC)
        for y, m, d in years
        if "1971" < y.decode() < "2100" and int(m) in range(1, 13) and 0 < int(d) < 29
    ]
    since = min(days, default=datetime(2026, 1, 1, tzinfo=UTC)) - timedelta(days=8)
    span = {"since": since.isoformat(), "until": (since + timedelta(days=739)).isoformat()}
    return {"name": name, "how": how, "content": content.decode("latin-1"), **span}


def spoilt(strangers: dict[str, bytes], dice: random.Random) -> bytes:
    """Lines and bytes of calendars left out, doubled, swapped, put elsewhere; numbers made large."""
    lines = dice.choice(list(strangers.values()))[:60_000].splitlines()
    for _ in range(dice.randrange(1, 12)):
        if not lines:
            break
        place = dice.randrange(len(lines))
        line = lines[place]
        match dice.randrange(7):
            case 0:
                del lines[place]
            case 1:
                lines.insert(dice.randrange(len(lines)), line)
            case 2:
                other = dice.choice(list(strangers.values())).splitlines() or [b""]
                lines.insert(place, dice.choice(other))
            case 3:
                cut = dice.randrange(len(line) + 1)
                lines[place] = line[:cut] + dice.randbytes(dice.randrange(6)) + line[cut + dice.randrange(4) :]
            case 4:
                lines[place] = re.sub(
                    rb"\d+", lambda _: str(dice.randrange(10 ** dice.randrange(1, 12))).encode(), line
                )
            case 5:
                (freq,) = dice.choices(FREQUENCIES, [1, 1, 20, 99, 20])
                lines[place] = b"RRULE:FREQ=" + freq
            case _:
                lines[place] = line[:20] * dice.randrange(1, 2000)
    return b"\r\n".join(lines)
