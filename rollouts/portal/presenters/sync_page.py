"""The sync page: is what the portal shows true to each GitLab now, and if not, what cures it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from ...models import GitLabProject, Outcome, SyncRun
from ...rules.phrases import joined
from ...services.freshness import is_stale
from ...sync.status import InstanceStatus

#: So many places are listed at once; of more only those that failed are, and the rest is opened.
LISTED = 12
RUNG_BY = {
    "beat": gettext_lazy("the clock"),
    "command": gettext_lazy("manage.py sync"),
    "page": gettext_lazy("this page"),
}
ENDED = {
    SyncRun.Result.RUNNING: ("", gettext_lazy("under way")),
    SyncRun.Result.OK: ("go", pgettext_lazy("a pass over GitLab", "all read")),
    SyncRun.Result.PARTIAL: ("wait", gettext_lazy("partly read")),
    SyncRun.Result.FAILED: ("stop", gettext_lazy("failed")),
    SyncRun.Result.INTERRUPTED: ("wait", gettext_lazy("broken off")),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One reading that failed: what, how, and the cure in words."""

    what: str
    how: str
    words: str


@dataclass(frozen=True, slots=True)
class ReadPlace:
    """What is read at once: an instance's own flags and people, or one project. ``look`` colours its state."""

    name: str
    issues_at: datetime | None
    flags_at: datetime | None
    seconds: float | None
    calls: int | None
    changed: int | None
    look: str
    state: str
    troubles: tuple[Trouble, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One GitLab."""

    status: InstanceStatus
    look: str
    state: str
    run: Pass | None
    places: tuple[ReadPlace, ...]
    troubles: tuple[Trouble, ...]
    has_hook_secret: bool

    @property
    def is_short(self) -> bool:
        return len(self.places) <= LISTED


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over a GitLab, as a row."""

    run: SyncRun
    rung_by: str
    look: str
    state: str
    flags: str
    issues: str
    changed: int


def cards(statuses: Iterable[InstanceStatus]) -> list[Card]:
    return [_card(status) for status in statuses]


def passes(runs: Iterable[SyncRun]) -> list[Pass]:
    return [_pass(run) for run in runs]


def summary(shown: Sequence[Card]) -> str:
    """The sentence on top."""
    connected = [card for card in shown if card.status.instance.url]
    if not connected:
        return _("No GitLab is connected.")
    unbound = [card.status.instance.name for card in connected if not card.status.instance.is_asked]
    if unbound:
        words = ngettext("%(names)s is not asked: see why.", "%(names)s are not asked: see why.", len(unbound))
        return words % {"names": ", ".join(unbound)}
    held = [card.status.instance.name for card in connected if card.status.wait]
    if held:
        names = ", ".join(held)
        return ngettext("%(names)s is not asked now.", "%(names)s are not asked now.", len(held)) % {"names": names}
    failed = sum(len(card.troubles) for card in connected)
    if failed:
        words = ngettext("%(n)d reading failed.", "%(n)d readings failed.", failed)
        return words % {"n": failed}
    if any(card.run is None for card in connected):
        return _("GitLab was not read yet.")
    old = [card.status.instance.name for card in connected if _is_old(card.status)]
    if old:
        words = ngettext("%(names)s was not read for too long.", "%(names)s were not read for too long.", len(old))
        return words % {"names": ", ".join(old)}
    places = sum(len(card.places) for card in connected)
    words = ngettext("%(n)d place is followed, and all is read.", "%(n)d places are followed, and all is read.", places)
    return words % {"n": places}


def _card(status: InstanceStatus) -> Card:
    instance = status.instance
    places = [_place(status, None)]
    places += [_place(status, project) for project in status.projects]
    troubles = tuple(trouble for place in places for trouble in place.troubles)
    look, state = _state(status, bool(troubles))
    return Card(
        status=status,
        look=look,
        state=state,
        run=_pass(status.run) if status.run else None,
        places=tuple(sorted(places, key=lambda place: not place.troubles)),
        troubles=troubles,
        has_hook_secret=bool(instance.hook_secret or instance.hook_signing_token),
    )


def _state(status: InstanceStatus, has_troubles: bool) -> tuple[str, str]:
    if not status.instance.url:
        return "wait", _("not connected")
    if not status.instance.is_asked:
        return "stop", _("not asked")
    if status.wait:
        return "stop", _("left alone")
    if not status.instance.token:
        return "wait", _("no token")
    if has_troubles:
        return "stop", _("partly unread")
    if status.run is None:
        return "", _("not read yet")
    if _is_old(status):
        return "stop", _("stale")
    return "go", _("well")


def _is_old(status: InstanceStatus) -> bool:
    return is_stale(status.instance.flags_read_at, status.now)


def _place(status: InstanceStatus, project: GitLabProject | None) -> ReadPlace:
    instance, scope = status.instance, status.scopes.get(project.pk if project else None)
    thing: Any = project or instance
    troubles, outcomes = [], []
    for what, words in (("issues", _("Issues")), ("flags", _("Flags"))) if project else (("flags", _("Flags")),):
        outcome = getattr(thing, f"{what}_outcome")
        outcomes.append(outcome)
        if outcome not in (Outcome.OK, Outcome.UNREAD):
            of = f"{words}: {project.path}" if project else f"{words}: {instance.name}"
            troubles.append(Trouble(of, str(Outcome(outcome).label), getattr(thing, f"{what}_words")))
    was_read = scope is not None and scope.read_at is not None
    look = "stop" if troubles else "go" if Outcome.OK in outcomes else ""
    read = [at for at in (getattr(thing, "issues_read_at", None), thing.flags_read_at) if at]
    if look == "go" and read and is_stale(max(read), status.now):
        look = "wait"
    hows = dict.fromkeys(trouble.how for trouble in troubles)
    return ReadPlace(
        name=project.path if project else _("Flags, people and token of the instance"),
        issues_at=project.issues_read_at if project else None,
        flags_at=thing.flags_read_at,
        seconds=scope.seconds if scope and was_read else None,
        calls=scope.calls if scope and was_read else None,
        changed=scope.changed if scope and was_read else None,
        look=look,
        state=joined(hows, ", ") or (_("stale") if look == "wait" else _("read") if look else _("not read yet")),
        troubles=tuple(troubles),
    )


def _pass(run: SyncRun) -> Pass:
    look, state = ENDED[SyncRun.Result(run.outcome)]
    return Pass(
        run=run,
        rung_by=str(RUNG_BY.get(run.trigger, run.trigger)),
        look=look,
        state=str(state),
        flags=_counted(_("%(n)d listed") % {"n": run.flags_seen}, run.flags_changed, run.flags_missing),
        issues=_counted(_("%(n)d followed") % {"n": run.issues_tracked}, run.issues_changed, run.issues_missing),
        changed=run.flags_changed + run.issues_changed,
    )


def _counted(seen: str, changed: int, missing: int) -> str:
    parts = [seen]
    if changed:
        parts.append(_("%(n)d changed") % {"n": changed})
    if missing:
        parts.append(_("%(n)d missing") % {"n": missing})
    return ", ".join(parts)
