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
from .expected import Audience, Presence, drift
from .exposure import widens
from .facts import PhaseFacts, RolloutFacts
from .machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, SETTLED, PhaseState, Role, RolloutState, Verb
from .people import ANYBODY, Person
from .ramp import soak_left


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
    found = [] if verb in BY_POLICY and phase.request else role_blockers(rule, person, phase.title)
    if phase.state not in rule.sources:
        return [*found, _wrong_state(rule, phase.title, phase.state)]
    found += _reason(rule, wish.reason)
    if facts.state in OVER and verb != "roll_back":
        found.append(Blocker("rollout_over", f"The rollout is {facts.state}."))
    found += GUARDS.get(verb, _no_more)(facts, phase, person, wish)
    return _overridden(rule, facts, found, person, wish) if wish.override else found


def rollout_blockers(verb: str, facts: RolloutFacts, person: Person, *, reason: str = "") -> list[Blocker]:
    """The same for what is done to the rollout as a whole: ``abandon`` and ``close``."""
    rule = ROLLOUT_VERBS[verb]
    found = role_blockers(rule, person, "the rollout")
    if facts.state not in rule.sources:
        return [*found, _wrong_state(rule, "The rollout", facts.state)]
    found += _reason(rule, reason)
    if verb == "abandon":
        found += [
            Blocker("phase_live", f"{phase.title} is {phase.state}: roll it back first.", phase.where)
            for phase in facts.phases
            if phase.state in LIVE
        ]
    if verb == "close" and facts.reading.presence in (Presence.SET, Presence.UNREAD):
        found.append(
            Blocker(
                "flag_still_set",
                f"The flag {facts.flag} is {facts.reading.presence.words} in GitLab. "
                "Remove it from the code, then delete its record in every environment.",
                "#exposure",
            )
        )
    return found


def role_blockers(rule: Verb, person: Person, what: str) -> list[Blocker]:
    """The one blocker that says which role is lacking, or none."""
    if person.has(rule.role):
        return []
    return [Blocker("role", f"{rule.label} takes the role {rule.role}; {person.name} has not got it.")]


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
        return [*found, Blocker("last_step", "There is no further step: complete the phase.", phase.where)]
    if wanted is None or wanted.percentage is None:
        return [*found, _no_such_step(phase, to)]
    soak = opening.ramp.at(opening.step).soak
    found += _soak_blockers(facts, phase, soak, f"{opening.step} %")
    found += _lock_blockers(facts) + _approval_blockers(facts, phase, to)
    return found + capacity.blockers(facts.capacity, wanted.after.least_reach, f"{wanted.percentage} %")


def _no_such_step(phase: PhaseFacts, to: int | None) -> Blocker:
    ramp = phase.opening.ramp
    if ramp is None:
        return Blocker("no_such_step", f"{phase.title} has no steps: leave the percentage out.", phase.where)
    left = [f"{step.percentage} %" for step in ramp.steps if step.percentage > (phase.opening.step or 0)]
    return Blocker(
        "no_such_step", f"{to} % is no later step of {phase.title}. There are: {', '.join(left)}.", phase.where
    )


def _approval_blockers(facts: RolloutFacts, phase: PhaseFacts, to: int | None) -> list[Blocker]:
    wanted, policy = facts.target(phase, to), facts.policy(phase, to)
    return approvals.blockers_of_use(phase.request, wanted, policy, facts.now, phase.title, phase.where)


def _lock_blockers(facts: RolloutFacts) -> list[Blocker]:
    """Under a change lock no flag may reach more people (DESIGN section 3; FACTS 5c and 5d)."""
    found = [
        Blocker(
            "change_lock",
            f"Change lock: {lock.title}{f', until {lock.until:%-d %b %H:%M} UTC' if lock.until else ''}.",
            lock.where,
        )
        for lock in facts.locks
    ]
    return found + [Blocker("locks_unknown", words, "/locks/") for words in facts.locks_unread]


