"""Where copies of checkpoints go: a folder, a mail address or a GitLab issue. Pure: what each setting means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from .issue_url import parse_issue_url
from .phrases import invalid
from .quoting import shorten

_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}\Z")


class Way(StrEnum):
    FOLDER = "folder"
    MAIL = "mail"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True)
class Destination:
    """``to`` as it is configured; ``place`` the folder, the mail address or the issue's URL."""

    to: str
    way: Way
    place: str


def destinations(written: str) -> list[Destination]:
    """Read ``file:///folder mailto:NAME@HOST https://…/-/issues/N``, with blanks between, each once.

    Raises ValueError with a sentence for the operator.
    """
    return [_destination(to) for to in dict.fromkeys(written.split())]


def _destination(to: str) -> Destination:
    try:
        parts = urlsplit(to)
    except ValueError:
        parts = urlsplit("")
    folder = unquote(parts.path)
    if parts.scheme == "file" and not parts.netloc and folder.startswith("/") and "\0" not in folder:
        return Destination(to, Way.FOLDER, folder)
    if parts.scheme == "mailto" and not parts.query and _MAIL.match(parts.path):
        return Destination(to, Way.MAIL, parts.path)
    if parts.scheme in ("http", "https"):
        parse_issue_url(to)
        return Destination(to, Way.ISSUE, to)
    raise invalid(
        "“{written}” is none of file:///folder, mailto:name@host and the URL of a GitLab issue.", written=shorten(to)
    )
