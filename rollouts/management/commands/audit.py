"""``manage.py audit find``: look history up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.lookup import Question, find
from rollouts.management.actors import actor_named
from rollouts.rules.datetimes import asked_since, asked_until

MOST = 1_000


class Command(BaseCommand):
    help = "Look history up: who did what, when, from where, and why. Newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        asked = verbs.add_parser("find", help="events that fit all that is given")
        asked.add_argument("--rollout", default="", metavar="SLUG")
        asked.add_argument("--actor", default="", metavar="NAME")
        asked.add_argument("--verb", default="", metavar="VERB", help="phase.start, or phase for all of a phase's")
        asked.add_argument("--source", default="", metavar="SOURCE", help="page, admin, command, sync")
        asked.add_argument("--since", metavar="TIME", help="2026-11-01 or 2026-11-01T14:00+01:00; UTC")
        asked.add_argument("--until", metavar="TIME", help="the same; a day is taken in")
        asked.add_argument("--text", default="", metavar="WORDS", help="in names and reasons")
        asked.add_argument("--limit", type=int, default=50, metavar="N", help=f"1 to {MOST:,}")
        asked.add_argument("--as", dest="user", metavar="USER", help="see what this user may see")
        asked.add_argument("--json", action="store_true", help="one JSON object: {items, next}")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["limit"] <= MOST:
            raise CommandError(f"--limit is a number from 1 to {MOST:,}.", returncode=2)
        question = Question(
            rollout=options["rollout"],
            actor=options["actor"],
            verb=options["verb"],
            source=options["source"],
            since=_moment(asked_since, options["since"], "--since"),
            until=_moment(asked_until, options["until"], "--until"),
            text=options["text"],
        )
        sees_confidential = actor_named(options["user"]).sees_confidential
        page = find(question, limit=options["limit"])
        if options["json"]:
            items = [event.as_json(sees_confidential=sees_confidential) for event in page.events]
            self.stdout.write(json.dumps({"items": items, "next": page.next or None}))
            return
        for event in page.events:
            why = f" — {event.reason}" if event.reason else ""
            came = event.way_in_words if event.way else event.source
            self.stdout.write(
                f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.actor}  {event.verb}  {event.object_name}  ({came}){why}"
            )


def _moment(read: Callable[[str], datetime], text: str | None, option: str) -> datetime | None:
    try:
        return read(text) if text else None
    except ValueError as wrong:
        raise CommandError(f"{option}: {wrong}", returncode=2) from None
