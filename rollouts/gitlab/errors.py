"""What can go wrong at the door, in few kinds, each with a sentence that says what to do.

``kind`` is a stable word for JSON and the sync page; ``words`` is for the person, and remembers how it is said in
other languages (``phrases.py``). Neither ever holds a token.
``unsure`` says of a change whether GitLab may have made it all the same.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from rollouts.gitlab.phrases import GitLabPhrase, worded

Kind = Literal[
    "not_found",
    "unauthorized",
    "forbidden",
    "rate_limited",
    "server_error",
    "timeout",
    "connection_refused",
    "bad_answer",
    "rejected",
]


UNSURE = worded("The change may have been made all the same: look at GitLab before it is sent again.")


class GitLabProblem(Exception):
    """GitLab did not give what was asked for. Catch this to catch all that the door can raise.

    ``unsure`` is True for a change that GitLab may have made although no usable answer came (a timeout, a dropped
    connection, a 5xx): look before you send it again. It is False where it surely was not made (never sent, 4xx), and
    for questions.
    """

    kind: Kind
    words: str
    unsure: bool = False

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words

    def about_a_change(self) -> GitLabProblem:
        """The same problem, of a change that GitLab may have made."""
        self.unsure = True
        self.words = GitLabPhrase("{words} {unsure}", {"words": self.words, "unsure": UNSURE})
        self.args = (self.words,)
        return self


class Unreachable(GitLabProblem):
    """No answer came: a timeout, or a connection that was refused, reset, not found (DNS) or not trusted (TLS)."""

    def __init__(self, words: str, *, kind: Literal["timeout", "connection_refused"] = "connection_refused") -> None:
        super().__init__(words)
        self.kind = kind


class RateLimited(GitLabProblem):
    """429. ``until`` is the moment from which GitLab will listen again (aware, UTC), or None where it did not say."""

    kind = "rate_limited"

    def __init__(self, until: datetime | None = None) -> None:
        super().__init__(
            worded(
                "GitLab asks us to slow down until {time} UTC: the portal asks again later by itself.",
                time=f"{until:%Y-%m-%d %H:%M:%S}",
            )
            if until
            else worded(
                "GitLab asks us to slow down and does not say for how long: the portal asks again later by itself."
            )
        )
        self.until = until


class Unauthorized(GitLabProblem):
    """401: no token, or one that GitLab does not know, has revoked or let expire."""

    kind = "unauthorized"

    def __init__(
        self,
        words: str = worded(
            "GitLab does not accept the token: it is missing, wrong, revoked or expired. Set a fresh one."
        ),
    ) -> None:
        super().__init__(words)


class Forbidden(GitLabProblem):
    """403: the token is known but may not do this. ``needs`` names the right that is missing."""

    kind = "forbidden"
    FEATURES: ClassVar[str] = worded(
        "an administrator's token with scope api or read_api, plus admin_mode when Admin Mode is on"
    )
    PROJECT: ClassVar[str] = worded(
        "a token with scope api or read_api whose user is at least Reporter of the project (Developer for flags)"
    )
    HOOKS: ClassVar[str] = worded("a token with scope api whose user is Maintainer of the project")
    ANY_ISSUE: ClassVar[str] = worded("an administrator's token: to others GitLab does not tell where an issue went")
    ANY: ClassVar[str] = worded("a token with scope api or read_api")
    SET_FEATURES: ClassVar[str] = worded(
        "an administrator's token with scope api, plus admin_mode when Admin Mode is on"
    )
    SET_FLAGS: ClassVar[str] = worded("a token with scope api whose user is at least Developer of the project")
    WRITE_ISSUES: ClassVar[str] = worded("a token with scope api whose user is at least Reporter of the project")

    def __init__(self, needs: str = ANY) -> None:
        super().__init__(worded("GitLab refuses this to our token. It takes {needs}.", needs=needs))
        self.needs = needs


class Gone(GitLabProblem):
    """404: not there, deleted, or not visible to our token (GitLab does not tell which)."""

    kind = "not_found"

    def __init__(self, what: str = "") -> None:
        super().__init__(
            worded(
                "GitLab finds no {what}: it was moved or deleted, or our token may not see it. "
                "Check the address and the token's rights.",
                what=what or worded("such thing"),
            )
        )
        self.what = what


class ServerError(GitLabProblem):
    """5xx. ``status`` is the HTTP status. Questions were asked again before this is raised, changes never are."""

    kind = "server_error"

    def __init__(self, status: int, *, asked_again: bool = True) -> None:
        super().__init__(
            worded(
                "GitLab answered {status}, also when asked again: it has a problem of its own. "
                "The portal tries again later; see GitLab's status page or log if it lasts.",
                status=status,
            )
            if asked_again
            else worded(
                "GitLab answered {status}: it has a problem of its own. "
                "The portal tries again later; see GitLab's status page or log if it lasts.",
                status=status,
            )
        )
        self.status = status


class BadAnswer(GitLabProblem):
    """An answer that is not what GitLab's API documents. ``field`` is where, such as ``gates[2].value``."""

    kind = "bad_answer"

    def __init__(self, field: str, why: str = worded("has a value that GitLab's API does not document")) -> None:
        super().__init__(
            worded(
                "GitLab's answer is not usable: {field} {why}. "
                "Check that the URL is that of a GitLab, and that no sign-in page stands before it.",
                field=field,
                why=why,
            )
        )
        self.field = field
        self.why = why

    def within(self, place: str) -> BadAnswer:
        """The same problem, seen from one level further out: ``value`` within ``gates[2]`` is ``gates[2].value``."""
        return BadAnswer(f"{place}.{self.field}", self.why)


class Rejected(GitLabProblem):
    """400, 409, 413 or 422 to a change, or a change that the door does not even send: as it is, it never works."""

    kind = "rejected"
