"""Guards: every reason why a transition may not happen now, all at once (DESIGN section 4).

The page, the API, the command and the jobs print the same list. Facts in, blockers out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from . import approvals, capacity
from .blockers import OVERRIDABLE, Blocker, in_words
from .checklist import Gate, ItemKind
from .expected import Audience, Presence
from .exposure import widens
from .facts import ItemFacts, PhaseFacts, RolloutFacts
from .machine import (
    LIVE,
    PHASE_VERBS,
    ROLE_WORDS,
    ROLLOUT_VERBS,
    SETTLED,
    PhaseState,
    Role,
    RolloutState,
    Verb,
    state_in_words,
)
from .moments import day_and_clock
from .people import ANYBODY, Person
from .ramp import soak_left
from .words import Phrase, any_of, joined, say, sentence


@dataclass(frozen=True, slots=True)
class Wish:
    """What comes along with a verb.

    ``to`` names a step by its percentage where it is not the next one; ``seen`` is the digest of what an approver
    looked at; ``confirm`` repeats the rollout's short name, as an override asks for.
    """

    reason: str = ""
    to: int | None = None
    seen: str = ""
    override: bool = False
    confirm: str = ""


NOTHING_MORE = Wish()
Guard = Callable[[RolloutFacts, PhaseFacts, Person, Wish], list[Blocker]]
OVER = (RolloutState.ABANDONED, RolloutState.CLOSED)


def blockers(
    verb: str, facts: RolloutFacts, phase_name: str, person: Person, wish: Wish = NOTHING_MORE
) -> list[Blocker]:
    """Every reason why this person may not do this to the phase now; an empty list means go.

    With ``wish.override`` an admin passes what ``blockers.OVERRIDABLE`` lists at start and advance, with a reason and
    a second confirmation; four eyes, the approvals, the role and the state can't be overridden.
    """
    rule, phase = PHASE_VERBS[verb], facts.phase(phase_name)
    found = [] if verb in BY_POLICY and phase.request else role_blockers(rule, person)
    if phase.state not in rule.sources:
        return [*found, _wrong_state(rule, phase.title, phase.state)]
    found += _reason(rule, wish.reason)
    if facts.state in OVER and verb != "roll_back":
        found.append(Blocker("rollout_over", say("The rollout is {state}.", state=state_in_words(facts.state))))
    found += GUARDS.get(verb, _no_more)(facts, phase, person, wish)
    return _overridden(rule, facts, found, person, wish) if wish.override else found


def rollout_blockers(verb: str, facts: RolloutFacts, person: Person, *, reason: str = "") -> list[Blocker]:
    """The same for what is done to the rollout as a whole: ``abandon`` and ``close``."""
    rule = ROLLOUT_VERBS[verb]
    found = role_blockers(rule, person)
    if facts.state not in rule.sources:
        return [*found, _wrong_state(rule, say("The rollout"), facts.state)]
    found += _reason(rule, reason)
    if verb == "abandon":
        found += [
            Blocker(
                "phase_live",
                say("{phase} is {state}: roll it back first.", phase=phase.title, state=state_in_words(phase.state)),
                phase.where,
            )
            for phase in facts.phases
            if phase.state in LIVE
        ]
    if verb == "close" and facts.reading.presence in (Presence.SET, Presence.UNREAD):
        found.append(
            Blocker(
                "flag_still_set",
                say(
                    "The flag {flag} is {presence} in GitLab. "
                    "Remove it from the code, then delete its record in every environment.",
                    flag=facts.flag,
                    presence=facts.reading.presence.words,
                ),
                "#exposure",
            )
        )
    return found


def role_blockers(rule: Verb, person: Person) -> list[Blocker]:
    """The one blocker that says which role is lacking, or none."""
    if person.has(rule.role):
        return []
    return [
        Blocker(
            "role",
            say(
                "{label} takes the role {role}; {person} has not got it.",
                label=rule.label,
                role=ROLE_WORDS[rule.role],
                person=person.name,
            ),
        )
    ]


def standing_in_the_way(verb: str, facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """What would block this verb if the phase were in the state for it and the right person pressed: for «Before …»."""
    return GUARDS.get(verb, _no_more)(facts, phase, ANYBODY, NOTHING_MORE)


def may(verb: str, facts: RolloutFacts, phase: PhaseFacts, person: Person) -> bool:
    """Whether the person has the role for it: the one of the verb, or for an approval one of the policy's."""
    if verb in BY_POLICY and phase.request:
        return phase.request.policy.admits(person.roles, person.groups)
    return person.has(PHASE_VERBS[verb].role)


