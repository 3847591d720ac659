"""Send what the simulated GitLab's hooks shall hear: signed, once, from threads of its own."""

from __future__ import annotations

import json
import random
import threading
import uuid
from datetime import UTC, datetime

import requests
from standardwebhooks.webhooks import Webhook

from gitlab_simulator.hooks import Outgoing
from gitlab_simulator.state import State

TIMEOUT = 10.0
SENDERS = 4


class Sender:
    """Takes from ``state.outgoing`` and posts. A delivery that fails is never sent again, as in GitLab."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, daemon=True, name=f"hooks-{number}") for number in range(SENDERS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """What is on its way is sent; what waits goes on waiting."""
        self._stopped.set()
        for _ in self._threads:
            self._state.outgoing.add(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while True:
                sent = self._state.outgoing.take()
                try:
                    if sent is None:
                        return
                    self._deliver(session, sent)
                finally:
                    self._state.outgoing.task_done()

    def _deliver(self, session: requests.Session, sent: Outgoing) -> None:
        post = self._state.outgoing.post
        if post.held:
            self._stopped.wait(post.held * random.random())
        if random.random() < post.lost:
            return
        with self._state.read():
            hook = dict(self._state.table("hooks", sent.project_id).get(str(sent.hook_id)) or {})
        if not hook:
            return
        body = json.dumps(sent.payload, separators=(",", ":"), ensure_ascii=False)
        headers = self._headers(hook, sent, body)
        for _ in range(2 if post.twice else 1):
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
            "X-Gitlab-Webhook-UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._state.url}/{hook['id']}")),
            "X-Gitlab-Event-UUID": str(uuid.uuid4()),
            "X-Gitlab-Instance": self._state.url,
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": str(int(at.timestamp())),
        }
        if hook["token"]:
            headers["X-Gitlab-Token"] = hook["token"]
        if hook["signing_token"]:
            headers["webhook-signature"] = Webhook(hook["signing_token"]).sign(key, at, body)
        return headers
