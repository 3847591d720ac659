"""Faults on purpose: what a GitLab, its proxy or the network can do to us."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

Sent = tuple[int, bytes, dict[str, str]]  # status (0: hang up without a word), body, headers
How = Literal["status", "drop", "truncated", "not_json", "html", "redirect"]


@dataclass
class Fault:
    """One rule: which requests it hits (``path`` is a part of the address, ``method`` a verb), how often and how.

    ``every`` 3 hits the third, sixth, … of the requests that match; ``times`` hits that many and then no more.
    ``after`` lets the work be done first, and spoils only the answer: the change is made, and nobody hears of it.
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
    after: bool = False
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

    def answer(self) -> Sent:
        """What the request gets instead of its answer."""
        match self.how:
            case "drop":
                return 0, b"", {}
            case "truncated":
                return (
                    200,
                    self.body or b'[{"iid": 1, "title": "half an ans',
                    {"Content-Length": "100000"} | self.headers,
                )
            case "not_json":
                return 200, self.body or b"[{not json", self.headers
            case "html":
                page = b"<!doctype html><title>Sign in</title><h1>Sign in to GitLab</h1>"
                return 200, self.body or page, {"Content-Type": "text/html; charset=utf-8"} | self.headers
            case "redirect":
                return self.status if 300 <= self.status < 400 else 302, b"", self.headers
            case _:
                words = b'{"message":"%d simulated"}' % self.status
                return self.status, words if self.body is None else self.body, self.headers


@dataclass(frozen=True)
class Trouble:
    """What one request meets: seconds to wait before the work and after it, and the fault that hits, if any."""

    before: float
    after: float
    fault: Fault | None


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

    def for_request(self, method: str, address: str) -> Trouble:
        with self._lock:
            delays = [rule for rule in self._delays if rule.takes(method, address)]
            fault = next((rule for rule in self._rules if rule.takes(method, address)), None)
        after = sum(rule.delay for rule in delays if rule.after)
        return Trouble(sum(rule.delay for rule in delays) - after, after, fault)

    def words(self) -> list[str]:
        """What is wrong on purpose right now."""
        with self._lock:
            slow = [f"{rule.delay:g} s slow" for rule in self._delays]
            rules = [rule for rule in self._rules if rule.times is None or rule.hits < rule.times]
        bad = [
            (str(rule.status) if rule.how == "status" else rule.how.replace("_", " "))
            + (" after the work" if rule.after else "")
            for rule in rules
        ]
        return slow + list(dict.fromkeys(bad))
