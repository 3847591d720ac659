"""What stands in the way of reaching more people, whoever asks: of a start, of the next step, of a completion."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from . import approvals, capacity, metrics, ordering
from .blockers import Blocker, in_words
from .checklist import BLOCK_BY_THEMSELVES, Gate
from .criteria import CRITERION_WORDS, Criterion
from .datetimes import day_and_clock
from .expected import Audience, Presence
from .exposure import widens
from .facts import ItemFacts, PhaseFacts, RolloutFacts
from .machine import SETTLED, PhaseState, state_in_words
from .percentages import FULL
from .phrases import joined, say, sentence


def blockers_of_step(facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> list[Blocker]:
    """What stands between a live percentage and its next step: reading, soak, criteria, locks, approvals, capacity."""
    blockers = _reading_blockers(facts, phase)
    opening = phase.opening
    wanted = facts.target(phase, to)
    if opening.ramp is None or opening.step is None or opening.ramp.after(opening.step) is None:
        return [*blockers, Blocker("last_step", say("There is no further step: complete the phase."), phase.where)]
    if wanted is None or wanted.percentage is None:
        return [*blockers, no_such_step(phase, to)]
    blockers += [Blocker("item_open", _of_item(item), item.where) for item in facts.open_items(phase, Gate.ADVANCE)]
    soak = opening.ramp.at(opening.step).soak
    blockers += _soak_blockers(facts, phase, soak, say("{n} %", n=opening.step))
    blockers += _waivers_over(facts, phase)
    blockers += lock_blockers(facts) + _order_blockers(facts, phase) + _approval_blockers(facts, phase, to)
    return blockers + capacity.blockers(facts.capacity, wanted.after.least_reach, say("{n} %", n=wanted.percentage))


def blockers_by_metrics(facts: RolloutFacts, phase: PhaseFacts, blockers: list[Blocker]) -> list[Blocker]:
    """What a ramp that runs itself does not pass besides. Who measures has as long as the soak for it."""
    stands = not {blocker.code for blocker in blockers} & {"soak", "not_confirmed"}
    missing = metrics.unmeasured(facts.metrics, phase.confirmed_at) if stands else []
    return metrics.beyond(facts.metrics) + missing


def blockers_of_start(facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> list[Blocker]:
    """What stands between a phase and its first people: approvals, items, earlier phases, the flag, capacity."""
    blockers = _approval_blockers(facts, phase, to)
    blockers += [
        Blocker("item_open", _of_item(item), item.where)
        for item in facts.open_items(phase, Gate.START)
        if item.kind not in BLOCK_BY_THEMSELVES
    ]
    blockers += [
        Blocker(
            "earlier_phase_open",
            say("{earlier} is {state}: it comes first.", earlier=earlier.title, state=state_in_words(earlier.state)),
            earlier.where,
        )
        for earlier in facts.before(phase)
        if earlier.state not in SETTLED
    ]
    blockers += _skips_over(facts, phase) + _order_blockers(facts, phase) + lock_blockers(facts)
    if facts.reading.presence in (Presence.UNKNOWN, Presence.UNREAD):
        blockers.append(
            Blocker(
                "flag_missing",
                say("The flag {flag} is {presence}.", flag=facts.flag, presence=facts.reading.presence.words),
                "#exposure",
            )
        )
    if facts.is_stale:
        blockers.append(_stale(facts))
    if facts.reading.exposure is not None and widens(facts.expected, facts.reading.exposure):
        kind = facts.drift
        blockers.append(
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
    blockers += [
        Blocker("flag_shared", say("{title} is live on the same flag.", title=title), "#exposure")
        for title in facts.others_live
    ]
    if phase.unresolved:
        names = ", ".join(phase.unresolved)
        blockers.append(
            Blocker("actors_unresolved", say("GitLab has not told who these are: {names}.", names=names), phase.where)
        )
    wanted = facts.target(phase, to)
    if wanted is None:
        return [*blockers, no_such_step(phase, to)]
    reach = phase.opening.at(wanted.percentage).least_reach
    return blockers + capacity.blockers(facts.capacity, reach, phase.title)


def blockers_of_completion(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """What a phase lacks to be done: items, its whole reach, GitLab read at it, its soak."""
    blockers = [Blocker("item_open", _of_item(item), item.where) for item in facts.open_items(phase, Gate.COMPLETE)]
    opening = phase.opening
    if opening.audience is Audience.PERCENTAGE and opening.step != FULL:
        blockers.append(
            Blocker("not_whole", say("It stands at {step} %, not at 100 %.", step=opening.step), phase.where)
        )
    blockers += _reading_blockers(facts, phase)
    return blockers + _soak_blockers(facts, phase, phase.final_soak, phase.title)


def blockers_of_skip(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """An optional phase is skipped on a waiver: somebody asked, and somebody else said yes."""
    if phase.waiver is not None and phase.waiver.stands(facts.now):
        return []
    if phase.waiver is not None:
        message = say("{phase} may be skipped on a waiver, and {fact}: ask for another.", phase=phase.title,
                      fact=phase.waiver.over_words)  # fmt: skip
        return [Blocker("waiver_over", message, "#waivers")]
    message = say("{phase} may be skipped on a waiver: ask for one, and somebody else grants it.", phase=phase.title)
    return [Blocker("waiver_missing", message, "#waivers")]


def blockers_of_exit_item(phase: PhaseFacts) -> list[Blocker]:
    """Why what decides about a phase's end can't be known yet: GitLab was not read at all that the phase opens."""
    opening = phase.opening
    ramp = opening.ramp
    whole = opening.at(ramp.steps[-1].percentage if ramp else None)
    stands = phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED) and opening.exposure == whole
    if stands and phase.confirmed_at is not None:
        return []
    message = say(
        "It can't be known yet: {phase} is {state}. Confirm it once GitLab was read at {exposure}.",
        phase=phase.title,
        state=state_in_words(phase.state),
        exposure=whole.words,
    )
    return [Blocker("too_early", message, phase.where)]


def blockers_of_answer(phase: PhaseFacts, step: Decimal) -> list[Blocker]:
    """Why a criterion that is asked at a step can't be answered now: the phase is not at it, or GitLab was not read."""
    if phase.opening.step == step and phase.confirmed_at is not None:
        return []
    at = say("{n} %", n=step)
    if phase.opening.step is not None and phase.opening.step > step:
        return [Blocker("step_past", say("{phase} is past {step}.", phase=phase.title, step=at), phase.where)]
    message = say("It can't be known yet: answer it once GitLab was read at {step}.", step=at)
    return [Blocker("too_early", message, phase.where)]


