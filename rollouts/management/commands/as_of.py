"""``manage.py as_of``: a rollout as it was at a moment, and what has changed since another."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import Http404

from rollouts.api import answers, past
from rollouts.api.problems import Problem
from rollouts.api.rollouts import rollout_answer
from rollouts.management.asked import actor_named
from rollouts.models import clock
from rollouts.rules.datetimes import parse_moment


class Command(BaseCommand):
    help = (
        "Show a rollout as it was at a moment, out of its history. "
        "Exit 0: told; 1: there is nothing to tell of that moment; 2: wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", metavar="SLUG")
        parser.add_argument("moment", metavar="MOMENT", type=_moment, help="with its zone: 2026-11-20T14:00Z, or now")
        parser.add_argument("--since", metavar="MOMENT", type=_moment, help="besides, what had changed since then")
        parser.add_argument("--as", dest="user", metavar="USER", help="see what this user may see")
        parser.add_argument("--json", action="store_true", help="print one JSON object, as the API gives it")

    def handle(self, *args: Any, **options: Any) -> None:
        by = actor_named(options["user"])
        try:
            told = past.answer(rollout_answer, options["slug"], by, options["moment"], options["since"])
        except Http404 as wrong:
            raise CommandError(str(wrong), returncode=2) from None
        except Problem as wrong:
            raise CommandError(wrong.detail) from None
        answer = answers.RolloutTold(**told)
        if options["json"]:
            self.stdout.write(answer.model_dump_json(exclude_unset=True))
            return
        for line in _lines(answer):
            self.stdout.write(line)


def _moment(written: str) -> datetime:
    try:
        return clock.now() if written == "now" else parse_moment(written)
    except ValueError as wrong:
        raise ArgumentTypeError(str(wrong)) from None


def _lines(told: answers.RolloutTold) -> list[str]:
    then = told.then
    assert then is not None
    lines = [
        f"{told.title} as it was on {_at(then.at)}, after {then.events} events (the last was {then.newest_event})",
        f"{told.state}, {told.health}: {then.words}",
        f"Next: {then.coming}",
    ]
    for phase in told.phases:
        step = "" if phase.step is None else f" at {phase.step} %"
        done = f"{phase.checklist.done} of {phase.checklist.required}"
        lines.append(f"  {phase.name}: {phase.state}{step}, attempt {phase.attempt}, checklist {done}")
    flag = told.flag
    lines.append(f"Flag {flag.name}: drift {flag.drift}")
    lines += [f"  {name}: {_exposure(one)}" for name, one in (("plan", flag.expected), ("GitLab", flag.read))]
    for request in then.requests:
        counted = ", ".join(f"{one.by} ({_at(one.at)}, by {one.source})" for one in request.approvals if one.counted)
        lines.append(f"Asked: {request.what}, {request.state}, by {request.requested_by}; approved by {counted or '-'}")
    lines.append(f"Could approve: {', '.join(then.could_approve) or 'nobody'}")
    lines += [f"Locked: {lock.title}" for lock in then.locks]
    lines += [f"Not told: {words}" for words in then.untold]
    if told.changed:
        lines.append(f"Changed since {_at(told.changed.since)}, by {told.changed.events} events:")
        lines += [f"  {one.what}: {one.before} → {one.after}" for one in told.changed.summary]
        lines += [
            f"  {one.type} {one.id} {one.name}, {one.field}: {one.before!r} → {one.after!r}"
            for one in told.changed.fields
        ]
    return lines


def _exposure(one: answers.Exposure | None) -> str:
    if one is None:
        return "not known"
    named = {name: value for name, value in one.model_dump().items() if value}
    return ", ".join(f"{name} {value}" for name, value in named.items()) or "nobody"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
