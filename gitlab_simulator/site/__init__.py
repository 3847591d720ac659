"""The simulator's own page: look at flags and issues, and change them by hand. Plain forms, no script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from gitlab_simulator.faults import Faults
from gitlab_simulator.site import actions, pages
from gitlab_simulator.state import State
from gitlab_simulator.store import Refused

ISSUE = re.compile(r"^/(?P<path>.+?)(?:/-)?/(?:issues|work_items)/(?P<iid>[0-9]{1,18})/?$")
# Own style sheet only, forms to itself only, in no frame.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


class Served(Protocol):
    """What the page needs of the server."""

    state: State
    faults: Faults

    @property
    def log(self) -> Sequence[Any]: ...


@dataclass
class Page:
    content: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def answer(
    server: Served, method: str, path: str, query: Mapping[str, list[str]], body: bytes, headers: Mapping[str, str]
) -> Page:
    """The page, a style sheet, an issue, or the outcome of a form."""
    try:
        if method == "POST":
            found = _do(server, path, body, headers)
        elif method in ("GET", "HEAD"):
            found = _show(server, path, query)
        else:
            found = _problem(405, "This page is read, and changed by its forms.")
    except Refused as refused:
        body_words = refused.body.get("message") or refused.body.get("error") if isinstance(refused.body, dict) else ""
        found = _problem(refused.status, str(body_words))
    found.headers = {
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    } | found.headers
    return found


def _show(server: Served, path: str, query: Mapping[str, list[str]]) -> Page:
    if path == "/simulator/style.css":
        return Page(_style(), headers={"Content-Type": "text/css; charset=utf-8"})
    with server.state.read():
        if path == "/":
            search = next(iter(query.get("q", [])), "")
            return Page(pages.home(server.state, search, server.faults.words(), list(server.log)))
        issue = ISSUE.match(unquote(path))
        project = server.state.project_at(issue["path"]) if issue else None
        if issue and project:
            return Page(pages.issue(project, server.state.issue(project["id"], int(issue["iid"]))))
    return _problem(404, "There is no such page or issue here.")


def _do(server: Served, path: str, body: bytes, headers: Mapping[str, str]) -> Page:
    if not _from_here(headers):
        return _problem(403, "A form on another site tried to change something here. It was refused.")
    fields = {
        name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()
    }
    action = path.removeprefix("/simulator/")
    try:
        if action == "faults":
            actions.set_fault(server.faults, fields)
        elif action in actions.ACTIONS:
            actions.ACTIONS[action](server.state, fields)
        else:
            return _problem(404, "There is no such form.")
    except (KeyError, ValueError) as problem:
        return _problem(400, f"The form is not complete: {problem}")
    back = fields.get("back", "/")
    if not back.startswith("/") or back.startswith(("//", "/\\")) or not back.isprintable():
        back = "/"
    return Page(b"", 303, {"Location": back.encode("ascii", "xmlcharrefreplace").decode()})


def _from_here(headers: Mapping[str, str]) -> bool:
    """Browsers say where a form comes from; commands (curl) say nothing, and are on this machine."""
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == headers.get("Host", "")


def _problem(status: int, words: str) -> Page:
    return Page(pages.page("problem.html", words=words), status)


@cache
def _style() -> bytes:
    return Path(__file__).with_name("style.css").read_bytes()
