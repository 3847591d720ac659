"""Read the address of a GitLab issue. Pure: whether the host is one of ours is for the caller to judge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from . import origins
from .names import without_userinfo
from .words import say

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_TAIL = re.compile(rf"^/(?P<path>{_SEGMENT}(?:/{_SEGMENT})+?)(?:/-)?/(?:issues|work_items)/(?P<iid>[0-9]{{1,18}})/?$")
_EXAMPLE = say("It looks like https://gitlab.example.com/group/project/-/issues/42")


@dataclass(frozen=True, slots=True)
class IssueRef:
    """One issue: ``base_url`` has no slash at its end, ``project_path`` is ``group/…/project``, ``iid`` its number."""

    base_url: str
    project_path: str
    iid: int


def parse_issue_url(url: str, base_url: str | None = None) -> IssueRef:
    """Read ``…/-/issues/N``, ``…/-/work_items/N`` or the older ``…/issues/N``, with groups of any depth.

    A GitLab under a path prefix (``https://example.com/gitlab``) can only be told from a group of that name by its
    ``base_url``: where given and where the URL starts with it, the prefix is taken off. Query and fragment are ignored.
    Raises ValueError with a sentence for the person.
    """
    written = url.strip() if isinstance(url, str) else ""
    if not written or len(written) > 2_048:
        raise ValueError(say("An issue's URL is needed. {example}.", example=_EXAMPLE))
    try:
        parts = urlsplit(written)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            say("“{value}” is not a URL. {example}.", value=without_userinfo(written)[:200], example=_EXAMPLE)
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(
            say(
                "“{value}” is not a URL that begins with https:// or http://. {example}.",
                value=without_userinfo(written)[:200],
                example=_EXAMPLE,
            )
        )
    if "@" in parts.netloc:
        raise ValueError(say("An issue's URL must not hold a user name or password. Take the part before @ away."))
    origin = origins.origin(written)
    prefix = _prefix(base_url, origin)
    path = unquote(parts.path)
    if prefix and path.startswith(f"{prefix}/"):
        path = path[len(prefix) :]
    else:
        prefix = ""
    found = _TAIL.match(path)
    if not found:
        raise ValueError(
            say(
                "“{value}” is not the URL of a GitLab issue. {example}.",
                value=without_userinfo(written)[:200],
                example=_EXAMPLE,
            )
        )
    iid = int(found["iid"])
    if iid == 0:
        raise ValueError(say("Issues are numbered from 1: there is no issue 0."))
    return IssueRef(origin + prefix, found["path"], iid)


def _prefix(base_url: str | None, origin: str) -> str:
    if not base_url:
        return ""
    try:
        parts = urlsplit(base_url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return ""
        same = origins.origin(base_url) == origin
    except ValueError:
        return ""
    return parts.path.rstrip("/") if same else ""
