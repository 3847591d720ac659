"""Passes over a GitLab: what is to be read is rows, whoever is free reads the next, and the last one closes the pass.

A pass that beat begins (``begin``) waits in the database; any number of workers on any number of hosts take part in
it (``work``), each scope under a lease. ``manage.py sync`` reads all of it in its own process (``sync_instance``),
with the same functions.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from datetime import timedelta
from itertools import count
from queue import SimpleQueue
from threading import Thread
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import Q, QuerySet

from ..audit.source import of_pass
from ..gitlab import GitLab
from ..models import GitLabInstance, Outcome, Rollout, SyncRun, SyncScope, clock
from ..rules.expected import Drift
from ..rules.phrases import say
from ..rules.rate_limits import Wait
from ..services.facts import for_rollout
from ..services.locks import Locks
from . import leases, rate_limits, reading, runs
from .leases import Lease, Lost
from .outcome import Problem, Report

log = logging.getLogger(__name__)
#: How long one worker goes on with one instance before others have a turn.
TURN_SECONDS = 60.0
Progress = Callable[[int, int], None]


def sync_instance(
    instance: GitLabInstance,
    *,
    trigger: str,
    full: bool = False,
    jobs: int = 1,
    by_hand: bool = False,
    tell: Progress = lambda done, planned: None,
) -> Report:
    """Read all that is tracked on one instance, now, in this process. Never raises for what GitLab does.

    ``full`` asks for everything, not only for what changed; ``jobs`` threads read at once; ``by_hand``: a GitLab that
    is left alone after failures is tried now, for a person wants to know whether it is mended; ``tell`` hears how many
    scopes of how many are through. What another worker reads at this moment is left to it. A pass that is killed
    leaves nothing half done.
    """
    runs.bury_the_lost(instance)
    report, begun = Report(instance.name), time.monotonic()
    unasked = instance.why_not_asked
    scopes = [] if unasked else list(leases.in_turn(leases.scopes_of(instance)).values_list("pk", flat=True))
    run = SyncRun.objects.create(instance=instance, trigger=trigger, started_at=clock.now(), planned=len(scopes))
    tell(0, len(scopes))
    if by_hand:
        rate_limits.try_at_once(instance)
    try:
        if unasked:
            report.problems.append(Problem(instance.name, Outcome.CONNECTION_REFUSED, unasked))
        for done, part in enumerate(_read_all(instance, scopes, run.pk, full=full, jobs=jobs), start=1):
            report.add(part)
            tell(done, len(scopes))
            SyncRun.objects.filter(pk=run.pk).update(done=done, heard_at=clock.now())
    except Exception as error:
        log.exception("sync of %s failed", instance.name)
        report.problems.append(
            Problem(
                say("portal"), "failed", say("The pass broke off: {error}. See the log.", error=type(error).__name__)
            )
        )
        raise
    finally:
        report.seconds = time.monotonic() - begun
        runs.close(run, report)
    return report


def begin(instance: GitLabInstance, *, trigger: str) -> SyncRun | None:
    """Plan a pass for workers to read; None where one is under way already, or nothing may be asked now."""
    runs.bury_the_lost(instance)
    if trigger == "page":
        rate_limits.try_at_once(instance)
    with transaction.atomic():
        GitLabInstance.objects.locked().get(pk=instance.pk)
        under_way = SyncRun.objects.filter(instance=instance, outcome=SyncRun.Result.RUNNING, waiting__isnull=False)
        if not instance.is_asked or under_way.exists() or rate_limits.must_wait(instance, clock.now()):
            return None
        scopes = leases.scopes_of(instance)
        run = SyncRun.objects.create(instance=instance, trigger=trigger, started_at=clock.now(), planned=scopes.count())
        scopes.update(run=run)
    return run


def begin_if_due(instance: GitLabInstance) -> SyncRun | None:
    """Begin beat's pass when the interval since the last one is over, a little earlier or later each time.

    Portals and instances so do not march in step, also not after an outage that ended for all at once.
    """
    last = SyncRun.objects.filter(instance=instance, trigger="beat").order_by("-pk").first()
    if last is not None and not rate_limits.is_mended(instance):
        jitter = 0.85 + (last.pk * 0.618034) % 0.3
        if clock.now() - last.started_at < timedelta(seconds=settings.SYNC_INTERVAL_SECONDS * jitter):
            return None
    return begin(instance, trigger="beat")


def read_flags(instance: GitLabInstance) -> None:
    """The flags of one instance alone, between two passes; left out where somebody reads the instance already."""
    scope = leases.scopes_of(instance).get(project=None)
    if (
        not instance.is_asked
        or rate_limits.must_wait(instance, clock.now())
        or (lease := leases.take(scope.pk)) is None
    ):
        return
    reading.read_flags(rate_limits.connect(instance), lease)


def work(instance: GitLabInstance, *, seconds: float = TURN_SECONDS) -> bool:
    """Read what waits of one instance, until nothing does or the turn is over; whether anything is left.

    Not more than ``SYNC_PARALLEL`` workers read one instance at a time, and only one while it fails: a slow one keeps
    no other waiting, for each of its timeouts holds a worker.
    """
    until = time.monotonic() + seconds
    if unasked := instance.why_not_asked:
        runs.stop_waiting(instance, Problem(instance.name, Outcome.CONNECTION_REFUSED, unasked))
        return False
    gitlab = rate_limits.connect(instance)
    for turn in count():
        if halted := rate_limits.must_wait(instance, clock.now()):
            runs.stop_waiting(instance, _halted(instance, halted))
            return False
        lease = _next(instance, hints_first=turn % 2 == 0)
        if lease is None:
            return False
        _read_and_credit(gitlab, lease)
        if time.monotonic() > until:
            break
    return waiting(instance)


def waiting(instance: GitLabInstance) -> bool:
    """Whether anything of this instance waits to be read."""
    return _waiting(instance).exists()


def drifting(instances: Iterable[GitLabInstance] | None = None) -> list[dict[str, Any]]:
    """Each open rollout whose flag does not stand as expected: ``{"rollout", "kind", "expected", "read"}``."""
    now = clock.now()
    rollouts = Rollout.objects.whole().open().exclude(drift=Drift.NONE)
    if instances is not None:
        rollouts = rollouts.filter(flag__instance__in=instances)
    found = []
    for rollout in rollouts:
        facts = for_rollout(rollout, now, Locks())
        read = facts.reading.exposure
        found.append(
            {
                "rollout": rollout.slug,
                "kind": rollout.drift,
                "expected": facts.expected.as_json(),
                "read": read.as_json() if read is not None else None,
            }
        )
    return found


def _waiting(instance: GitLabInstance) -> QuerySet[SyncScope]:
    return SyncScope.objects.filter(Q(run__isnull=False) | Q(hinted_at__isnull=False), instance=instance)


def _next(instance: GitLabInstance, *, hints_first: bool) -> Lease | None:
    """The lease of what was not read for longest; None where enough others read already.

    ``hints_first``: before that what a webhook asked for. Only every other time, or a project that GitLab speaks of
    all the time would keep the others from being read.
    """
    while True:
        now = clock.now()
        most = 1 if rate_limits.standing(instance).failures else settings.SYNC_PARALLEL
        if leases.held(instance, now) >= most:
            return None
        free = leases.in_turn(_waiting(instance).filter(leases.free(now)))
        hinted = free.filter(hinted_at__isnull=False, holder="").order_by("hinted_at", "pk") if hints_first else free
        scope = hinted.first() or free.first()
        if scope is None:
            return None
        if lease := leases.take(scope.pk):
            return lease


def _read_and_credit(gitlab: GitLab, lease: Lease) -> None:
    """One scope under its lease; what was read is counted, and the lease given back, in one transaction."""
    try:
        with of_pass(lease.scope.run_id):
            part = reading.read(gitlab, lease)
    except (Lost, OperationalError, InterfaceError):
        raise  # it waits on: whoever holds the lease now, or the next, reads it again
    except Exception:
        log.exception("reading %s failed", lease.scope)
        with transaction.atomic():
            lease.release(run=None, hinted_at=None)
            runs.credit(lease.scope.run_id, Report(lease.scope.instance.name, problems=[_broke(lease.scope)]))
        return
    with transaction.atomic():
        if reading.finish(part):
            runs.credit(lease.scope.run_id, part.report)


def _read_all(instance: GitLabInstance, scopes: list[int], run: int, *, full: bool, jobs: int) -> Iterator[Report]:
    """Each scope's report as it is through, read here or by so many threads, for the pass with this number."""
    if not scopes:
        return
    if jobs == 1:
        gitlab = rate_limits.connect(instance)
        yield from (_read_now(instance, gitlab, pk, run, full) for pk in scopes)
        return
    todo, through = deque(scopes), SimpleQueue[Report | BaseException]()

    def read_on() -> None:
        try:
            gitlab = rate_limits.connect(instance)
            while todo:
                through.put(_read_now(instance, gitlab, todo.popleft(), run, full))
        except IndexError:
            pass  # another thread took the last one
        except BaseException as error:  # handed to the thread that waits
            todo.clear()
            through.put(error)
        finally:
            connections.close_all()

    threads = [Thread(target=copy_context().run, args=(read_on,), daemon=True) for _ in range(min(jobs, len(scopes)))]
    for thread in threads:
        thread.start()
    for _ in scopes:
        part = through.get()
        if isinstance(part, BaseException):
            raise part
        yield part
    for thread in threads:
        thread.join()


