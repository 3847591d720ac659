"""Dry run of a transition: each fact with its age, the approvals that it takes, the exact calls to GitLab.

Changes nothing; page, API and command tell the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from ..audit.actor import Actor
from ..models import Phase, Rollout, clock
from ..rules import guards, ordering
from ..rules.blockers import Blocker, in_words
from ..rules.checklist import Gate
from ..rules.commands import Command
from ..rules.expected import Presence
from ..rules.exposure import Exposure
from ..rules.facts import ItemFacts, PhaseFacts, RolloutFacts
from ..rules.guards import Wish
from ..rules.machine import LIVE, PHASE_VERBS, ROLLOUT_VERBS, SETTLED, state_in_words
from ..rules.phrases import joined, listed, say
from . import approvals
from . import facts as facts_of
from .clashes import before_approval
from .gates import commands_to


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the guards look at: what it is, how it stands, and as of when that is known."""

    name: str
    words: str
    ok: bool
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would happen. ``blockers`` empty: it would pass."""

    verb: str
    phase: str
    title: str
    blockers: tuple[Blocker, ...]
    facts: tuple[Fact, ...]
    approvals: str
    now: Exposure
    then: Exposure
    calls: tuple[Command, ...]
    digest: str = ""

    def as_json(self, page: str) -> dict[str, Any]:
        """As the command and the API give it; ``page`` is the rollout's."""
        return {
            "dry_run": True,
            "ok": not self.blockers,
            "verb": self.verb,
            "phase": self.phase,
            "blockers": [blocker.as_json(page) for blocker in self.blockers],
            "facts": [
                {"name": f.name, "words": f.words, "ok": f.ok, "at": f.at.isoformat() if f.at else None}
                for f in self.facts
            ],
            "approvals": self.approvals,
            "digest": self.digest,
            "expected": {"now": self.now.as_json(), "then": self.then.as_json()},
            "calls": [{"words": c.words, "chat": c.chat, "api": c.api} for c in self.calls],
        }


def of_phase(verb: str, phase: Phase, *, by: Actor, **inputs: Any) -> DryRun:
    """What ``transitions.perform`` with the same arguments would do now, or refuse."""
    now = clock.now()
    rollout = Rollout.objects.whole().get(pk=phase.rollout_id)
    facts = facts_of.for_rollout(rollout, now)
    if verb in guards.BY_POLICY:
        facts = approvals.as_settled(facts, phase.name)
    about = facts.phase(phase.name)
    wish = Wish(
        inputs.get("reason", "").strip() or "-",
        inputs.get("to"),
        inputs.get("looked_at", "") or Wish.of_who_looks(about).seen,  # a dry run is a look: it tells the digest
        inputs.get("override", False),
        inputs.get("confirm", ""),
    )
    then = facts.expected_after(verb, about, wish.to)
    return DryRun(
        verb=verb,
        phase=phase.name,
        title=say("{verb}: {what}", verb=PHASE_VERBS[verb].label, what=_what(verb, facts, about, wish.to)),
        blockers=tuple(guards.blockers(verb, facts, phase.name, by.person, wish)),
        facts=tuple(_facts(verb, rollout, facts, about, wish.to)),
        approvals=_approvals(verb, facts, about, wish.to),
        now=facts.expected,
        then=then,
        calls=commands_to(rollout, facts, then) if verb in ("start", "advance", "roll_back") else (),
        digest=Wish.of_who_looks(about).seen,
    )


def of_rollout(verb: str, rollout: Rollout, *, by: Actor, reason: str = "") -> DryRun:
    """The same for what is done to the rollout as a whole: ``abandon`` and ``close``."""
    rollout = Rollout.objects.whole().get(pk=rollout.pk)
    facts, rule = facts_of.for_rollout(rollout, clock.now()), ROLLOUT_VERBS[verb]
    fact_list = [Fact(say("State"), state_in_words(facts.state), facts.state in rule.sources)]
    if verb == "abandon":
        fact_list += [Fact(p.title, state_in_words(p.state), p.state not in LIVE) for p in facts.phases]
    else:
        is_gone = facts.reading.presence not in (Presence.SET, Presence.UNREAD)
        fact_list.append(Fact("GitLab", facts.reading.words, is_gone, facts.reading.read_at))
    return DryRun(
        verb=verb,
        phase="rollout",
        title=say("{verb}: {what}", verb=rule.label, what=rollout.title),
        blockers=tuple(guards.rollout_blockers(verb, facts, by.person, reason=reason.strip() or "-")),
        facts=tuple(fact_list),
        approvals=say("No approval is needed."),
        now=facts.expected,
        then=facts.expected,
        calls=(),
    )


