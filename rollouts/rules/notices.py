"""Which event tells whom, and what they can do about it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from .approvals import RequestFacts, blockers_of_approver
from .machine import Role
from .people import Person
from .phrases import Phrase, say
from .waivers import Asked, blockers_of_granter


class Audience(StrEnum):
    """Who an event concerns, by what they are to it."""

    APPROVERS = "approvers"
    ASKER = "asker"
    GRANTERS = "granters"
    OWNERS = "owners"
    ADMINS = "admins"
    #: Of any open rollout that it touches.
    ALL_OWNERS = "all_owners"
    #: Who may review an override: not who made it.
    REVIEWERS = "reviewers"
    #: Whose account or token it is about.
    SUBJECT = "subject"
    #: Whoever could decide, whether they are away or not.
    DECIDERS = "deciders"


class Kind(StrEnum):
    """What a notice is about; the newest of a kind about one thing stands for those shortly before it."""

    ASKED = "asked"
    DECIDED = "decided"
    WAIVER = "waiver"
    VOID = "void"
    REMINDED = "reminded"
    MOVED = "moved"
    CONFIRMED = "confirmed"
    HELD = "held"
    DRIFT = "drift"
    GIVEN_UP = "given_up"
    LOCK = "lock"
    STALE = "stale"
    OVERRIDE = "override"
    CLEAN_UP = "clean_up"
    TOKEN = "token"
    SIGN_IN = "sign_in"
    ACTED = "acted"
    LOOSE_ENDS = "loose_ends"


#: What of each kind somebody is told.
KIND_WORDS: Mapping[Kind, Phrase] = {
    Kind.ASKED: say("You are asked for your approval"),
    Kind.DECIDED: say("What you asked for was approved or rejected"),
    Kind.VOID: say("A request has changed, or expired"),
    Kind.WAIVER: say("A waiver is asked for, decided, or over"),
    Kind.REMINDED: say("A request waits for long"),
    Kind.MOVED: say("A rollout of yours moved"),
    Kind.CONFIRMED: say("GitLab was found as planned"),
    Kind.HELD: say("A ramp of yours is held, or may go on"),
    Kind.DRIFT: say("Drift began or ended"),
    Kind.GIVEN_UP: say("A write to GitLab was given up"),
    Kind.LOCK: say("A change lock began or ended"),
    Kind.STALE: say("GitLab could not be read for a while"),
    Kind.OVERRIDE: say("An override waits for a review"),
    Kind.CLEAN_UP: say("A flag is to be cleaned up"),
    Kind.TOKEN: say("A token of yours ends soon"),
    Kind.SIGN_IN: say("You signed in by a browser that was new, or your second factor was wrong"),
    Kind.ACTED: say("A guard metric paused a phase, or rolled it back"),
    Kind.LOOSE_ENDS: say("Loose ends, once a week"),
}


#: As somebody chooses among them.
GROUPS: tuple[tuple[Phrase, tuple[Kind, ...]], ...] = (
    (say("Approvals"), (Kind.ASKED, Kind.DECIDED, Kind.VOID, Kind.REMINDED, Kind.WAIVER, Kind.OVERRIDE)),
    (
        say("Rollouts that you own or follow"),
        (
            Kind.MOVED,
            Kind.CONFIRMED,
            Kind.HELD,
            Kind.ACTED,
            Kind.DRIFT,
            Kind.LOCK,
            Kind.STALE,
            Kind.CLEAN_UP,
            Kind.LOOSE_ENDS,
            Kind.GIVEN_UP,
        ),
    ),
    (say("Your account"), (Kind.TOKEN, Kind.SIGN_IN)),
)


@dataclass(frozen=True, slots=True)
class Tells:
    """``anchor`` is where on the rollout's page the button is, with {phase}, or {number} of what the event is about;
    empty: on the page of approvals.

    What is about no rollout has its button on ``page``, a name among the portal's addresses.
    """

    kind: Kind
    to: frozenset[Audience]
    to_do: Phrase
    anchor: str = ""
    page: str = "sync"


_OWNERS = frozenset({Audience.OWNERS})
_ALL_OWNERS = frozenset({Audience.ALL_OWNERS})
_LOOK = say("Look at it.")
_AT_WAIVER = "#waiver-{number}"
_AT_PHASE = "#phase-{phase}"
_MOVED = Tells(Kind.MOVED, _OWNERS, _LOOK, _AT_PHASE)
#: By verb. What is not here tells nobody.
TELLS: Mapping[str, Tells] = {
    "phase.request": Tells(Kind.ASKED, frozenset({Audience.APPROVERS}), say("Approve or reject it.")),
    "phase.approve": Tells(Kind.DECIDED, frozenset({Audience.ASKER}), say("Go on with it."), _AT_PHASE),
    "phase.reject": Tells(Kind.DECIDED, frozenset({Audience.ASKER}), say("See why, and ask again."), _AT_PHASE),
    "approval.void": Tells(
        Kind.VOID,
        frozenset({Audience.APPROVERS, Audience.ASKER}),
        say("It has changed since: it needs approval again."),
    ),
    "approval.expire": Tells(
        Kind.VOID, frozenset({Audience.ASKER}), say("Ask again, if it is still wanted."), _AT_PHASE
    ),
    "approval.reminded": Tells(Kind.REMINDED, frozenset({Audience.APPROVERS}), say("Approve or reject it.")),
    "approval.escalated": Tells(
        Kind.REMINDED,
        frozenset({Audience.DECIDERS, Audience.ASKER, Audience.OWNERS}),
        say("Nobody has decided in the time for it: see to it that somebody does."),
    ),
    **{f"phase.{verb}": _MOVED for verb in ("start", "advance", "pause", "resume", "complete", "skip", "roll_back")},
    "waiver.ask": Tells(Kind.WAIVER, frozenset({Audience.GRANTERS}), say("Grant or refuse it."), _AT_WAIVER),
    "waiver.grant": Tells(Kind.WAIVER, frozenset({Audience.ASKER}), say("Go on with it."), _AT_WAIVER),
    "waiver.refuse": Tells(Kind.WAIVER, frozenset({Audience.ASKER}), say("See why, and ask again."), _AT_WAIVER),
    "waiver.end": Tells(Kind.WAIVER, _OWNERS, say("It blocks again: see to it."), _AT_WAIVER),
    "waiver.ends": Tells(Kind.WAIVER, _OWNERS, say("Do what it lets pass, or ask for another."), _AT_WAIVER),
    "waiver.expire": Tells(Kind.WAIVER, _OWNERS, say("It blocks again: see to it."), _AT_WAIVER),
    "phase.confirmed": Tells(Kind.CONFIRMED, _OWNERS, _LOOK, _AT_PHASE),
    "ramp.held": Tells(Kind.HELD, _OWNERS, say("See what holds it."), "#ramp"),
    "ramp.freed": Tells(Kind.HELD, _OWNERS, _LOOK, "#ramp"),
    "drift.began": Tells(Kind.DRIFT, _OWNERS, say("Bring GitLab and the plan together."), "#drift"),
    "drift.ended": Tells(Kind.DRIFT, _OWNERS, _LOOK, "#drift"),
    "outbox.given_up": Tells(
        Kind.GIVEN_UP, frozenset({Audience.OWNERS, Audience.ADMINS}), say("See why, and try again."), "#writes"
    ),
    "lock.began": Tells(Kind.LOCK, _ALL_OWNERS, say("Until it ends nothing widens; rolling back may."), page="locks"),
    "lock.over": Tells(Kind.LOCK, _ALL_OWNERS, say("Go on with it."), page="locks"),
    "reading.stale": Tells(
        Kind.STALE, _ALL_OWNERS | {Audience.ADMINS}, say("Nothing can start: look at the sync."), page="sync"
    ),
    "reading.fresh": Tells(Kind.STALE, _ALL_OWNERS | {Audience.ADMINS}, say("Go on with it."), page="sync"),
    "override.open": Tells(Kind.OVERRIDE, frozenset({Audience.REVIEWERS}), say("Review it."), "#override-{number}"),
    "override.overdue": Tells(
        Kind.OVERRIDE,
        frozenset({Audience.REVIEWERS}),
        say("Its review is overdue: review it now."),
        "#override-{number}",
    ),
    "cleanup.due": Tells(Kind.CLEAN_UP, _OWNERS, say("Remove the flag, then close the rollout."), "#exposure"),
    "cleanup.overdue": Tells(Kind.CLEAN_UP, _OWNERS, say("Remove the flag, then close the rollout."), "#exposure"),
    "loose_ends.found": Tells(
        Kind.LOOSE_ENDS, _ALL_OWNERS | {Audience.ADMINS}, say("See each of them with its cure."), page="loose_ends"
    ),
    "token.ends": Tells(Kind.TOKEN, frozenset({Audience.SUBJECT}), say("Make a new one in time."), page="account"),
    "account.sign_in_new": Tells(
        Kind.SIGN_IN, frozenset({Audience.SUBJECT}), say("If it was not you, end that session."), page="account"
    ),
    "factor.failed": Tells(
        Kind.SIGN_IN, frozenset({Audience.SUBJECT}), say("If it was not you, change your password."), page="account"
    ),
}


#: What the portal did because a guard metric asked for it is loud.
_ACTED = Tells(
    Kind.ACTED,
    frozenset({Audience.OWNERS, Audience.ADMINS}),
    say("See which figure, and decide how to go on."),
    "#metrics",
)


def tells_of(verb: str, actor: str, *, by_a_job: bool) -> Tells:
    """Raises ``KeyError`` for what tells nobody."""
    if by_a_job and actor == "metrics" and verb in ("phase.pause", "phase.roll_back"):
        return _ACTED
    return TELLS[verb]


def recipients(
    to: Iterable[Audience],
    people: Iterable[Person],
    *,
    owners: Collection[str],
    asker: str,
    actor: str,
    request: RequestFacts | None,
    away: Mapping[str, str] = MappingProxyType({}),
    subject: str = "",
    all_owners: Collection[str] = (),
    waiver: Asked | None = None,
) -> frozenset[str]:
    """The names of whom it concerns, of these people. Nobody is told of what they did themselves.

    Approvers are those whose yes would count for what is asked now, by the policy and the four eyes, and who have not
    said it. Without owners a rollout is its maker's: the caller says so. ``away`` names who is away with who is asked
    instead: that one is told, and who is away only where that one may not. ``subject`` is whose token it is, or who
    made the override.
    """
    wanted = frozenset(to)
    belongs: dict[Audience, Callable[[Person], bool]] = {
        Audience.APPROVERS: lambda person: request is not None and is_asked(request, person),
        Audience.GRANTERS: lambda person: waiver is not None and not blockers_of_granter(waiver, person),
        Audience.DECIDERS: lambda person: request is not None and is_asked(request, person),
        Audience.ASKER: lambda person: person.name == asker,
        Audience.OWNERS: lambda person: person.is_named(owners),
        Audience.ADMINS: lambda person: person.has(Role.ADMIN),
        Audience.ALL_OWNERS: lambda person: person.is_named(all_owners),
        Audience.REVIEWERS: lambda person: _may_review(person) and subject not in (person.identity, *person.twins),
        Audience.SUBJECT: lambda person: person.name == subject,
    }
    found = {person.name for person in people if any(belongs[audience](person) for audience in wanted)}
    told_themselves = {asker} if Audience.ASKER in wanted else {subject} if Audience.SUBJECT in wanted else set()
    if Audience.DECIDERS not in wanted:
        found -= {name for name, instead in away.items() if instead in found} - told_themselves
    return frozenset(found - {actor})


def _may_review(person: Person) -> bool:
    return person.has(Role.APPROVER) or person.has(Role.ADMIN)


def is_asked(request: RequestFacts, person: Person) -> bool:
    """Whether this person's yes would count for what is asked now, and they have not said it."""
    said_yes = any(one.by in (person.identity, *person.twins) for one in request.counting())
    return not said_yes and not blockers_of_approver(request, person)
