"""A GitLab to run against, as one object: start it, seed it, break it, count what it was asked."""

from __future__ import annotations

import os
import threading
from types import TracebackType

from gitlab_simulator.directory import ADMIN_TOKEN, READER_TOKEN
from gitlab_simulator.faults import Fault, How
from gitlab_simulator.hooks import Post
from gitlab_simulator.sending import Sender
from gitlab_simulator.server import Logged, Server
from gitlab_simulator.state import State


class Simulator:
    """A simulated GitLab on a port of this machine (0: any free one).

        with Simulator() as gitlab:
            gitlab.state.add_project("acme/app")
            gitlab.state.add_issue("acme/app", "Rollout plan", iid=11, confidential=True)
            GitLab(gitlab.url, gitlab.token).issues("acme/app", [11])
            assert len(gitlab.requests) == 1

    ``token`` is an administrator's; ``reader_token`` reads, but nothing confidential and no flags. OSError where
    the port is taken.
    """

    token = ADMIN_TOKEN
    reader_token = READER_TOKEN

    def __init__(self, state_path: str | os.PathLike[str] | None = None, port: int = 0) -> None:
        self.state = State(state_path)
        self._port = port
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self._sender: Sender | None = None

    @property
    def post(self) -> Post:
        """How webhooks travel: twice, lost, held, shuffled."""
        return self.state.outgoing.post

    @property
    def server(self) -> Server:
        if self._server is None:
            raise RuntimeError("the simulator is not started")
        return self._server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def requests(self) -> list[Logged]:
        """What was asked so far, oldest first (the last 10,000)."""
        return list(self.server.log)

    def forget_requests(self) -> None:
        self.server.log.clear()

    def start(self) -> Simulator:
        """Listen, in a thread of its own."""
        self._server = Server(self.state, self._port)
        self._port = self._server.server_port  # a restart keeps the address
        self.state.url = self.url
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True, name="simulator")
        self._thread.start()
        self._sender = Sender(self.state)
        self._sender.start()
        return self

    def stop(self) -> None:
        if self._sender is not None:
            self._sender.stop()
            self._sender = None
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fail(
        self,
        *,
        status: int = 500,
        how: How = "status",
        times: int | None = None,
        every: int = 1,
        path: str = "",
        method: str = "",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
        after: bool = False,
    ) -> Fault:
        """From now on answer badly: with ``status``, or ``how`` drop, truncated, not_json, html, redirect.

        ``times``: so often and then no more; ``every`` 3: each third request that matches; ``path``: a part of the
        address; ``method``: a verb. ``after``: do the work first, so that only its answer is lost.
        """
        return self.server.faults.add(
            Fault(how, status, headers or {}, body, path=path, method=method, times=times, every=every, after=after)
        )

    def delay(
        self,
        seconds: float,
        *,
        path: str = "",
        method: str = "",
        times: int | None = None,
        every: int = 1,
        after: bool = False,
    ) -> Fault:
        """From now on answer late, as ``fail`` says; with ``after`` the work is done, and only its answer is late."""
        return self.server.faults.add(
            Fault(delay=seconds, path=path, method=method, times=times, every=every, after=after)
        )

    def heal(self) -> None:
        """No more faults, delays or limits."""
        self.server.faults.clear()
        self.server.rate.limit = None

    def limit_requests(self, a_minute: int | None) -> None:
        """Answer 429 to a caller that asks more often than this in a minute."""
        self.server.rate.limit = a_minute

    def wait_for_deliveries(self, seconds: float = 20.0) -> None:
        """Until all webhooks are sent; how they travel is in ``post``. TimeoutError where it takes longer."""
        if self._sender is not None:
            self.state.outgoing.wait(seconds)

    def calls(self, path: str = "/api/v4/") -> int:
        """How many requests had this in their path."""
        return sum(path in request.path for request in self.requests)