def next_step_blockers(facts: RolloutFacts, phase: PhaseFacts, to: int | None = None) -> list[Blocker]:
    """What stands between a live percentage and its next step: reading, soak, change lock, approvals, capacity."""
    found = _reading_blockers(facts, phase)
    opening = phase.opening
    wanted = facts.target(phase, to)
    if opening.ramp is None or opening.step is None or opening.ramp.after(opening.step) is None:
        return [*found, Blocker("last_step", say("There is no further step: complete the phase."), phase.where)]
    if wanted is None or wanted.percentage is None:
        return [*found, _no_such_step(phase, to)]
    soak = opening.ramp.at(opening.step).soak
    found += _soak_blockers(facts, phase, soak, say("{n} %", n=opening.step))
    found += _lock_blockers(facts) + _approval_blockers(facts, phase, to)
    return found + capacity.blockers(facts.capacity, wanted.after.least_reach, say("{n} %", n=wanted.percentage))


def _no_such_step(phase: PhaseFacts, to: int | None) -> Blocker:
    ramp = phase.opening.ramp
    if ramp is None:
        return Blocker(
            "no_such_step", say("{phase} has no steps: leave the percentage out.", phase=phase.title), phase.where
        )
    left = [say("{n} %", n=step.percentage) for step in ramp.steps if step.percentage > (phase.opening.step or 0)]
    return Blocker(
        "no_such_step",
        say(
            "{to} % is no later step of {phase}. There are: {left}.", to=to, phase=phase.title, left=joined(left, ", ")
        ),
        phase.where,
    )


def _approval_blockers(facts: RolloutFacts, phase: PhaseFacts, to: int | None) -> list[Blocker]:
    wanted, policy = facts.target(phase, to), facts.policy(phase, to)
    return approvals.blockers_of_use(phase.request, wanted, policy, facts.now, phase.title, phase.where)


def _lock_blockers(facts: RolloutFacts) -> list[Blocker]:
    """Under a change lock no flag may reach more people (DESIGN section 3; FACTS 5c and 5d)."""
    found = [
        Blocker(
            "change_lock",
            say("Change lock: {lock}, until {until} UTC.", lock=lock.title, until=day_and_clock(lock.until))
            if lock.until
            else say("Change lock: {lock}.", lock=lock.title),
            lock.where,
        )
        for lock in facts.locks
    ]
    return found + [Blocker("locks_unknown", words, "/locks/") for words in facts.locks_unread]


