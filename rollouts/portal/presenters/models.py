"""AI models: where each is live and for whom, how much of its quota that uses, who replaced it, when it retires."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ...models import AIModel, Rollout
from ...rules import health
from ...rules.capacity import Sender, Use, use
from ...rules.machine import LIVE, RolloutState
from ...rules.percentages import NOTHING
from ...rules.phrases import spoken
from ...rules.retirement import Retirement, retirement
from ...services import facts as facts_of
from ...services.freshness import is_stale
from ...services.locks import Locks
from ..charts.track import Track, track

R = RolloutState
#: Rollouts after which the new model has taken over.
TAKEN_OVER = (R.COMPLETED, R.CLOSED)
#: Rollouts in which whoever the new model does not reach still gets the baseline.
SERVES_THE_REST = (R.UNDERWAY, R.ROLLED_BACK)


@dataclass(frozen=True, slots=True)
class Live:
    """For whom a model is live by one rollout. ``is_known`` is False where GitLab was not read lately."""

    words: str
    title: str
    url: str
    instance: str
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Replaced:
    """Another model that takes its place: «replaced by», «being replaced by», «to be replaced by»."""

    words: str
    name: str
    url: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """``share`` is of the quota, 0 to 1 for the meter, or None where it can't be said."""

    quota: str
    words: str
    share: float | None = None
    is_short: bool = False
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class Retires:
    words: str
    tag: str


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One AI model as list and page show it."""

    model: AIModel
    url: str
    live: tuple[Live, ...]
    quota: QuotaUse
    replaced: tuple[Replaced, ...]
    retires: Retires | None


@dataclass(frozen=True, slots=True)
class TookPart:
    """A rollout of the model, as the new one or as the baseline."""

    rollout: Rollout
    is_new: bool
    other: AIModel | None
    track: Track
    health: str


def rows(models: Sequence[AIModel], now: datetime) -> list[ModelRow]:
    """Two queries, whatever their number."""
    parts: dict[int, list[Rollout]] = {model.pk: [] for model in models}
    for rollout in Rollout.objects.exclude(state=R.ABANDONED).of_models(models) if models else ():
        for pk in {rollout.ai_model_id, rollout.baseline_id}:
            if pk in parts:
                parts[pk].append(rollout)
    return [row(model, parts[model.pk], now) for model in models]


def row(model: AIModel, rollouts: Iterable[Rollout], now: datetime) -> ModelRow:
    """``rollouts`` are those that the model takes part in, from ``of_models`` or ``whole``."""
    rollouts = [one for one in rollouts if one.state != R.ABANDONED]
    mine = [one for one in rollouts if one.ai_model_id == model.pk]
    against = [one for one in rollouts if one.baseline_id == model.pk]
    live = [*_live(mine, now), *_live_as_baseline(against, now)]
    in_use = bool(live) or bool(model.default_for)
    return ModelRow(
        model=model,
        url=reverse("portal:model", args=[model.slug]),
        live=tuple(live),
        quota=_quota(use(model.quota_requests_per_minute, _senders(mine, against, now))),
        replaced=tuple(_replaced(against)),
        retires=_retires(retirement(model.deprecated_on, now.date(), in_use=in_use), model),
    )


def took_part(model: AIModel, rollouts: Iterable[Rollout], now: datetime, holding: Locks) -> list[TookPart]:
    """``rollouts`` come from ``Rollout.objects.whole()``."""
    told = []
    for rollout in rollouts:
        facts = facts_of.for_rollout(rollout, now, holding)
        state = health.judge(facts)
        is_new = rollout.ai_model_id == model.pk
        other = rollout.baseline if is_new else rollout.ai_model
        told.append(TookPart(rollout, is_new, other, track(facts, state.drift), state.words))
    return told


def _is_open(rollout: Rollout) -> bool:
    """Whether a phase is live, or GitLab shows the flag wider than planned."""
    return rollout.drift in ("ahead", "different") or any(phase.state in LIVE for phase in rollout.phases.all())


def _live(mine: Iterable[Rollout], now: datetime) -> Iterable[Live]:
    for rollout in mine:
        if not _is_open(rollout):
            continue
        latest = rollout.flag.latest
        where = (rollout.title, rollout.get_absolute_url(), rollout.flag.instance.name)
        if rollout.state == R.CLOSED:
            yield Live(_("everyone: the flag is cleaned up"), *where)
        elif is_stale(latest.read_at, now) or latest.exposure is None:
            yield Live(
                _("not known; GitLab was last read as: %(words)s") % {"words": spoken(latest.words)}, *where, False
            )
        elif not latest.exposure.is_nobody:
            yield Live(spoken(latest.exposure.words), *where)


def _live_as_baseline(against: Iterable[Rollout], now: datetime) -> Iterable[Live]:
    """Who a new model does not reach yet still gets the one that it replaces."""
    for rollout in against:
        latest = rollout.flag.latest
        if rollout.state not in SERVES_THE_REST:
            continue
        if latest.exposure is not None and latest.exposure.is_everyone and not is_stale(latest.read_at, now):
            continue
        words = _("whoever %(model)s does not reach yet") % {"model": spoken(str(rollout.ai_model))}
        yield Live(words, rollout.title, rollout.get_absolute_url(), rollout.flag.instance.name)


def _senders(mine: Sequence[Rollout], against: Sequence[Rollout], now: datetime) -> Iterable[Sender]:
    """What each rollout that is live asks of the model now; those who are replaced already ask no more.

    A baseline without a rollout of its own still serves whoever the new model does not reach.
    """
    taken = [Decimal(1) if one.state in TAKEN_OVER else _reach(one, now) for one in against if _is_open(one)]
    for rollout in mine:
        if not _is_open(rollout):
            continue
        reach = Decimal(1) if rollout.state == R.CLOSED else _reach(rollout, now)
        if reach is not None:
            shares = [share for share in taken if share is not None]
            reach = None if len(shares) < len(taken) else reach * (1 - max(shares, default=NOTHING))
        exposure = rollout.flag.latest.exposure
        and_more = exposure is not None and not exposure.is_everyone and bool(exposure.groups or exposure.named_actors)
        yield Sender(rollout.title, rollout.peak_requests_per_minute, reach, and_more and rollout.state != R.CLOSED)
    if not any(_is_open(rollout) for rollout in mine):  # else its own rollouts have counted these people
        for rollout in against:
            if rollout.state in SERVES_THE_REST:
                reach = _reach(rollout, now)
                rest = None if reach is None else 1 - reach
                yield Sender(rollout.title, rollout.peak_requests_per_minute, rest)


def _reach(rollout: Rollout, now: datetime) -> Decimal | None:
    """The share of all actors that is surely in, as read; None where GitLab was not read lately."""
    latest = rollout.flag.latest
    if latest.exposure is None or is_stale(latest.read_at, now):
        return None
    return latest.exposure.least_reach


def _quota(used: Use) -> QuotaUse:
    known = used.quota is not None
    quota = _("%(n)s requests a minute") % {"n": intcomma(used.quota)} if known else _("quota not known")
    if used.unknown:
        words = _("use not known: %(rollouts)s says no peak, or GitLab was not read lately") % {
            "rollouts": ", ".join(used.unknown)
        }
        if used.requests:
            words = _("at least %(n)s in use, and more by %(rollouts)s") % {
                "n": intcomma(used.requests),
                "rollouts": ", ".join(used.unknown),
            }
        return QuotaUse(quota, words, is_known=known)
    if not used.requests:
        words = _("few: named people and groups only") if used.and_more else _("no rollout uses it")
        return QuotaUse(quota, words, is_known=known)
    given = {"n": intcomma(used.requests), "share": used.percent}
    if used.percent is None:
        words = _("%(n)s in use at peak") % given
    elif used.is_short:
        words = _("%(n)s in use at peak, %(share)s %% of it: more than the provider grants") % given
    else:
        words = _("%(n)s in use at peak, %(share)s %%") % given
    if used.and_more:
        words = _("%(use)s, besides named people and groups") % {"use": words}
    return QuotaUse(quota, words, None if used.percent is None else min(used.percent / 100, 1.0), used.is_short, known)


def _replaced(against: Iterable[Rollout]) -> Iterable[Replaced]:
    words: Mapping[str, str] = {
        R.CLOSED: _("replaced by"),
        R.COMPLETED: _("replaced by"),
        R.UNDERWAY: _("being replaced by"),
        R.DRAFT: _("to be replaced by"),
        R.ROLLED_BACK: _("was to be replaced by"),
    }
    by = {(rollout.ai_model, words[rollout.state], rollout.state in TAKEN_OVER) for rollout in against}  # each once
    for model, said, taken in sorted(by, key=lambda one: (not one[2], str(one[0]), one[1])):
        yield Replaced(said, str(model), reverse("portal:model", args=[model.slug]), taken)


def _retires(retirement: Retirement | None, model: AIModel) -> Retires | None:
    if retirement is None:
        if model.removal_version:
            return Retires(_("removed in %(version)s") % {"version": model.removal_version}, "")
        return None
    day = date_format(retirement.on, _("j M Y"))
    if retirement.is_past:
        n = -retirement.days
        words = ngettext("retired %(day)s (%(n)d day ago)", "retired %(day)s (%(n)d days ago)", n) % {
            "day": day,
            "n": n,
        }
    elif not retirement.days:
        words = _("retires today, %(day)s") % {"day": day}
    else:
        words = ngettext("retires %(day)s (in %(n)d day)", "retires %(day)s (in %(n)d days)", retirement.days)
        words %= {"day": day, "n": retirement.days}
    if not retirement.needs_eyes:
        return Retires(words, "")
    return Retires(_("%(retires)s and still in use") % {"retires": words}, "stop" if retirement.is_past else "wait")
