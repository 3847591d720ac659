"""Read the address of a GitLab issue. Pure: whether the host is one of ours is for the caller to judge."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from . import origins
from .names import GITLAB_ROUTES, without_userinfo
from .phrases import invalid, say

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.\-]*"
_PATH = rf"(?P<path>{_SEGMENT}(?:/{_SEGMENT})+?)"
_IID = r"[0-9]{1,18}"
#: An issue, also as an incident with its tabs, and with the designs on it.
_TAIL = re.compile(
    rf"^/{_PATH}(?:/-)?/(?:(?:issues|work_items)/(?P<iid>{_IID})(?:/designs(?:/[^/]+)?)?"
    rf"|issues/incident/(?P<incident>{_IID})(?:/[a-z]+)?)/?$"
)
_EXAMPLE = say("It looks like https://gitlab.example.com/group/project/-/issues/42")


@dataclass(frozen=True, slots=True)
class IssueRef:
    """One issue: ``base_url`` has no slash at its end, ``project_path`` is ``group/…/project``, ``iid`` its number."""

    base_url: str
    project_path: str
    iid: int


def parse_issue_url(url: str, base_url: str | None = None) -> IssueRef:
    """Read ``…/-/issues/N``, ``…/-/work_items/N`` or the older ``…/issues/N``, with groups of any depth; incidents,
    designs on an issue, and a board or list with an issue open beside it too.

    A GitLab under a path prefix (``https://example.com/gitlab``) can only be told from a group of that name by its
    ``base_url``: where given and where the URL starts with it, the prefix is taken off. Fragments are ignored.
    Raises ValueError with a sentence for the person.
    """
    written = url.strip() if isinstance(url, str) else ""
    if not written or len(written) > 2_048:
        raise invalid("An issue's URL is needed. {example}.", example=_EXAMPLE)
    try:
        parts = urlsplit(written)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise invalid(
            "“{value}” is not a URL. {example}.", value=without_userinfo(written)[:200], example=_EXAMPLE
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise invalid(
            "“{value}” is not a URL that begins with https:// or http://. {example}.",
            value=without_userinfo(written)[:200],
            example=_EXAMPLE,
        )
    if "@" in parts.netloc:
        raise invalid("An issue's URL must not hold a user name or password. Take the part before @ away.")
    origin = origins.origin(written)
    prefix = _prefix(base_url, origin)
    path = unquote(parts.path)
    if prefix and path.startswith(f"{prefix}/"):
        path = path[len(prefix) :]
    else:
        prefix = ""
    project, iid = _in_path(path) or _on_top(parts.query) or ("", 0)
    if not project or project.split("/")[0].lower() in GITLAB_ROUTES:
        raise ValueError(_refusal(path, without_userinfo(written)[:200]))
    if iid == 0:
        raise invalid("Issues are numbered from 1: there is no issue 0.")
    return IssueRef(origin + prefix, project, iid)


def _in_path(path: str) -> tuple[str, int] | None:
    match = _TAIL.match(path)
    return (match["path"], int(match["iid"] or match["incident"])) if match else None


def _on_top(query: str) -> tuple[str, int] | None:
    """The issue that is open beside a board or a list: ``?show=`` holds its project and number, as base64 of JSON."""
    written = parse_qs(query).get("show", [""])[0]
    try:
        shown = json.loads(base64.b64decode(written, validate=True))
        project, iid = str(shown["full_path"]), str(shown["iid"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return _in_path(f"/{project}/-/issues/{iid}")


def _refusal(path: str, value: str) -> str:
    """Why this address is no issue of a project, and which to copy instead."""
    kind = re.search(r"/(epics|work_items|boards|merge_requests|issues)(?:/|$)", path)
    what = kind[1] if kind else ""
    if path.lower().startswith("/groups/") and what in ("epics", "work_items"):
        return say(
            "“{value}” is an epic or another work item of a group: the portal follows issues of projects. "
            "Open an issue of a project and copy its address. {example}.",
            value=value,
            example=_EXAMPLE,
        )
    if what in ("boards", "issues", "work_items"):
        return say(
            "“{value}” is a board or a list and no issue. Open the issue on a page of its own and copy that address. "
            "{example}.",
            value=value,
            example=_EXAMPLE,
        )
    return say("“{value}” is not the URL of a GitLab issue. {example}.", value=value, example=_EXAMPLE)


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
