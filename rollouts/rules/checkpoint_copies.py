"""Where copies of checkpoints go: folders, mail addresses, GitLab issues. Pure: what the settings mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .issue_url import parse_issue_url
from .phrases import invalid, shorten

_MAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,190}\Z")
LONGEST = 500


class Way(StrEnum):
    FOLDER = "folder"
    MAIL = "mail"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True)
class Destination:
    """``to`` is the folder, the mail address or the issue's URL."""

    way: Way
    to: str


def folders(written: str) -> list[Destination]:
    """Read ``/folder /other``. Raises ValueError with a sentence for the operator, as the other two do."""
    for folder in written.split():
        if not folder.startswith("/") or "\0" in folder or len(folder) > LONGEST:
            raise invalid(
                "“{written}” is no folder by its whole path. Write it like /srv/witness.", written=shorten(folder)
            )
    return _each(Way.FOLDER, written)


def mail_addresses(written: str) -> list[Destination]:
    """Read ``name@host other@host``."""
    for address in written.split():
        if not _MAIL.match(address):
            raise invalid("“{written}” is no mail address. Write it like audit@example.com.", written=shorten(address))
    return _each(Way.MAIL, written)


def issues(written: str) -> list[Destination]:
    """Read the URLs of issues."""
    for url in written.split():
        parse_issue_url(url)
    return _each(Way.ISSUE, written)


def _each(way: Way, written: str) -> list[Destination]:
    return [Destination(way, to) for to in dict.fromkeys(written.split())]
