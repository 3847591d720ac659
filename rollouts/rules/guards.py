"""Guards: every reason why a transition may not happen now, all at once (DESIGN section 4).

The page, the API, the command and the jobs print the same list. Facts in, blockers out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from . import capacity
from .blockers import OVERRIDABLE, Blocker, in_words
from .checklist import Gate, ItemKind
from .expected import Audience, Presence, drift
from .exposure import widens
from .facts import Person, PhaseFacts, RolloutFacts
from .machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, SETTLED, PhaseState, Role, RolloutState, Verb
from .ramp import soak_left

Guard = Callable[[RolloutFacts, PhaseFacts, Person], list[Blocker]]
OVER = (RolloutState.ABANDONED, RolloutState.CLOSED)


def blockers(
    verb: str, facts: RolloutFacts, phase_name: str, person: Person, *, reason: str = "", override: bool = False
) -> list[Blocker]:
    """Every reason why this person may not do this to the phase now; an empty list means go.

    With ``override`` an admin passes what ``blockers.OVERRIDABLE`` lists at start and advance, if there is a
    reason; four eyes, the role and the state can't be overridden.
    """
    rule, phase = PHASE_VERBS[verb], facts.phase(phase_name)
    found = role_blockers(rule, person, phase.title)
    if phase.state not in rule.sources:
        return [*found, _wrong_state(rule, phase.title, phase.state)]
    found += _reason(rule, reason)
    if facts.state in OVER and verb != "roll_back":
        found.append(Blocker("rollout_over", f"The rollout is {facts.state}."))
    found += GUARDS.get(verb, _no_more)(facts, phase, person)
    return _overridden(rule, found, person, reason) if override else found


def rollout_blockers(verb: str, facts: RolloutFacts, person: Person, *, reason: str = "") -> list[Blocker]:
    """The same for what is done to the rollout as a whole: ``abandon`` and ``close``."""
    rule = ROLLOUT_VERBS[verb]
    found = role_blockers(rule, person, "the rollout")
    if facts.state not in rule.sources:
        return [*found, _wrong_state(rule, "The rollout", facts.state)]
    found += _reason(rule, reason)
    if verb == "abandon":
        found += [
            Blocker("phase_live", f"{phase.title} is {phase.state}: roll it back first.", f"#phase-{phase.name}")
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
    return GUARDS.get(verb, _no_more)(facts, phase, Person("", "", frozenset({Role.ADMIN})))


def next_step_blockers(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """What stands between a live percentage and its next step: reading, soak, capacity."""
    found = _reading_blockers(facts, phase)
    opening = phase.opening
    following = opening.ramp.after(opening.step) if opening.ramp else None
    if opening.ramp is None or following is None or opening.step is None:
        return [*found, Blocker("last_step", "There is no further step: complete the phase.", f"#phase-{phase.name}")]
    soak = opening.ramp.at(opening.step).soak
    found += _soak_blockers(facts, phase, soak, f"{opening.step} %")
    return found + capacity.blockers(facts.capacity, following.percentage / 100, f"{following.percentage} %")


def _request(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    return [
        Blocker(
            "another_request",
            f"{other.title} waits for approval already: one request at a time.",
            f"#phase-{other.name}",
        )
        for other in facts.phases
        if other.state == PhaseState.REQUESTED
    ]


def _approve(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    return _four_eyes(phase, person) + _still_what_was_asked(phase)


def _four_eyes(phase: PhaseFacts, person: Person) -> list[Blocker]:
    if person.identity != phase.requested_by:
        return []
    return [Blocker("four_eyes", f"{person.name} asked for it: somebody else must approve.", f"#phase-{phase.name}")]


def _still_what_was_asked(phase: PhaseFacts) -> list[Blocker]:
    if phase.asked_digest == phase.digest:
        return []
    return [
        Blocker(
            "request_stale",
            "The plan or a required item changed since it was asked for. Withdraw the request and ask again.",
            f"#phase-{phase.name}",
        )
    ]


def _start(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    found = _still_what_was_asked(phase)
    found += [
        Blocker("item_open", f"{item.title}: {item.verdict.words}.", item.where)
        for item in facts.open_items(phase, Gate.START)
        if item.kind not in (ItemKind.CAPACITY, ItemKind.FLAG)  # these two have blockers of their own, below
    ]
    found += [
        Blocker("earlier_phase_open", f"{earlier.title} is {earlier.state}: it comes first.", f"#phase-{earlier.name}")
        for earlier in facts.before(phase)
        if earlier.state not in SETTLED
    ]
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
        found.append(
            Blocker("actors_unresolved", f"GitLab has not told who these are: {names}.", f"#phase-{phase.name}")
        )
    opening = phase.opening
    return found + capacity.blockers(facts.capacity, opening.reach_at(opening.first_step), phase.title)


def _advance(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    return next_step_blockers(facts, phase)


def _complete(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    found = [
        Blocker("item_open", f"{item.title}: {item.verdict.words}.", item.where)
        for item in facts.open_items(phase, Gate.COMPLETE)
    ]
    opening = phase.opening
    if opening.audience is Audience.PERCENTAGE and (opening.step or 0) < 100:
        found.append(Blocker("not_whole", f"It stands at {opening.step} %, not at 100 %.", f"#phase-{phase.name}"))
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
        return [Blocker("soak", words, f"#phase-{phase.name}")] if soak else []
    if left:
        return [Blocker("soak", f"{what} must stand {in_words(left)} more.", f"#phase-{phase.name}")]
    return []


def _skip(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    if phase.optional:
        return []
    return [Blocker("not_optional", f"{phase.title} is required: it can't be skipped.", f"#phase-{phase.name}")]


def _no_more(facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    return []


GUARDS: dict[str, Guard] = {
    "request": _request,
    "approve": _approve,
    "reject": lambda facts, phase, person: _four_eyes(phase, person),
    "start": _start,
    "advance": _advance,
    "complete": _complete,
    "skip": _skip,
}


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


def _overridden(rule: Verb, found: list[Blocker], person: Person, reason: str) -> list[Blocker]:
    left = [blocker for blocker in found if not (rule.overridable and blocker.code in OVERRIDABLE)]
    if not rule.overridable:
        left.append(Blocker("override", f"{rule.label} can't be overridden, only start and advance can."))
    if not person.has(Role.ADMIN):
        left.append(Blocker("role", f"An override takes the role admin; {person.name} has not got it."))
    if not reason.strip():
        left.append(Blocker("reason_missing", "An override needs a reason."))
    return left
