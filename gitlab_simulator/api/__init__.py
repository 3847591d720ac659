"""The simulated REST API: which address leads to which endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from gitlab_simulator.api import features, hooks, issues, people, project_flags
from gitlab_simulator.api.exchange import Answer, Asked
from gitlab_simulator.store import Refused

Endpoint = Callable[..., Answer]
PREFIX = "/api/v4/"

# A colon takes one segment of the path, decoded: group%2Fproject is one.
ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", "version"): people.version,
    ("GET", "metadata"): people.metadata,
    ("GET", "user"): people.current_user,
    ("GET", "personal_access_tokens/self"): people.own_token,
    ("GET", "users"): people.users,
    ("GET", "users/:"): people.user,
    ("GET", "groups/:"): people.group,
    ("GET", "projects/:"): people.project,
    ("GET", "features"): features.listed,
    ("GET", "features/definitions"): features.definitions,
    ("POST", "features/:"): features.setting,
    ("DELETE", "features/:"): features.deletion,
    ("GET", "projects/:/feature_flags"): project_flags.listed,
    ("POST", "projects/:/feature_flags"): project_flags.creation,
    ("GET", "projects/:/feature_flags/:"): project_flags.one,
    ("PUT", "projects/:/feature_flags/:"): project_flags.change,
    ("DELETE", "projects/:/feature_flags/:"): project_flags.deletion,
    ("GET", "projects/:/feature_flags_user_lists"): project_flags.user_lists,
    ("POST", "projects/:/feature_flags_user_lists"): project_flags.user_list_creation,
    ("GET", "projects/:/feature_flags_user_lists/:"): project_flags.user_list,
    ("PUT", "projects/:/feature_flags_user_lists/:"): project_flags.user_list_change,
    ("DELETE", "projects/:/feature_flags_user_lists/:"): project_flags.user_list_deletion,
    ("GET", "issues/:"): issues.by_id,
    ("GET", "projects/:/hooks"): hooks.listed,
    ("POST", "projects/:/hooks"): hooks.creation,
    ("GET", "projects/:/hooks/:"): hooks.one,
    ("PUT", "projects/:/hooks/:"): hooks.change,
    ("DELETE", "projects/:/hooks/:"): hooks.deletion,
    ("GET", "projects/:/hooks/:/events"): hooks.events,
    ("GET", "projects/:/issues"): issues.listed,
    ("POST", "projects/:/issues"): issues.creation,
    ("GET", "projects/:/issues/:"): issues.one,
    ("PUT", "projects/:/issues/:"): issues.change,
    ("DELETE", "projects/:/issues/:"): issues.deletion,
    ("GET", "projects/:/issues/:/notes"): issues.notes,
    ("POST", "projects/:/issues/:/notes"): issues.comment,
}
_BY_SHAPE: dict[tuple[str, int], list[tuple[list[str], Endpoint]]] = {}
for (_method, _pattern), _endpoint in ROUTES.items():
    _parts = _pattern.split("/")
    _BY_SHAPE.setdefault((_method, len(_parts)), []).append((_parts, _endpoint))


def answer(asked: Asked) -> Answer:
    """The endpoint's answer; a refusal is an answer as well."""
    try:
        endpoint, given = _find(asked)
        with asked.state.read() if asked.method == "GET" else asked.state.change():
            return endpoint(asked, *given)
    except Refused as refused:
        return Answer(refused.body, refused.status)


def _find(asked: Asked) -> tuple[Endpoint, list[str]]:
    path = re.sub("/{2,}", "/", asked.path)  # as GitLab does: python-gitlab's features.set posts to /features//NAME
    segments = path.removeprefix(PREFIX).rstrip("/").split("/")
    method = "GET" if asked.method == "HEAD" else asked.method
    for parts, endpoint in _BY_SHAPE.get((method, len(segments)), ()):
        if all(part in (":", segment) for part, segment in zip(parts, segments, strict=True)):
            return endpoint, [unquote(seg) for part, seg in zip(parts, segments, strict=True) if part == ":"]
    known = any(
        len(parts) == len(segments) and all(p in (":", s) for p, s in zip(parts, segments, strict=True))
        for (_, length), routes in _BY_SHAPE.items()
        if length == len(segments)
        for parts, _ in routes
    )
    body: dict[str, Any] = {"error": "405 Not Allowed"} if known else {"error": "404 Not Found"}
    raise Refused(405 if known else 404, body)


__all__ = ["PREFIX", "ROUTES", "Answer", "Asked", "answer"]
