"""``make decisions``: each decision gets a date and a status, and ``docs/decisions/README.md`` is the index of all.

A decision begins ``# Title``, an empty line, ``Date: 2026-11-28``, ``Status: accepted``. Who writes one may leave the
two lines out: the date is that of its first commit, and a new decision is accepted.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/decisions"
INDEX = FOLDER / "README.md"
HEAD = re.compile(r"# (?P<title>.+)\n\nDate: (?P<date>\d{4}-\d\d-\d\d)\nStatus: (?P<status>.+)\n\n")
INTRODUCTION = """# Decisions

Why the portal is built the way it is: half a page each, with context, decision and consequence. What a later decision
changed says so in its status. A new one takes the next free number; `make decisions` dates it and renews this index.

| number | decision | date | status |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Decision:
    number: str
    file: str
    title: str
    date: str
    status: str


def all_of_them() -> list[Decision]:
    """As their files say it. Raises ValueError naming the first that lacks title, date or status."""
    decisions = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        head = HEAD.match(path.read_text())
        if not head:
            raise ValueError(f"{path.name} has no date and status: run make decisions")
        decisions.append(Decision(path.name[:4], path.name, **head.groupdict()))
    return decisions


def index(decisions: list[Decision]) -> str:
    rows = (f"| {d.number} | [{d.title}]({d.file}) | {d.date} | {d.status} |\n" for d in decisions)
    return INTRODUCTION + "".join(rows)


def complete(path: Path) -> None:
    """Give it what its head lacks."""
    text = path.read_text()
    if HEAD.match(text):
        return
    title, _, rest = text.partition("\n")
    title = re.sub(rf"^# 0*{int(path.name[:4])}\.? ", "# ", title)
    path.write_text(f"{title}\n\nDate: {_first_commit(path)}\nStatus: accepted\n\n{rest.lstrip()}")


def _first_commit(path: Path) -> str:
    asked = ["git", "log", "--follow", "--format=%ad", "--date=short", "--", str(path)]
    days = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return days[-1] if days else date.today().isoformat()


if __name__ == "__main__":
    for decision in FOLDER.glob("[0-9]*.md"):
        complete(decision)
    INDEX.write_text(index(all_of_them()))