def _request(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = [
        Blocker("another_request", _standing_already(other), other.where)
        for other in facts.phases
        if other.request is not None and (other is phase or other.state in (PhaseState.REQUESTED, PhaseState.APPROVED))
    ]
    if facts.target(phase, wish.to) is None:
        is_last = phase.state == PhaseState.ACTIVE and wish.to is None
        last = Blocker("last_step", say("There is no further step to ask for: complete the phase."), phase.where)
        found.append(last if is_last else _no_such_step(phase, wish.to))
    elif facts.policy(phase, wish.to) is None:
        found.append(
            Blocker(
                "not_needed", say("This step needs no request of its own: the phase's approval covers it."), phase.where
            )
        )
    return found


def _standing_already(other: PhaseFacts) -> Phrase:
    """An approved start counts too: it goes back to waiting when what was approved changes."""
    if other.state == PhaseState.APPROVED:
        return say("{other} is approved and has not started: start it, or withdraw it first.", other=other.title)
    return say("{other} waits for approval already: one request at a time.", other=other.title)


def _approve(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", say("Nothing of {phase} waits for approval.", phase=phase.title), phase.where)]
    return approvals.blockers_of_approval(phase.request, person, facts.now, seen=wish.seen, where=phase.where)


def _reject(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", say("Nothing of {phase} waits for approval.", phase=phase.title), phase.where)]
    found = phase.request.why_not(person.identity, person.roles, person.groups)
    if phase.request.state == approvals.RequestState.GRANTED:
        found.append(Blocker("granted", say("It is approved already: withdraw it instead."), phase.where))
    return found


def _withdraw(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", say("Nothing of {phase} was asked for.", phase=phase.title), phase.where)]
    return []


def _of_item(item: ItemFacts) -> str:
    """«The release is announced: not confirmed yet.» «Are there bugs? Not decided yet.»"""
    if item.title.endswith("?"):
        return say("{item} {fact}.", item=item.title, fact=sentence(item.verdict.words))
    return say("{item}: {fact}.", item=item.title, fact=item.verdict.words)


def _start(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = _approval_blockers(facts, phase, wish.to)
    found += [
        Blocker("item_open", _of_item(item), item.where)
        for item in facts.open_items(phase, Gate.START)
        if item.kind not in (ItemKind.CAPACITY, ItemKind.FLAG)  # these two have blockers of their own, below
    ]
    found += [
        Blocker(
            "earlier_phase_open",
            say("{earlier} is {state}: it comes first.", earlier=earlier.title, state=state_in_words(earlier.state)),
            earlier.where,
        )
        for earlier in facts.before(phase)
        if earlier.state not in SETTLED
    ]
    found += _lock_blockers(facts)
    if facts.reading.presence in (Presence.UNKNOWN, Presence.UNREAD):
        found.append(
            Blocker(
                "flag_missing",
                say("The flag {flag} is {presence}.", flag=facts.flag, presence=facts.reading.presence.words),
                "#exposure",
            )
        )
    if facts.is_stale:
        found.append(_stale(facts))
    if facts.reading.exposure is not None and widens(facts.expected, facts.reading.exposure):
        kind = facts.drift
        found.append(
            Blocker(
                "flag_ahead",
                say(
                    "GitLab is at {reading}, the plan at {expected}. {kind}.",
                    reading=facts.reading.words,
                    expected=facts.expected.words,
                    kind=kind.words,
                ),
                "#exposure",
            )
        )
    found += [
        Blocker("flag_shared", say("{title} is live on the same flag.", title=title), "#exposure")
        for title in facts.others_live
    ]
    if phase.unresolved:
        names = ", ".join(phase.unresolved)
        found.append(
            Blocker("actors_unresolved", say("GitLab has not told who these are: {names}.", names=names), phase.where)
        )
    wanted = facts.target(phase, wish.to)
    if wanted is None:
        return [*found, _no_such_step(phase, wish.to)]
    reach = phase.opening.at(wanted.percentage).least_reach
    return found + capacity.blockers(facts.capacity, reach, phase.title)


def _advance(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return next_step_blockers(facts, phase, wish.to)


def _complete(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = [Blocker("item_open", _of_item(item), item.where) for item in facts.open_items(phase, Gate.COMPLETE)]
    opening = phase.opening
    if opening.audience is Audience.PERCENTAGE and (opening.step or 0) < 100:
        found.append(Blocker("not_whole", say("It stands at {step} %, not at 100 %.", step=opening.step), phase.where))
    found += _reading_blockers(facts, phase)
    return found + _soak_blockers(facts, phase, phase.final_soak, phase.title)


def _reading_blockers(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    found = [_stale(facts)] if facts.is_stale else []
    if not facts.is_confirmed:
        found.append(
            Blocker(
                "not_confirmed",
                say(
                    "GitLab is at {reading}, the plan at {expected}.",
                    reading=facts.reading.words,
                    expected=facts.expected.words,
                ),
                "#exposure",
            )
        )
    return found


def _soak_blockers(facts: RolloutFacts, phase: PhaseFacts, soak: timedelta, what: str) -> list[Blocker]:
    left = soak_left(phase.confirmed_at, soak, facts.now)
    if left is None:
        words = say("{what} must stand {length} from when GitLab is read at it.", what=what, length=in_words(soak))
        return [Blocker("soak", words, phase.where)] if soak else []
    if left:
        return [Blocker("soak", say("{what} must stand {length} more.", what=what, length=in_words(left)), phase.where)]
    return []


def _skip(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.optional:
        return []
    return [Blocker("not_optional", say("{phase} is required: it can't be skipped.", phase=phase.title), phase.where)]


def _no_more(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return []


GUARDS: dict[str, Guard] = {
    "request": _request,
    "approve": _approve,
    "reject": _reject,
    "withdraw": _withdraw,
    "start": _start,
    "advance": _advance,
    "complete": _complete,
    "skip": _skip,
}
#: Who may do these is said by the approval policy of the request.
BY_POLICY = frozenset({"approve", "reject"})


def _stale(facts: RolloutFacts) -> Blocker:
    if facts.reading.read_at is None:
        return Blocker("reading_stale", say("GitLab has not been read for this flag yet."), "/sync/")
    age = in_words(facts.now - facts.reading.read_at)
    return Blocker(
        "reading_stale",
        say("The newest reading is {age} old; {length} is the limit.", age=age, length=in_words(facts.freshness)),
        "/sync/",
    )


def _wrong_state(rule: Verb, what: str, state: str) -> Blocker:
    allowed = any_of([state_in_words(source) for source in sorted(rule.sources)])
    return Blocker(
        "state",
        say(
            "{what} is {state}; «{verb}» needs it {allowed}.",
            what=what,
            state=state_in_words(state),
            verb=rule.label,
            allowed=allowed,
        ),
    )


def _reason(rule: Verb, reason: str) -> list[Blocker]:
    if rule.needs_reason and not reason.strip():
        return [Blocker("reason_missing", say("{label} needs a reason.", label=rule.label))]
    return []


def _overridden(rule: Verb, facts: RolloutFacts, found: list[Blocker], person: Person, wish: Wish) -> list[Blocker]:
    left = [blocker for blocker in found if not (rule.overridable and blocker.code in OVERRIDABLE)]
    if not rule.overridable:
        left.append(
            Blocker("override", say("{label} can't be overridden, only start and advance can.", label=rule.label))
        )
    if not person.has(Role.ADMIN):
        left.append(
            Blocker("role", say("An override takes the role admin; {person} has not got it.", person=person.name))
        )
    if not wish.reason.strip():
        left.append(Blocker("reason_missing", say("An override needs a reason.")))
    if wish.confirm != facts.slug:
        said = say("An override needs a second confirmation: repeat the rollout's short name, {slug}.", slug=facts.slug)
        left.append(Blocker("confirmation_missing", said))
    return left
