"""What a Prometheus answers (its HTTP API, "Instant queries" and "Range queries"), read as one series or as trouble."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: What is larger is no number that a plan could bound.
MOST = 1e15
LONGEST_DETAIL = 200


class Trouble(Exception):
    """A series could not be had. ``code`` says which way, ``detail`` is what there is to say besides.

    ``unreachable`` (with the kind of error), ``slow``, ``large``, ``status`` (its number), ``redirect``, ``private``,
    ``denied``, ``no_json``, ``refused`` (Prometheus' own words), ``many`` (how many series), ``shape``.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code, self.detail = code, " ".join(detail.split())[:LONGEST_DETAIL]

    @property
    def is_of_the_server(self) -> bool:
        """Whether other questions would meet it too."""
        return self.code in ("unreachable", "slow", "private", "denied", "redirect")


@dataclass(frozen=True, slots=True)
class Point:
    at: datetime
    value: float


def points(body: bytes, status: int) -> list[Point]:
    """The one series of an answer, in order; empty where there is none. What is no number (NaN, +Inf) is left out.

    Raises ``Trouble``.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        if status >= 300:
            raise Trouble("status", str(status)) from None
        raise Trouble("no_json") from None
    if not isinstance(answer, dict) or "status" not in answer:
        raise Trouble("status", str(status)) if status >= 300 else Trouble("shape")
    if answer["status"] != "success" or status >= 300:
        raise Trouble("refused", f"{answer.get('errorType', '')}: {answer.get('error', status)}")
    try:
        return _series(answer["data"]["resultType"], answer["data"]["result"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError):
        raise Trouble("shape") from None


def _series(kind: str, result: Any) -> list[Point]:
    if kind == "scalar":
        return _numbers([result])
    if kind not in ("vector", "matrix"):
        raise Trouble("shape")
    if len(result) > 1:
        raise Trouble("many", str(len(result)))
    if not result:
        return []
    return _numbers([result[0]["value"]] if kind == "vector" else result[0]["values"])


def _numbers(pairs: list[Any]) -> list[Point]:
    found = [Point(datetime.fromtimestamp(at, UTC), float(value)) for at, value in pairs]
    return sorted((one for one in found if math.isfinite(one.value) and abs(one.value) <= MOST), key=lambda one: one.at)
