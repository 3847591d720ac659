"""What an answer says: its body within our limits, which of our errors its status is, and why a change was rejected.

GitLab writes ``{"message": "400 Bad request - why"}``, ``{"message": {"title": ["can't be blank"]}}``,
``{"message": ["why"]}`` and ``{"error": "title is missing"}`` (doc/api/rest/troubleshooting.md). The other side is not
trusted: the line is cleaned and short, and holds no token even where a server echoes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

import requests

from rollouts.gitlab import fields
from rollouts.gitlab.errors import (
    BadAnswer,
    Forbidden,
    GitLabProblem,
    Gone,
    RateLimited,
    Rejected,
    Unauthorized,
    Unreachable,
)
from rollouts.gitlab.phrases import worded

LARGEST_ANSWER = 50 * 1024 * 1024
LONGEST_ANSWER = 120.0  # seconds for one answer, from first to last byte
LONGEST_WAIT = timedelta(days=1)  # what a rate limit may ask of us; more is a mistake of the other side
PIECE = 64 * 1024


def body_of(response: requests.Response) -> bytes:
    """The body, unpacked, within our limits of size and time."""
    started = monotonic()
    pieces, size = [], 0
    for piece in response.iter_content(PIECE):
        size += len(piece)
        if size > LARGEST_ANSWER:
            raise BadAnswer(
                worded("the answer"), worded("is larger than {limit} MB", limit=LARGEST_ANSWER // 1024 // 1024)
            )
        if monotonic() - started > LONGEST_ANSWER:
            raise Unreachable(
                worded("GitLab sends its answer too slowly. The portal tries again later."), kind="timeout"
            )
        pieces.append(piece)
    return b"".join(pieces)


def date_of(response: requests.Response) -> datetime | None:
    """When it was made, by the clock of who made it (``Date``)."""
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(response.headers.get("Date", ""))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


def problem_of(response: requests.Response, *, is_question: bool) -> GitLabProblem:
    match response.status_code:
        case 401:
            return Unauthorized()
        case 403:
            return Forbidden()
        case 404 | 410:
            return Gone()
        case 429:
            return RateLimited(rate_limited_until(response.headers, datetime.now(UTC)))
        case (400 | 409 | 413 | 422) as status if not is_question:
            try:
                body = json_of(response)
            except BadAnswer:
                body = None
            return rejected(status, body, str(response.request.headers.get("PRIVATE-TOKEN", "")))
        case status:
            return BadAnswer(worded("the answer"), worded("has status {status}", status=status))


def rate_limited_until(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """From ``Retry-After`` (seconds or HTTP date), else ``RateLimit-Reset`` (unix seconds), else None.

    Never in the past, never more than a day ahead. Sources: RFC 9110 section 10.2.3; GitLab
    doc/administration/settings/user_and_ip_rate_limits.md, "Response headers".
    """
    for read, header in ((_retry_after, "Retry-After"), (_unix, "RateLimit-Reset")):
        written = headers.get(header, "").strip()
        try:
            until = read(written, now) if written else None
        except (ValueError, OverflowError, TypeError, OSError):
            until = None
        if until:
            return min(max(until, now), now + LONGEST_WAIT).replace(microsecond=0)
    return None


def _retry_after(written: str, now: datetime) -> datetime:
    if written.isascii() and written.isdigit():
        # Cut before the sum: a number of thousand digits is a long wait, not an error.
        return now + min(timedelta(seconds=int(written[:9])) if len(written) < 10 else LONGEST_WAIT, LONGEST_WAIT)
    until = parsedate_to_datetime(written)
    return until if until.tzinfo else until.replace(tzinfo=UTC)


def _unix(written: str, _now: datetime) -> datetime:
    return datetime.fromtimestamp(int(written), UTC)


def json_of(response: requests.Response) -> Any:
    """The parsed body. Raises BadAnswer for what is not JSON: an HTML page, a cut text, nonsense."""
    if "html" in response.headers.get("Content-Type", "").lower():
        raise BadAnswer(worded("the answer"), worded("is an HTML page instead of JSON"))
    with suppress(ValueError, RecursionError):  # raised below: json's own error would carry the whole text along
        return json.loads(response.content)
    raise BadAnswer(worded("the answer"), worded("is not JSON"))


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
