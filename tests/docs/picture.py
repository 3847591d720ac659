"""``make map``: docs/architecture.svg, the portal's rooms and who uses whom, drawn from what the code imports.

The floors are those of import-linter's contract. An arrow is drawn only where no way over other rooms leads there as
well: portal → sync → services says that the portal may use services too. Each box says all that its room uses.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs/architecture.svg"
#: What each room is for, and at which of the twelve columns its box begins and how many it takes.
ROOMS = {
    "portal": ("pages, forms, feeds", 0, 3),
    "api": ("REST", 3, 2),
    "admin": ("Django's admin", 5, 2),
    "management": ("commands", 7, 2),
    "tasks": ("Celery's jobs", 9, 2),
    "sync": ("reads GitLab, pays what is owed to it", 2, 5),
    "services": ("all that a person or a job can do", 2, 5),
    "audit": ("records each change as an event", 0, 4),
    "calendars": ("a child process", 5, 4),
    "models": ("what is stored", 0, 4),
    "rules": ("pure functions: facts in, answer out", 0, 9),
    "gitlab": ("the only door to GitLab", 9, 3),
    "prometheus": ("the only door to Prometheus", 9, 3),
    "gitlab_simulator": ("a GitLab to run against", 9, 3),
}
#: Rooms beside the house, with the floor that they are drawn at.
BESIDE = {"gitlab": 2, "gitlab_simulator": 1, "prometheus": 3}
#: What holds the rooms together and is no room.
NOT_DRAWN = {"apps", "migrations", "rollouts"}
COLUMN, ROW, BOX, EDGE = 84, 118, 66, 16
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.name { font-weight: 600; font-size: 15px }
.uses { font-size: 11px; fill: #59636e }
rect { fill: #f6f8fa; stroke: #59636e }
path { fill: none; stroke: #59636e; stroke-width: 1.5 }
marker path { fill: #59636e; stroke: none }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .uses { fill: #b1bac4 }
  rect { fill: #151b23; stroke: #9198a1 } path { stroke: #9198a1 } marker path { fill: #9198a1; stroke: none }
}
"""


def uses() -> dict[str, set[str]]:
    """Each room with the rooms whose modules its own import."""
    graph = grimp.build_graph("rollouts", "gitlab_simulator")
    used: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            used[_room(module)].add(_room(imported))
    return {room: targets - {room} - NOT_DRAWN for room, targets in used.items() if room not in NOT_DRAWN}


def floors() -> list[list[str]]:
    """From the top, as ``make lint`` holds them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[room.strip().rpartition(".")[2] for room in floor.split(":")] for floor in layers]


def draw(used: dict[str, set[str]], rows: list[list[str]]) -> str:
    """SVG that follows the reader's theme. Raises KeyError for a room that ROOMS does not tell of."""
    at = {room: row for row, rooms in enumerate(rows) for room in rooms} | BESIDE
    everything = sorted(used.keys() | {target for targets in used.values() for target in targets} | at.keys())
    boxes = [_box(room, at[room], used.get(room, set()), at) for room in everything]
    arrows = [_arrow(room, target, at) for room in everything for target in _drawn(room, used, at)]
    width, height = 12 * COLUMN + EDGE, len(rows) * ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="'
        f'Rooms of the portal, upper floors use lower ones">\n<style>{STYLE}</style>\n'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker>\n' + "\n".join([*arrows, *boxes]) + "\n</svg>\n"
    )


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "rollouts" and len(parts) > 1 else parts[0]


def _drawn(room: str, used: dict[str, set[str]], at: dict[str, int]) -> list[str]:
    """To whom arrows go: to lower floors, and not where another room that it uses leads as well."""
    down = {target for target in used.get(room, ()) if target in BESIDE or at[target] > at[room]}
    return sorted(target for target in down if not any(_leads(other, target, used) for other in down - {target}))


def _leads(room: str, target: str, used: dict[str, set[str]]) -> bool:
    return target in used.get(room, ()) or any(_leads(other, target, used) for other in used.get(room, ()))


def _place(room: str, at: dict[str, int]) -> tuple[int, int, int]:
    """Left, top and width of its box."""
    _, column, columns = ROOMS[room]
    return EDGE + column * COLUMN, EDGE + at[room] * ROW, columns * COLUMN - EDGE


def _box(room: str, row: int, targets: set[str], at: dict[str, int]) -> str:
    left, top, width = _place(room, at)
    lines = [("name", room), ("", ROOMS[room][0]), ("uses", ", ".join(sorted(targets, key=lambda one: (at[one], one))))]
    if len(lines[2][1]) * 5.6 > width - 20:  # does not fit: the arrows tell it
        lines[2] = ("uses", f"uses {len(targets)} rooms")
    texts = "".join(
        f'<text x="{left + 10}" y="{top + 21 + 18 * number}" class="{kind}">{escape(line)}</text>'
        for number, (kind, line) in enumerate(lines)
    )
    return f'<g><rect x="{left}" y="{top}" width="{width}" height="{BOX}" rx="6"/>{texts}</g>'


def _arrow(room: str, target: str, at: dict[str, int]) -> str:
    left, top, width = _place(room, at)
    to_left, to_top, to_width = _place(target, at)
    if at[room] == at[target] or target in BESIDE:
        start, end = (left + width, top + BOX // 2), (to_left, to_top + BOX // 2)
        bend = (start[0] + end[0]) // 2
        return f'<path marker-end="url(#tip)" d="M{start[0]} {start[1]}C{bend} {start[1]} {bend} {end[1]} {end[0]} {end[1]}"/>'
    # Straight down where the boxes stand above one another, else to the nearer end of the lower one.
    from_x = left + width // 2
    to_x = min(max(from_x, to_left + 30), to_left + to_width - 30)
    start_y, bend_y = top + BOX, (top + BOX + to_top) // 2
    return f'<path marker-end="url(#tip)" d="M{from_x} {start_y}C{from_x} {bend_y} {to_x} {bend_y} {to_x} {to_top}"/>'


if __name__ == "__main__":
    PICTURE.write_text(draw(uses(), floors()))
