"""«Before …»: what stands and what is missing before the current phase goes on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import localize
from django.utils.translation import gettext as _

from ...models import Rollout
from ...rules import guards, ordering
from ...rules.blockers import in_words
from ...rules.checklist import Gate
from ...rules.facts import PhaseFacts, RolloutFacts
from ...rules.machine import PhaseState
from ...rules.ordering import Order
from ...rules.phrases import spoken
from ...services.exposure_history import ExposureHistory
from .datetimes import day_and_clock


@dataclass(frozen=True, slots=True)
class Check:
    """One line of «Before …»: a fact that stands, or a blocker with the place that clears it.

    ``detail`` is beside it, with the moment ``since`` which it stands or at which it was read.
    """

    ok: bool
    words: str
    url: str = ""
    detail: str = ""
    since: datetime | None = None


def before(
    facts: RolloutFacts, phase: PhaseFacts, rollout: Rollout, history: ExposureHistory
) -> tuple[str, tuple[Check, ...]]:
    wanted = facts.target(phase) if phase.opening.ramp else None
    if phase.state in (PhaseState.ACTIVE, PhaseState.PAUSED):
        verb = "advance" if wanted else "complete"
        title = (
            _("Before %(percentage)s %%") % {"percentage": localize(wanted.percentage)}
            if wanted
            else _("Before %(phase)s is complete") % {"phase": phase.title}
        )
    else:
        verb, title = "start", _("Before %(phase)s starts") % {"phase": phase.title}
    blockers = guards.standing_in_the_way(verb, facts, phase)
    codes = {blocker.code for blocker in blockers}
    stands = [check for wanted, check in _facts_that_stand(verb, facts, phase, history) if not codes & set(wanted)]
    return title, tuple(stands + [Check(False, b.message, b.url(rollout.get_absolute_url())) for b in blockers])


def _facts_that_stand(
    verb: str, facts: RolloutFacts, phase: PhaseFacts, history: ExposureHistory
) -> list[tuple[tuple[str, ...], Check]]:
    """For each group of blockers the sentence that is true when none of them stands, with its age."""
    read = facts.reading
    fresh = (("reading_stale",), Check(True, _("The newest reading is fresh"), "", _("GitLab read"), read.read_at))
    capacity = (("capacity_short", "capacity_unknown"), Check(True, facts.capacity.words))
    request = phase.request
    counting = request.counting() if request else ()
    by = _(" and ").join(one.by for one in counting)
    newest = max((one.at for one in counting), default=None)
    agreed = Check(True, _("Approved by %(people)s") % {"people": by}, "", "", newest)
    approved = (
        [(("approval_missing", "approval_void", "approval_lost", "approval_expired"), agreed)] if counting else []
    )
    next_lock = ""
    if coming := history.next_lock:
        next_lock = _("next: %(title)s, %(at)s") % {"title": coming.title, "at": day_and_clock(coming.starts_at)}
    free = (("change_lock", "locks_unknown"), Check(True, _("No change lock holds"), "", next_lock))
    ordered = (
        [((Order.AFTER, Order.NOT_WITH), Check(True, _("Its order with other rollouts holds"), "", order))]
        if (order := spoken(ordering.words(facts.neighbours)))
        else []
    )
    if verb == "start":
        there = _("The flag is there and not ahead: %(words)s") % {"words": spoken(read.words)}
        return [
            (("item_open",), Check(True, _("All required items are satisfied"))),
            (("earlier_phase_open",), Check(True, _("Earlier phases are completed or skipped"))),
            (("flag_missing", "flag_ahead"), Check(True, there, "", _("since"), read.since)),
            fresh,
            *ordered,
            free,
            *approved,
            capacity,
        ]
    where_planned = _("GitLab stands where the plan says: %(words)s") % {"words": spoken(read.words)}
    stands: list[tuple[tuple[str, ...], Check]] = [
        fresh,
        (("not_confirmed",), Check(True, where_planned, "", _("since"), read.since)),
    ]
    if verb == "complete":
        stands.append((("item_open",), Check(True, _("All items that gate it are satisfied"))))
        if phase.confirmed_at and phase.final_soak:
            stood = _("It stood for %(span)s") % {"span": spoken(in_words(phase.final_soak))}
            stands.append((("soak", "not_whole"), Check(True, stood, "", _("confirmed"), phase.confirmed_at)))
        return stands
    if any(item.gate is Gate.ADVANCE and item.phase == phase.name for item in facts.items_due):
        stands.append((("item_open",), Check(True, _("The criteria are answered so that it may go on"))))
    soak = _("Soak of %(span)s is over") % {"span": spoken(in_words(phase.soak))}
    return [
        *stands,
        (("soak",), Check(True, soak, "", _("confirmed"), phase.confirmed_at)),
        *ordered,
        free,
        *approved,
        capacity,
    ]
