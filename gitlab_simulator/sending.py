"""Send what the simulated GitLab's hooks shall hear: signed, once, from threads of its own."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from standardwebhooks.webhooks import Webhook

from gitlab_simulator.hooks import Outgoing
from gitlab_simulator.state import State

TIMEOUT = 10.0
SENDERS = 4


@dataclass
class Post:
    """What may go wrong on the way, on purpose: each delivery sent twice, lost so often, held back for so long."""

    twice: bool = False
    lost: float = 0.0
    held: float = 0.0
    shuffled: bool = False


class Sender:
    """Takes ``state.outgoing`` and posts it. A delivery that fails is never sent again, as in GitLab."""

    def __init__(self, state: State, url: Callable[[], str]) -> None:
        self.post = Post()
        self._state = state
        self._url = url
        self._busy = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True, name=f"hooks-{number}") for number in range(SENDERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float = 20.0) -> None:
        """Until all is sent. TimeoutError where it takes longer."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                if not self._state.outgoing and not self._busy:
                    return
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self._state.outgoing)} deliveries wait")
            time.sleep(0.005)

    def _run(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while not self._stopped.is_set():
            with self._lock:
                sent = self._next()
                self._busy += sent is not None
            if sent is None:
                time.sleep(0.01)
                continue
            try:
                self._deliver(session, sent)
            finally:
                with self._lock:
                    self._busy -= 1

    def _next(self) -> Outgoing | None:
        waiting = self._state.outgoing
        if not waiting:
            return None
        if self.post.shuffled:
            waiting.rotate(random.randrange(len(waiting)))
        return waiting.popleft()

    def _deliver(self, session: requests.Session, sent: Outgoing) -> None:
        if self.post.held:
            time.sleep(self.post.held * random.random())
        if random.random() < self.post.lost:
            return
        with self._state.read():
            hook = dict(self._state.table("hooks", sent.project_id).get(str(sent.hook_id)) or {})
        if not hook:
            return
        body = json.dumps(sent.payload, separators=(",", ":"), ensure_ascii=False)
        headers = self._headers(hook, sent, body)
        for _ in range(2 if self.post.twice else 1):
            try:
                status = session.post(
                    hook["url"], data=body.encode(), headers=headers, timeout=TIMEOUT, allow_redirects=False
                ).status_code
            except requests.exceptions.RequestException:
                status = 0
        self._state.note_delivery(sent, status)

    def _headers(self, hook: dict[str, str], sent: Outgoing, body: str) -> dict[str, str]:
        at, key = datetime.now(UTC), str(uuid.uuid4())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitLab/19.3.0-simulator",
            "X-Gitlab-Event": sent.header,
            "X-Gitlab-Webhook-UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._url()}/{hook['id']}")),
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "X-Gitlab-Instance": self._url(),
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": str(int(at.timestamp())),
        }
        if hook["token"]:
            headers["X-Gitlab-Token"] = hook["token"]
        if hook["signing_token"]:
            headers["webhook-signature"] = Webhook(hook["signing_token"]).sign(key, at, body)
        return headers
