"""A digest of what a request asks for, so that an approval is for that and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from .facts import ItemFacts


def of_request(plan: Mapping[str, Any], *, phase: str, attempt: int, items: Iterable[ItemFacts]) -> str:
    """SHA-256 in hex over the plan's content, the phase, the attempt and the required items as they stand.

    An item counts by whether it is satisfied, not by its words: a note more on an issue changes nothing.
    """
    stands = sorted([item.phase or "", item.key, item.verdict.satisfied] for item in items if item.required)
    content = json.dumps([plan, phase, attempt, stands], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(content.encode()).hexdigest()
