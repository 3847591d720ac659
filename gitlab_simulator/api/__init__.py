"""The simulated REST API: which address leads to which endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    ("GET", "projects/:/issues/:/award_emoji"): issues.awards,
    ("POST", "projects/:/issues/:/award_emoji"): issues.award,
    ("GET", "projects/:/issues/:/notes/:/award_emoji"): issues.awards,
    ("POST", "projects/:/issues/:/notes/:/award_emoji"): issues.award,
}
_BY_LENGTH: dict[int, list[tuple[str, list[str], Endpoint]]] = {}
for (_method, _pattern), _endpoint in ROUTES.items():
    _parts = _pattern.split("/")
    _BY_LENGTH.setdefault(len(_parts), []).append((_method, _parts, _endpoint))


def answer(asked: Asked) -> Answer:
    """The endpoint's answer; a refusal is an answer as well."""
    try:
        endpoint, given = _find(asked)
        with asked.state.read() if asked.method in ("GET", "HEAD") else asked.state.change():
            return endpoint(asked, *given)
    except Refused as refused:
        return Answer(refused.body, refused.status)


def _find(asked: Asked) -> tuple[Endpoint, list[str]]:
    path = re.sub("/{2,}", "/", asked.path)  # as GitLab does: python-gitlab's features.set posts to /features//NAME
    segments = path.removeprefix(PREFIX).rstrip("/").split("/")
    wanted, known = "GET" if asked.method == "HEAD" else asked.method, False
    for method, parts, endpoint in _BY_LENGTH.get(len(segments), ()):
        if all(part in (":", segment) for part, segment in zip(parts, segments, strict=True)):
            known = True
            if method == wanted:
                return endpoint, [unquote(seg) for part, seg in zip(parts, segments, strict=True) if part == ":"]
    raise Refused(405, {"error": "405 Not Allowed"}) if known else Refused(404, {"error": "404 Not Found"})


__all__ = ["PREFIX", "ROUTES", "Answer", "Asked", "answer"]
