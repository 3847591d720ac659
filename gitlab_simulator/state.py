"""The simulated GitLab's whole state: seed it, change it, look at it. The server and the page do no more than this."""

from __future__ import annotations

import os

from gitlab_simulator.chatops import ChatOps
from gitlab_simulator.project_flags import ProjectFlags


class State(ChatOps, ProjectFlags):
    """``State()`` lives in memory, ``State(path)`` in a file. Wrap many changes in ``with state.change():``."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(path)
        with self.read():
            if not self.document["users"]:
                with self.change():
                    self.seed()
