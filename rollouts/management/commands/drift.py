"""``manage.py drift``: the list of drift cases, and their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named, refuse
from rollouts.models import DriftCase, clock
from rollouts.rules.drift_cases import ANSWER_HELP, Answer
from rollouts.services import drift_answers, drift_cases, waivers
from rollouts.services.lists.drift import OPEN_ONES_FIRST, DriftFilter
from rollouts.services.refusals import Refused, refuse_if

FILTERS = ("state", "kind", "owner", "rollout", "q")


class Command(BaseCommand):
    help = "List drift cases, or answer one. Exit 0: done; 1: refused, with every blocker; 2: wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True, metavar="VERB")
        listing = does.add_parser("list", help="all that fit, open ones first")
        for name in FILTERS:
            listing.add_argument(f"--{name}", default="", metavar="TEXT")
        for answer in Answer:
            answering = does.add_parser(answer, help=str(ANSWER_HELP[answer]))
            answering.add_argument("number", type=int, metavar="NUMBER")
            answering.add_argument("--reason", default="", metavar="TEXT")
            answering.add_argument("--as", dest="user", metavar="USER", help="the portal user who does it")
            answering.add_argument("--dry-run", action="store_true", help="say what would happen, change nothing")
            if answer is Answer.ACCEPT:
                answering.add_argument("--until", default="", metavar="DAY", help="2026-12-31, or a time; UTC")
        for each in does.choices.values():
            each.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["does"] == "list":
            self._list(options)
            return
        try:
            with coming_from("command"):
                self._answer(Answer(options["does"]), options)
        except Refused as refused:
            refuse(self, refused, f"{options['does']} drift", {}, as_json=options["json"])

    def _answer(self, answer: Answer, options: Mapping[str, Any]) -> None:
        by, case = actor_named(options["user"]), self._case(options["number"])
        ends_at, reason = waivers.until(options.get("until") or "", UTC), options["reason"]
        if options["dry_run"]:
            refuse_if(drift_answers.blockers_of(answer, case, by, reason=reason, ends_at=ends_at))
            told: dict[str, Any] = {"dry_run": True}
            words = "It would pass. Nothing is changed."
        else:
            waiver = drift_answers.give(answer, case, by=by, reason=reason, ends_at=ends_at)
            now = clock.now()
            told = {
                "case": drift_cases.as_json(self._case(case.pk), now),
                "waiver": waivers.as_json(waiver, by, now) if waiver else None,
            }
            left = f"waiver {waiver.pk} waits for somebody else" if waiver else "the flag goes back"
            words = f"{case.rollout.slug}: drift case {case.pk}: {left}."
        self.stdout.write(json.dumps({"ok": True, **told}) if options["json"] else words)

    def _case(self, number: int) -> DriftCase:
        case: DriftCase | None = DriftCase.objects.with_rollout().filter(pk=number).first()
        if case is None:
            raise CommandError(f"There is no drift case {number}.", returncode=2)
        return case

    def _list(self, options: Mapping[str, Any]) -> None:
        asked, now = DriftFilter({name: options[name] for name in FILTERS}), clock.now()
        if asked.faults:
            raise CommandError(" ".join(map(str, asked.faults.values())), returncode=2)
        rows = asked.rows.order_by(*OPEN_ONES_FIRST.keys)
        if options["json"]:
            self.stdout.write(json.dumps({"items": [drift_cases.as_json(one, now) for one in rows]}))
            return
        for one in rows.iterator(500):
            until = f" to {one.ended_at:%Y-%m-%d %H:%M} UTC, {one.get_ending_display()}" if one.ended_at else ""
            owner = f" ({one.owner})" if one.owner else ""
            self.stdout.write(
                f"{one.pk}  {one.rollout.slug}{owner}: {one.get_kind_display()}, {one.state} "
                f"since {one.since:%Y-%m-%d %H:%M} UTC{until}"
            )
