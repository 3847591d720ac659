"""Guards: every reason why a transition may not happen now, all at once (DESIGN section 4).

The page, the API, the command and the jobs print the same list. Facts in, blockers out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from . import approvals, metrics, progress
from .blockers import OVERRIDABLE, Blocker
from .expected import Presence
from .facts import PhaseFacts, RolloutFacts
from .machine import (
    LIVE,
    PHASE_VERBS,
    ROLE_WORDS,
    ROLLOUT_VERBS,
    PhaseState,
    Role,
    Verb,
    state_in_words,
)
from .people import ANYBODY, Person
from .phrases import Phrase, any_of, say


@dataclass(frozen=True, slots=True)
class Wish:
    """What comes along with a verb.

    ``to`` names a step by its percentage where it is not the next one; ``seen`` is the digest of what an approver
    looked at; ``confirm`` repeats the rollout's short name, as an override asks for.
    """

    reason: str = ""
    to: Decimal | None = None
    seen: str = ""
    override: bool = False
    confirm: str = ""

    @classmethod
    def of_who_looks(cls, phase: PhaseFacts) -> Wish:
        """As somebody would press who looks at the phase now and has a reason: to say what stands in the way else."""
        return cls("-", seen=phase.request.stands if phase.request else "")


NOTHING_MORE = Wish()
Guard = Callable[[RolloutFacts, PhaseFacts, Person, Wish], list[Blocker]]
#: What a change lock holds back.
HELD_BY_LOCKS = frozenset({"start", "advance"})


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
    if facts.is_over and verb != "roll_back":
        found.append(is_over(facts.state))
    found += GUARDS.get(verb, _no_more)(facts, phase, person, wish)
    return _overridden(rule, facts, found, person, wish) if wish.override else found


def rollout_blockers(verb: str, facts: RolloutFacts, person: Person, *, reason: str = "") -> list[Blocker]:
    """The same for what is done to the rollout as a whole: ``abandon`` and ``close``."""
    rule = ROLLOUT_VERBS[verb]
    blockers = role_blockers(rule, person)
    if facts.state not in rule.sources:
        return [*blockers, _wrong_state(rule, say("The rollout"), facts.state)]
    blockers += _reason(rule, reason)
    if verb == "abandon":
        blockers += [
            Blocker(
                "phase_live",
                say("{phase} is {state}: roll it back first.", phase=phase.title, state=state_in_words(phase.state)),
                phase.where,
            )
            for phase in facts.phases
            if phase.state in LIVE
        ]
    if verb == "close" and facts.reading.presence in (Presence.SET, Presence.UNREAD):
        blockers.append(
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
    return blockers


def is_over(state: str) -> Blocker:
    """Nothing more is done to such a rollout."""
    return Blocker("rollout_over", say("The rollout is {state}.", state=state_in_words(state)))


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
    return GUARDS.get(verb, _no_more)(facts, phase, ANYBODY, Wish.of_who_looks(phase))


def may(verb: str, facts: RolloutFacts, phase: PhaseFacts, person: Person) -> bool:
    """Whether the person has the role for it: the one of the verb, or for an approval one of the policy's."""
    if verb in BY_POLICY and phase.request:
        return phase.request.policy.admits(person.roles, person.groups)
    return person.has(PHASE_VERBS[verb].role)


def _request(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    blockers = [
        Blocker("another_request", _standing_already(other), other.where)
        for other in facts.phases
        if other.request is not None and (other is phase or other.state in (PhaseState.REQUESTED, PhaseState.APPROVED))
    ]
    if facts.target(phase, wish.to) is None:
        is_last = phase.state == PhaseState.ACTIVE and wish.to is None
        last = Blocker("last_step", say("There is no further step to ask for: complete the phase."), phase.where)
        blockers.append(last if is_last else progress.no_such_step(phase, wish.to))
    elif facts.policy(phase, wish.to) is None:
        blockers.append(
            Blocker(
                "not_needed", say("This step needs no request of its own: the phase's approval covers it."), phase.where
            )
        )
    return blockers


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
    blockers = phase.request.why_not(person.identity, person.roles, person.groups, person.hand, person.twins)
    blockers += person.own_voice()
    blockers += approvals.unseen(phase.request, wish.seen, phase.where)
    if phase.request.state == approvals.RequestState.GRANTED:
        blockers.append(Blocker("granted", say("It is approved already: withdraw it instead."), phase.where))
    return blockers


def _withdraw(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.request is None:
        return [Blocker("no_request", say("Nothing of {phase} was asked for.", phase=phase.title), phase.where)]
    return []


def _start(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return progress.blockers_of_start(facts, phase, wish.to)


def _advance(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    blockers = progress.blockers_of_step(facts, phase, wish.to)
    return blockers + progress.blockers_by_metrics(facts, phase, blockers) if person.is_the_ramp else blockers


def _pause(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return _by_a_metric("pause", facts, phase, person)


def _roll_back(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return _by_a_metric("roll_back", facts, phase, person)


def _by_a_metric(verb: str, facts: RolloutFacts, phase: PhaseFacts, person: Person) -> list[Blocker]:
    """A person pauses and rolls back at will; the portal itself only while a guard metric asks for it."""
    if not person.is_a_metric:
        return []
    return metrics.blockers_of_acting(facts.metrics, phase.state, facts.metrics_may, verb)


def _complete(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    return progress.blockers_of_completion(facts, phase)


def _skip(facts: RolloutFacts, phase: PhaseFacts, person: Person, wish: Wish) -> list[Blocker]:
    if phase.optional:
        return progress.blockers_of_skip(facts, phase)
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
    "pause": _pause,
    "roll_back": _roll_back,
    "complete": _complete,
    "skip": _skip,
}
#: Who may do these is said by the approval policy of the request.
BY_POLICY = frozenset({"approve", "reject"})


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


def _overridden(rule: Verb, facts: RolloutFacts, blockers: list[Blocker], person: Person, wish: Wish) -> list[Blocker]:
    left = [blocker for blocker in blockers if not (rule.overridable and blocker.code in OVERRIDABLE)]
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
        message = say(
            "An override needs a second confirmation: repeat the rollout's short name, {slug}.", slug=facts.slug
        )
        left.append(Blocker("confirmation_missing", message))
    return left