def _read_now(instance: GitLabInstance, gitlab: GitLab, pk: int, run: int, full: bool) -> Report:
    """One scope, if the instance may be asked; what somebody else has just read, or reads, is left to them."""
    if halted := rate_limits.must_wait(instance, clock.now()):
        return Report(instance.name, problems=[_halted(instance, halted)])
    lease = _wait_for(pk)
    if lease is None:
        return Report(instance.name)
    try:
        with of_pass(run):
            part = reading.read(gitlab, lease, full=full)
    except Lost:
        return Report(instance.name)
    except (OperationalError, InterfaceError):
        raise  # no database, no pass: the lease runs out by itself
    except Exception:  # one place that can't be read keeps no other from being read
        log.exception("reading %s failed", lease.scope)
        lease.release()
        return Report(instance.name, problems=[_broke(lease.scope)])
    with transaction.atomic():
        if reading.finish(part):
            runs.credit(lease.scope.run_id, Report(instance.name))  # a pass of the workers waited for the same
    return part.report


def _wait_for(pk: int) -> Lease | None:
    """The lease of a scope; where another worker has it, as soon as that one is through, or has died.

    None where the other one has read the scope since.
    """
    if lease := leases.take(pk):
        return lease
    asked_at = clock.now()
    until = time.monotonic() + 2 * settings.SYNC_LEASE_SECONDS
    while lease is None and time.monotonic() < until:
        time.sleep(0.2)
        lease = leases.take(pk)
    if lease and lease.scope.read_at and lease.scope.read_at >= asked_at:
        lease.release()
        return None
    return lease


def _halted(instance: GitLabInstance, wait: Wait) -> Problem:
    kind = Outcome.CONNECTION_REFUSED if wait.why == "circuit" else Outcome.RATE_LIMITED
    return Problem(instance.name, kind, rate_limits.words_of(wait, instance))


def _broke(scope: SyncScope) -> Problem:
    return Problem(str(scope), "failed", say("Reading it broke off: see the log."))
