"""One request as an endpoint sees it, and its answer: parameters checked, pages cut, headers as GitLab's."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from gitlab_simulator.directory import Caller
from gitlab_simulator.state import State
from gitlab_simulator.store import Refused

DEFAULT_PAGE, LARGEST_PAGE = 20, 100
COUNTED = 10_000  # above, GitLab leaves the totals out (doc/api/rest/_index.md, "Pagination response headers")


@dataclass
class Answer:
    """``body`` is sent as JSON; None with 204 sends nothing."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.status == 204:
            return b""
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass
class Asked:
    """``query`` holds lists of strings by name (``iids[]`` as ``iids``); ``body`` the parameters of the body."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: dict[str, Any]
    caller: Caller
    state: State
    base_url: str

    def get(self, name: str) -> Any:
        """A parameter from the body, else the query; None when absent. GitLab (Grape) takes it from either."""
        if name in self.body:
            return self.body[name]
        found = self.query.get(name)
        return found[-1] if found else None

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the parameters that were sent at all."""
        return {name: self.get(name) for name in names if name in self.body or name in self.query}

    def listed(self, name: str) -> list[str]:
        """A list: ``name[]=a&name[]=b``, a JSON list, or a comma list."""
        value = self.body.get(name, self.query.get(name))
        if value is None:
            return []
        parts = value if isinstance(value, list) else [value]
        return [piece.strip() for part in parts for piece in str(part).split(",") if piece.strip()]

    def text(self, name: str) -> str | None:
        """A string; numbers are written out, as Grape does it."""
        value = self.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        raise Refused.error(f"{name} is invalid")

    def number(self, name: str, default: int) -> int:
        value = self.get(name)
        if value in (None, ""):
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise Refused.error(f"{name} is invalid") from None

    def flag(self, name: str) -> bool | None:
        value = self.get(name)
        if value is None or isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1", "false", "0"):
            return str(value).lower() in ("true", "1")
        raise Refused.error(f"{name} is invalid")

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = self.get(name)
        if value is None:
            return default
        if value not in choices:
            raise Refused.error(f"{name} does not have a valid value")
        return str(value)

    def moment(self, name: str) -> datetime | None:
        value = self.get(name)
        if not value:
            return None
        try:
            read = datetime.fromisoformat(str(value).replace(" ", "+"))
        except ValueError:
            raise Refused.error(f"{name} is invalid") from None
        return read if read.tzinfo else read.replace(tzinfo=UTC)

    def required(self, name: str) -> Any:
        value = self.get(name)
        if value is None:
            raise Refused.error(f"{name} is missing")
        if value == "":
            raise Refused.error(f"{name} is empty")
        return value

    def page_of(self, rows: Sequence[Any], present: Callable[[Any], Any]) -> Answer:
        """One page of the rows, with GitLab's paging headers."""
        page, per_page = max(self.number("page", 1), 1), self.number("per_page", DEFAULT_PAGE)
        if per_page == 0:
            raise Refused.error("per_page has a value not allowed")
        per_page = min(max(per_page, 1), LARGEST_PAGE)
        total, pages = len(rows), max(-(-len(rows) // per_page), 1)
        following = page + 1 if page < pages else None
        before = page - 1 if 1 < page <= pages + 1 else None
        headers = {
            "X-Next-Page": str(following or ""),
            "X-Page": str(page),
            "X-Per-Page": str(per_page),
            "X-Prev-Page": str(before or ""),
        }
        places = {"prev": before, "next": following, "first": 1}
        if total <= COUNTED:
            headers |= {"X-Total": str(total), "X-Total-Pages": str(pages)}
            places["last"] = pages
        headers["Link"] = ", ".join(
            f'<{self._page_url(place, per_page)}>; rel="{name}"' for name, place in places.items() if place
        )
        cut = rows[(page - 1) * per_page : page * per_page]
        return Answer([present(row) for row in cut], headers=headers)

    def _page_url(self, page: int, per_page: int) -> str:
        pairs = [
            (f"{name}[]" if name in ("iids",) else name, value)
            for name, values in self.query.items()
            if name not in ("page", "per_page", "private_token")
            for value in values
        ]
        return f"{self.base_url}{self.path}?{urlencode([*pairs, ('page', page), ('per_page', per_page)])}"

    def sign_in(self) -> None:
        if self.caller.user is None:
            raise Refused.message(401, "401 Unauthorized")
        self._scope("read_user" if self.path.startswith("/api/v4/user") else "read_api")

    def administer(self) -> None:
        """GitLab's ``authenticated_as_admin!``: 401 for nobody, 403 for anybody else, Admin Mode or not."""
        self.sign_in()
        if not self.caller.is_admin:
            raise Refused.message(403, "403 Forbidden")
        if self.method not in ("GET", "HEAD"):
            self._scope("api")

    def visit(self, project: str) -> dict[str, Any]:
        """A project that the caller may see: nobody sees any unsigned, everybody signed in sees all."""
        if self.caller.user is None and self.method not in ("GET", "HEAD"):
            raise Refused.message(401, "401 Unauthorized")
        if self.caller.user is None:
            raise Refused.message(404, "404 Project Not Found")
        self._scope("read_api" if self.method in ("GET", "HEAD") else "api")
        return self.state.project(project)

    def develop(self, project: str) -> dict[str, Any]:
        found = self.visit(project)
        if not self.caller.develops:
            raise Refused.message(403, "403 Forbidden")
        return found

    def _scope(self, needed: str) -> None:
        enough = {"api", needed} | ({"read_api"} if needed == "read_user" else set())
        if not enough & set(self.caller.scopes):
            raise Refused(
                403,
                {
                    "error": "insufficient_scope",
                    "error_description": "The request requires higher privileges than provided by the access token.",
                    "scope": f"api {needed}" if needed != "api" else "api",
                },
            )
