"""``manage.py report``: the report over all rollouts of a time, as ``/reports/`` and ``GET /reports`` tell it."""

from __future__ import annotations

import json
from datetime import UTC, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from rollouts.models import clock
from rollouts.rules.blockers import in_words
from rollouts.rules.datetimes import asked_since, asked_until
from rollouts.rules.waits import SPENT_WORDS
from rollouts.services import period_report

USUAL = timedelta(days=90)


class Command(BaseCommand):
    help = "Tell how many rollouts were planned, begun and completed, how long that took, and where they waited."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", default="", help="a day or time, UTC unless it says so")
        parser.add_argument("--to", dest="until", default="", help="likewise; without both: the last 90 days")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            since = asked_since(options["since"], UTC) if options["since"] else now - USUAL
            until = asked_until(options["until"], UTC) if options["until"] else now
            report = period_report.of_period(since, until)
        except ValueError as wrong:
            raise CommandError(str(wrong.args[0])) from None
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), cls=DjangoJSONEncoder))
            return
        for one in report.figures:
            length = f", median {in_words(one.median)}" if one.median is not None else ""
            self.stdout.write(f"{one.title}: {one.count}{length}")
        for wait in report.waits:
            words = f"{wait.phase}: {SPENT_WORDS[wait.what]}: {in_words(wait.length)}"
            self.stdout.write(f"{words} (median of {wait.rollouts})")
        for month in report.months:
            self.stdout.write(f"{month.month}: {month.count} completed, median {in_words(month.lead)} from plan to end")
