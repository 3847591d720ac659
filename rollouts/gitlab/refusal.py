"""What GitLab says when it rejects a change, in one line that can be shown.

GitLab writes ``{"message": "400 Bad request - why"}``, ``{"message": {"title": ["can't be blank"]}}``,
``{"message": ["why"]}`` and ``{"error": "title is missing"}`` (doc/api/rest/troubleshooting.md). The other side is not
trusted: the line is cleaned and short, and holds no token even where a server echoes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rollouts.gitlab import fields
from rollouts.gitlab.errors import Rejected
from rollouts.gitlab.phrases import worded

LONGEST = 300
MOST_PARTS = 10
DEEPEST = 4
_STATUS = re.compile(r"^[45]\d\d( \(?(bad request|conflict|unprocessable entity)\)?)?( - |:? |$)", re.IGNORECASE)


def rejected(status: int, body: Any, token: str) -> Rejected:
    """The error for a change that was answered with this status and this parsed body (None where it was no JSON)."""
    text = _flat(body).replace(token, "…") if token else _flat(body)
    text = "".join(sign if sign.isprintable() else " " for sign in fields.clean(text, 10 * LONGEST))
    text = _STATUS.sub("", " ".join(text.split())).rstrip(".")
    if len(text) > LONGEST:
        text = text[: LONGEST - 1].rstrip() + "…"
    if text:
        return Rejected(worded("GitLab refuses this change: {said}. Correct it before it is sent again.", said=text))
    return Rejected(
        worded(
            "GitLab refuses this change with {status} and does not say why. Correct it before it is sent again.",
            status=status,
        )
    )


def _flat(raw: Any, depth: int = 0) -> str:
    match raw:
        case str():
            return raw
        case int() | float() if not isinstance(raw, bool) and abs(raw) < fields.LARGEST:
            return str(raw)
        case _ if depth >= DEEPEST:
            return ""
        case Mapping() if depth == 0:
            return _flat(raw.get("message") or raw.get("error"), 1)
        case Mapping():
            parts = [f"{field} {_flat(text, depth + 1)}" for field, text in list(raw.items())[:MOST_PARTS]]
            return "; ".join(part.strip() for part in parts)
        case list():
            return ", ".join(filter(None, (_flat(text, depth + 1) for text in raw[:MOST_PARTS])))
        case _:
            return ""