def _request(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = [
        Blocker("another_request", f"{other.title} waits for approval already: one request at a time.", other.where)
        for other in facts.phases
        if other.request is not None and (other is phase or other.state == PhaseState.REQUESTED)
    ]
    if facts.target(phase, wish.to) is None:
        is_last = phase.state == PhaseState.ACTIVE and wish.to is None
        last = Blocker("last_step", "There is no further step to ask for: complete the phase.", phase.where)
        found.append(last if is_last else _no_such_step(phase, wish.to))
    elif facts.policy(phase, wish.to) is None:
        found.append(
            Blocker("not_needed", "This step needs no request of its own: the phase's approval covers it.", phase.where)
        )
    return found


def _approve(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", f"Nothing of {phase.title} waits for approval.", phase.where)]
    return approvals.blockers_of_approval(phase.request, person, facts.now, seen=wish.seen, where=phase.where)


def _reject(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", f"Nothing of {phase.title} waits for approval.", phase.where)]
    found = phase.request.why_not(person.identity, person.roles, person.groups)
    if phase.request.state == approvals.RequestState.GRANTED:
        found.append(Blocker("granted", "It is approved already: withdraw it instead.", phase.where))
    return found


def _withdraw(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", f"Nothing of {phase.title} was asked for.", phase.where)]
    return []


def _start(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = _approval_blockers(facts, phase, wish.to)
    found += [
        Blocker("item_open", f"{item.title}: {item.verdict.words}.", item.where)
        for item in facts.open_items(phase, Gate.START)
        if item.kind not in (ItemKind.CAPACITY, ItemKind.FLAG)  # these two have blockers of their own, below
    ]
    found += [
        Blocker("earlier_phase_open", f"{earlier.title} is {earlier.state}: it comes first.", earlier.where)
        for earlier in facts.before(phase)
        if earlier.state not in SETTLED
    ]
    found += _lock_blockers(facts)
    if facts.reading.presence in (Presence.UNKNOWN, Presence.UNREAD):
        found.append(Blocker("flag_missing", f"The flag {facts.flag} is {facts.reading.presence.words}.", "#exposure"))
    if facts.is_stale:
        found.append(_stale(facts))
    if facts.reading.exposure is not None and widens(facts.expected, facts.reading.exposure):
        kind = drift(facts.expected, facts.reading)
        found.append(
            Blocker(
                "flag_ahead",
                f"GitLab is at {facts.reading.words}, the plan at {facts.expected.words}: {kind.words.lower()}.",
                "#exposure",
            )
        )
    found += [Blocker("flag_shared", f"{title} is live on the same flag.", "#exposure") for title in facts.others_live]
    if phase.unresolved:
        names = ", ".join(phase.unresolved)
        found.append(Blocker("actors_unresolved", f"GitLab has not told who these are: {names}.", phase.where))
    wanted = facts.target(phase, wish.to)
    if wanted is None:
        return [*found, _no_such_step(phase, wish.to)]
    reach = phase.opening.at(wanted.percentage).least_reach
    return found + capacity.blockers(facts.capacity, reach, phase.title)


def _advance(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return next_step_blockers(facts, phase, wish.to)


def _complete(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    found = [
        Blocker("item_open", f"{item.title}: {item.verdict.words}.", item.where)
        for item in facts.open_items(phase, Gate.COMPLETE)
    ]
    opening = phase.opening
    if opening.audience is Audience.PERCENTAGE and (opening.step or 0) < 100:
        found.append(Blocker("not_whole", f"It stands at {opening.step} %, not at 100 %.", phase.where))
    found += _reading_blockers(facts, phase)
    return found + _soak_blockers(facts, phase, phase.final_soak, phase.title)


def _reading_blockers(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    found = [_stale(facts)] if facts.is_stale else []
    if not facts.is_confirmed:
        found.append(
            Blocker(
                "not_confirmed", f"GitLab is at {facts.reading.words}, the plan at {facts.expected.words}.", "#exposure"
            )
        )
    return found


def _soak_blockers(facts: RolloutFacts, phase: PhaseFacts, soak: timedelta, what: str) -> list[Blocker]:
    left = soak_left(phase.confirmed_at, soak, facts.now)
    if left is None:
        words = f"{what} must stand {in_words(soak)} from when GitLab is read at it."
        return [Blocker("soak", words, phase.where)] if soak else []
    if left:
        return [Blocker("soak", f"{what} must stand {in_words(left)} more.", phase.where)]
    return []


def _skip(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.optional:
        return []
    return [Blocker("not_optional", f"{phase.title} is required: it can't be skipped.", phase.where)]


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
        return Blocker("reading_stale", "GitLab has not been read for this flag yet.", "/sync/")
    age = in_words(facts.now - facts.reading.read_at)
    return Blocker(
        "reading_stale", f"The newest reading is {age} old; {in_words(facts.freshness)} is the limit.", "/sync/"
    )


def _wrong_state(rule: Verb, what: str, state: str) -> Blocker:
    allowed = " or ".join(sorted(source.replace("_", " ") for source in rule.sources))
    return Blocker("state", f"{what} is {state.replace('_', ' ')}; {rule.label.lower()} needs it {allowed}.")


def _reason(rule: Verb, reason: str) -> list[Blocker]:
    if rule.needs_reason and not reason.strip():
        return [Blocker("reason_missing", f"{rule.label} needs a reason.")]
    return []


def _overridden(rule: Verb, facts: RolloutFacts, found: list[Blocker], person: Person, wish: Wish) -> list[Blocker]:
    left = [blocker for blocker in found if not (rule.overridable and blocker.code in OVERRIDABLE)]
    if not rule.overridable:
        left.append(Blocker("override", f"{rule.label} can't be overridden, only start and advance can."))
    if not person.has(Role.ADMIN):
        left.append(Blocker("role", f"An override takes the role admin; {person.name} has not got it."))
    if not wish.reason.strip():
        left.append(Blocker("reason_missing", "An override needs a reason."))
    if wish.confirm != facts.slug:
        said = f"An override needs a second confirmation: repeat the rollout's short name, {facts.slug}."
        left.append(Blocker("confirmation_missing", said))
    return left
