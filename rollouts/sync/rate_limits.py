"""Permission for each call to a GitLab, shared by all workers through one row: rate limit, pause, circuit."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from ..gitlab import GitLab, GitLabProblem, Rate, RateLimited, Unreachable
from ..models import GitLabInstance, InstanceHealth, clock
from ..rules import rate_limits as rules
from ..rules.phrases import say
from ..rules.rate_limits import Standing, Wait
from .outcome import phrase_of

#: Where a 429 does not say for how long.
PAUSE_UNTOLD = timedelta(seconds=30)
#: What says that GitLab, the way to it or our token is unwell; a 404 or 403 says that it is well.
UNWELL = ("server_error", "timeout", "connection_refused", "bad_answer", "unauthorized")


def connect(instance: GitLabInstance, *, urgent: bool = False) -> GitLab:
    """The door to one GitLab, keeping to what all workers together may ask.

    ``urgent`` asks whatever our own limits say: a way back waits for nothing of ours.
    """
    governor = Governor(instance, urgent=urgent)
    return GitLab(instance.url, instance.token, timeout=_patience(), permit=governor.permit, heard=governor.heard)


def longest_call() -> timedelta:
    """After which a call that was sent has been answered, or never will be."""
    return timedelta(seconds=sum(_patience()))


def _patience() -> tuple[float, float]:
    """Seconds to connect, and between two bytes of an answer."""
    return min(5.0, settings.GITLAB_TIMEOUT_SECONDS), float(settings.GITLAB_TIMEOUT_SECONDS)


def standing(instance: GitLabInstance) -> Standing:
    """What is known of this GitLab now."""
    return standing_of(_row(instance), instance)


def must_wait(instance: GitLabInstance, now: datetime) -> Wait | None:
    """Until when nothing may be asked of this GitLab, and why."""
    return rules.wait(standing(instance), now)


def is_mended(instance: GitLabInstance) -> bool:
    """Whether the last failures were those of another token or address than the present one."""
    row = _row(instance)
    return bool(row.failures) and not _is_of_now(row, instance)


def try_at_once(instance: GitLabInstance) -> None:
    """A person wants to know now: an open circuit lets its one trial through before its time."""
    with transaction.atomic():
        row = _row(instance, lock=True)
        if row.open_until is not None:
            row.open_until = clock.now()
            row.save()


def words_of(wait: Wait, instance: GitLabInstance) -> str:
    """Why nothing is asked, as a sentence."""
    until = f"{wait.until:%Y-%m-%d %H:%M:%S} UTC"
    match wait.why:
        case "told":
            return say("GitLab asked us to wait until {until}: not asked.", until=until)
        case "circuit":
            last = _row(instance).words
            return say(
                "GitLab failed {n} times in a row: asked again at {until}. Last: {last}",
                n=rules.FAILURES_TO_OPEN,
                until=until,
                last=last,
            )
    return say("The portal keeps to its share of GitLab's rate limit: asked again at {until}.", until=until)


class Governor:
    """Asked before each call, told after it. One for each thread; what it knows is in the database."""

    def __init__(self, instance: GitLabInstance, *, urgent: bool = False) -> None:
        self._instance = instance
        self._urgent = urgent
        self._rate: Rate | None = None
        self._is_unwell = False
        self._is_trial = False  # the one call by which an open circuit is tried

    def permit(self) -> None:
        """Count one call, or raise RateLimited or Unreachable where none may be made."""
        if words := self._instance.why_not_asked:
            raise Unreachable(words)
        now = clock.now()
        with transaction.atomic():
            row = _row(self._instance, lock=True)
            known = standing_of(row, self._instance)
            wait = None if self._urgent else rules.wait(known, now)
            if wait is None:
                row.window_calls = rules.calls_in_window(known, now) + 1
                if row.window_calls == 1:
                    row.window_at = now
                self._is_trial = known.open_until is not None and not self._urgent
                if self._is_trial:
                    row.open_until = now + rules.TRIAL
                self._is_unwell = bool(row.failures)
                if self._rate is not None:
                    _keep_rate(row, self._rate)
                    self._rate = None
                row.save()
        if wait is not None:
            raise self._refusal(wait)

    def heard(self, problem: GitLabProblem | None, rate: Rate | None) -> None:
        """Note how a call ended."""
        self._rate = rate or self._rate
        if isinstance(problem, RateLimited):
            self._pause(problem.until)
        elif problem is not None and problem.kind in UNWELL:
            self._note_failure(problem)
        elif self._is_unwell:
            self._note_recovery()

    def _refusal(self, wait: Wait) -> GitLabProblem:
        words = words_of(wait, self._instance)
        refused: GitLabProblem = Unreachable(words)
        if wait.why != "circuit":
            refused = RateLimited(wait.until)
            refused.words, refused.args = words, (words,)
        return refused

    def _pause(self, until: datetime | None) -> None:
        until = until or clock.now() + PAUSE_UNTOLD
        with transaction.atomic():
            row = _row(self._instance, lock=True)
            row.paused_until = max(filter(None, (row.paused_until, until)))
            row.save()

    def _note_failure(self, problem: GitLabProblem) -> None:
        with transaction.atomic():
            row = _row(self._instance, lock=True)
            if not _is_of_now(row, self._instance):
                row.failures = row.opened = 0
                row.open_until = None
            row.failed_with = _mark(self._instance)
            row.failures += 1
            row.words = phrase_of(problem)
            pause = rules.pause_after(row.failures, row.opened)
            if pause and (self._is_trial or row.open_until is None):
                row.opened += 1
                row.open_until = clock.now() + pause * random.uniform(0.8, 1.2)  # noqa: S311 - so that portals do not march in step
            row.save()
        self._is_unwell = True

    def _note_recovery(self) -> None:
        with transaction.atomic():
            row = _row(self._instance, lock=True)
            row.failures = row.opened = 0
            row.open_until, row.words = None, ""
            row.save()
        self._is_unwell = False


def _keep_rate(row: InstanceHealth, rate: Rate) -> None:
    row.rate_limit, row.rate_remaining = rate.limit, rate.remaining
    row.rate_resets_at, row.rate_read_at = rate.reset_at, rate.read_at


def _mark(instance: GitLabInstance) -> str:
    """By which a mended token or address is told from the one that failed; the token can't be read from it."""
    return salted_hmac("rollouts.sync.limits", f"{instance.url}\n{instance.token}").hexdigest()[:40]


def _is_of_now(row: InstanceHealth, instance: GitLabInstance) -> bool:
    return not row.failed_with or constant_time_compare(row.failed_with, _mark(instance))


def _row(instance: GitLabInstance, *, lock: bool = False) -> InstanceHealth:
    rows = InstanceHealth.objects.select_for_update() if lock else InstanceHealth.objects
    return rows.filter(instance=instance).first() or InstanceHealth.objects.get_or_create(instance=instance)[0]


def standing_of(row: InstanceHealth | None, instance: GitLabInstance) -> Standing:
    """The same from a row that is loaded already; None where nothing was asked yet."""
    if row is None:
        return Standing(share=instance.rate_share, most=instance.calls_a_minute)
    fails = _is_of_now(row, instance)
    return Standing(
        share=instance.rate_share,
        most=instance.calls_a_minute,
        limit=row.rate_limit,
        remaining=row.rate_remaining,
        resets_at=row.rate_resets_at,
        rate_read_at=row.rate_read_at,
        window_at=row.window_at,
        window_calls=row.window_calls,
        paused_until=row.paused_until,
        failures=row.failures if fails else 0,
        open_until=row.open_until if fails else None,
    )