def _what(verb: str, facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> str:
    wanted = facts.target(phase, to) if verb in ("request", "approve", "start", "advance") else None
    return wanted.words(phase.title) if wanted else phase.title


def _approvals(verb: str, facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> str:
    if verb not in ("request", "approve", "start", "advance"):
        return say("No approval is needed.")
    policy = facts.policy(phase, to)
    if policy is None:
        return say("The phase's approval covers it.")
    request = phase.request
    if request is None:
        return say("It takes {policy}. Nothing was asked for yet.", policy=policy.words)
    people = listed([one.by for one in request.counting()])
    if not people:
        return say("It takes {policy}. Nobody approved.", policy=policy.words)
    return say("It takes {policy}. {people} approved.", policy=policy.words, people=people)


def _facts(verb: str, rollout: Rollout, facts: RolloutFacts, phase: PhaseFacts, to: Decimal | None) -> list[Fact]:
    """What the guards of this verb look at, each as it stands."""
    if verb not in ("start", "advance", "complete", "request", "approve"):
        return [Fact(say("State"), state_in_words(phase.state), phase.state in PHASE_VERBS[verb].sources)]
    read_at = facts.reading.read_at
    stands = facts.is_confirmed if verb in ("advance", "complete") else True
    fact_list = [
        Fact(say("State"), state_in_words(phase.state), phase.state in PHASE_VERBS[verb].sources),
        Fact("GitLab", facts.reading.words, stands and not facts.is_stale, read_at),
        Fact(say("Plan"), facts.expected.words, True),
    ]
    gates = {"complete": (Gate.COMPLETE,), "advance": (Gate.START, Gate.ADVANCE)}.get(verb, (Gate.START,))
    fact_list += [
        Fact(item.title, _stands(item), item.verdict.satisfied or not item.required, _as_of(item, rollout))
        for item in facts.items
        if item.gate in gates and item.phase in (None, phase.name) and item.step in (None, phase.opening.step)
    ]
    fact_list += [
        Fact(earlier.title, state_in_words(earlier.state), earlier.state in SETTLED) for earlier in facts.before(phase)
    ]
    locks = [lock.title for lock in facts.locks] + list(facts.locks_unread)
    fact_list.append(Fact(say("Change locks"), joined(locks, "; ") or say("none holds"), not locks))
    if verb != "complete" and facts.neighbours:
        in_the_way = guards.standing_in_the_way("advance" if verb == "advance" else "start", facts, phase)
        holds = not {blocker.code for blocker in in_the_way} & ordering.CODES
        fact_list.append(Fact(say("Order"), ordering.words(facts.neighbours), holds))
    if verb in ("advance", "complete") and (stood := facts.stood(phase)) is not None:
        soak = phase.soak if verb == "advance" else phase.final_soak
        fact_list.append(
            Fact(
                say("Soak"),
                say("stood {stood} of {soak}", stood=in_words(stood), soak=in_words(soak)),
                stood >= soak,
                phase.confirmed_at,
            )
        )
    fact_list += [
        Fact(
            metric.bound.title,
            metric.words,
            metric.measured_at is not None and not metric.is_beyond,
            metric.measured_at,
        )
        for metric in (facts.metrics if verb == "advance" else ())
    ]
    if verb == "approve":
        clashes = before_approval([facts], facts.now).get(facts.slug, ())
        words = joined([clash.words for clash in clashes]) or say("no other rollout lets more people in")
        fact_list.append(Fact(say("On the same day"), words, not clashes))
    wanted = facts.target(phase, to)
    if wanted is not None:
        reach = wanted.after.least_reach
        fact_list.append(Fact(say("Capacity"), facts.capacity.words, facts.capacity.carries_reach(reach)))
    return fact_list


def _stands(item: ItemFacts) -> str:
    if item.required or item.verdict.satisfied:
        return item.verdict.words
    return say("{fact}, optional", fact=item.verdict.words)


def _as_of(item: Any, rollout: Rollout) -> datetime | None:
    row = next(
        (r for r in rollout.items.all() if r.key == item.key and (r.phase is None) == (item.phase is None)), None
    )
    if row is None:
        return None
    issue = facts_of.issue_for(rollout, row.role, item.phase or "") if row.role else None
    return issue.read_at if issue else row.confirmed_at
