"""Faults on purpose: what a GitLab, its proxy or the network can do to us."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

How = Literal["status", "drop", "truncated", "not_json", "html", "redirect"]


@dataclass
class Fault:
    """One rule: which requests it hits (``path`` is a part of the address, ``method`` a verb), how often and how.

    ``every`` 3 hits the third, sixth, … of the requests that match; ``times`` hits that many and then no more.
    """

    how: How = "status"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    path: str = ""
    method: str = ""
    times: int | None = None
    every: int = 1
    delay: float = 0.0
    seen: int = 0
    hits: int = 0

    def takes(self, method: str, address: str) -> bool:
        """Whether this request is hit; counts."""
        if (self.path and self.path not in address) or (self.method and self.method != method):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.seen += 1
        hit = self.seen % self.every == 0
        self.hits += hit
        return hit


class Faults:
    """The rules in force. The first that takes a request wins; delays add up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._delays: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            (self._delays if fault.delay else self._rules).append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()
            self._delays.clear()

    def for_request(self, method: str, address: str) -> tuple[float, Fault | None]:
        """Seconds to wait, and the fault that hits, if any."""
        with self._lock:
            delay = sum(rule.delay for rule in self._delays if rule.takes(method, address))
            return delay, next((rule for rule in self._rules if rule.takes(method, address)), None)

    def words(self) -> list[str]:
        """What is wrong on purpose right now."""
        with self._lock:
            slow = [f"{rule.delay:g} s slow" for rule in self._delays]
            rules = [rule for rule in self._rules if rule.times is None or rule.hits < rule.times]
        return slow + [str(rule.status) if rule.how == "status" else rule.how.replace("_", " ") for rule in rules]