def _skips_over(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """Earlier phases that were skipped on a waiver which has run out."""
    return [
        Blocker(
            "waiver_over",
            say("{earlier} was skipped, and {fact}: ask for another.", earlier=earlier.title,
                fact=earlier.waiver.over_words),
            earlier.waiver.where,
        )
        for earlier in facts.before(phase)
        if earlier.state == PhaseState.SKIPPED and earlier.waiver and not earlier.waiver.stands(facts.now)
    ]  # fmt: skip


def _waivers_over(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """What a phase has begun without: where the waiver has run out, it reaches nobody more."""
    items = [item for item in facts.open_items(phase, Gate.START) if item.waiver is not None]
    return _skips_over(facts, phase) + [Blocker("waiver_over", _of_item(item), item.where) for item in items]


def _of_item(item: ItemFacts) -> str:
    """«The release is announced: not confirmed yet.» «Are there bugs? Not decided yet.»"""
    if item.criterion:
        kind = CRITERION_WORDS[Criterion(item.criterion)]
        return say("{criterion}? «{item}»: {fact}.", criterion=kind, item=item.title, fact=item.verdict.words)
    if item.title.endswith("?"):
        return say("{item} {fact}.", item=item.title, fact=sentence(item.verdict.words))
    if item.waiver is not None:
        fact = item.verdict.words
        return say("{item}: {fact}, and {over}.", item=item.title, fact=fact, over=item.waiver.over_words)
    return say("{item}: {fact}.", item=item.title, fact=item.verdict.words)


def no_such_step(phase: PhaseFacts, to: Decimal | None) -> Blocker:
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


def _approval_blockers(facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> list[Blocker]:
    wanted, policy = facts.target(phase, to), facts.policy(phase, to)
    return approvals.blockers_of_use(phase.request, wanted, policy, facts.now, phase.title, phase.where)


def lock_blockers(facts: RolloutFacts) -> list[Blocker]:
    """Under a change lock no flag may reach more people (DESIGN section 3; FACTS 5c and 5d)."""
    blockers = [
        Blocker(
            "change_lock",
            say("Change lock: {lock}, until {until} UTC.", lock=lock.title, until=day_and_clock(lock.until))
            if lock.until
            else say("Change lock: {lock}.", lock=lock.title),
            lock.where,
        )
        for lock in facts.locks
    ]
    return blockers + [Blocker("locks_unknown", words, "/locks/") for words in facts.locks_unread]


def _order_blockers(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    """Rollouts that come first, or never at the same time."""
    return ordering.blockers(facts.neighbours, facts.slug, phase.name, phase.title, phase.started_at, facts.now)


def _reading_blockers(facts: RolloutFacts, phase: PhaseFacts) -> list[Blocker]:
    blockers = [_stale(facts)] if facts.is_stale else []
    if not facts.is_confirmed:
        blockers.append(
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
    return blockers


def _soak_blockers(facts: RolloutFacts, phase: PhaseFacts, soak: timedelta, what: str) -> list[Blocker]:
    stood = facts.stood(phase)
    if stood is None:
        words = say("{what} must stand {length} from when GitLab is read at it.", what=what, length=in_words(soak))
        return [Blocker("soak", words, phase.where)] if soak else []
    if (left := soak - stood) > timedelta(0):
        return [Blocker("soak", say("{what} must stand {length} more.", what=what, length=in_words(left)), phase.where)]
    return []


def _stale(facts: RolloutFacts) -> Blocker:
    if facts.reading.read_at is None:
        return Blocker("reading_stale", say("GitLab has not been read for this flag yet."), "/sync/")
    age = in_words(facts.now - facts.reading.read_at)
    return Blocker(
        "reading_stale",
        say("The newest reading is {age} old; {length} is the limit.", age=age, length=in_words(facts.freshness)),
        "/sync/",
    )
