"""A person as the rules see one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .blockers import HERE, Blocker, in_words
from .machine import Role
from .phrases import listed, say

#: A blocker that its person clears at once, and where: from there they come back to where they are.
SIGN_IN_OLD, SIGN_IN_ANEW = "sign_in_old", f"/accounts/again/?next={HERE}"


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to do something: ``identity`` tells people apart (four eyes), ``name`` is shown.

    ``groups`` are all groups that the person is in: an approval policy may name one besides the roles.
    ``hand`` is who types the command that names the person, so that nobody is two people; empty everywhere else.
    ``handle``: what GitLab calls them, proved by a sign-in there; empty where nobody knows, or where it is somebody
    else's name here. ``twins``: the handle, and the names of accounts here that their GitLab user was in too.
    ``former_names``: what they were called here before; they are among the twins too.
    ``stands_for``: names, here and in GitLab, of who is away now and instead of whom this person is asked.
    ``is_the_ramp``: nobody at all, but a step that would begin by itself; ``is_a_metric``: nor here, but a guard metric
    that pauses or rolls back.
    ``touched_by``: who set the password, roles or tokens of this person's account since its owner last proved to be
    in it (names); what these asked for or wrote the person can't approve.
    ``proved_at``: when they last showed who they are by a sign-in, in the browser by which they act.
    ``is_in_a_browser``: a token or a command shows nobody, and can't sign in.
    ``spoken_by``: who made the token that speaks in this person's name, where that was somebody else.
    """

    identity: str
    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    is_the_ramp: bool = False
    handle: str = ""
    twins: Collection[str] = frozenset()
    former_names: Collection[str] = frozenset()
    stands_for: Collection[str] = frozenset()
    is_a_metric: bool = False
    touched_by: Collection[str] = frozenset()
    spoken_by: str = ""
    hand: str = ""
    proved_at: datetime | None = None
    is_in_a_browser: bool = False

    def has(self, role: Role) -> bool:
        """An admin has every role; everybody may read."""
        return role is Role.VIEWER or role in self.roles or Role.ADMIN in self.roles

    def is_named(self, names: Collection[str]) -> bool:
        """Whether a plan that names these means this person: by either name, or instead of who is away."""
        if self.name in names or (bool(self.handle) and self.handle in names):
            return True
        return any(name in names for name in (*self.former_names, *self.stands_for))

    def own_voice(self) -> list[Blocker]:
        """Who decides does it themselves: a token that somebody else made says nothing of what its person thinks."""
        if not self.spoken_by:
            return []
        words = say(
            "This token was made by {who} and not by {name}: it approves, rejects and reviews nothing. {name} makes "
            "one on the page «Your account».",
            who=self.spoken_by,
            name=self.name,
        )
        return [Blocker("token_of_another", words)]

    def shown_within(self, span: timedelta | None, now: datetime) -> list[Blocker]:
        """Whether their sign-in is as fresh as asked for; anything is where nothing is asked for."""
        if span is None or (self.proved_at is not None and now - self.proved_at <= span):
            return []
        if not self.is_in_a_browser:
            words = say(
                "It takes a sign-in of the last {length}. A token or a command is none: approve on the portal's pages.",
                length=in_words(span),
            )
        elif self.proved_at is None:
            words = say("It takes a sign-in of the last {length}. Sign in anew.", length=in_words(span))
        else:
            words = say(
                "It takes a sign-in of the last {length}, and yours was {ago} ago. Sign in anew.",
                length=in_words(span),
                ago=in_words(now - self.proved_at),
            )
        return [Blocker(SIGN_IN_OLD, words, SIGN_IN_ANEW)]

    def hands_of(self, others: Iterable[str]) -> list[Blocker]:
        """Whether one of these people could be behind this account: four eyes then are two."""
        hands = sorted(set(others).intersection(self.touched_by))
        if not hands:
            return []
        words = say(
            "{hands} set the password, a role or a token of {name}: that approves nothing of {hands} until {name} has "
            "signed in anew, by a password of their own or the identity provider.",
            hands=listed(hands),
            name=self.name,
        )
        return [Blocker("account_touched", words)]


#: Who may all and is nobody: to ask what stands in the way whoever presses.
ANYBODY = Person("", "", frozenset({Role.ADMIN}))
