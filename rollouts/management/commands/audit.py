"""``manage.py audit``: look history up, verify it, and take out what proves it."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from rollouts.audit import export_reading, exporting, sealing, triggers, verifying
from rollouts.audit.signed_note import NoteRefused
from rollouts.audit.source import coming_from
from rollouts.management.asked import actor_named
from rollouts.models import AuditEvent
from rollouts.rules import spreadsheet
from rollouts.rules.phrases import spoken
from rollouts.services import history_import
from rollouts.services.lists.history import Found, HistoryFilter
from rollouts.sync import copies

MOST = 1_000
#: An event is one line, and nothing in it moves the terminal's cursor.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: Of a table for spreadsheets; before and after are JSON.
EVENT_COLUMNS = (
    "id", "at", "actor_kind", "actor", "verb", "object_type", "object_id", "object", "rollout", "reason", "source",
    "request_id", "way", "before", "after", "confidential",
)  # fmt: skip


class Command(BaseCommand):
    help = "History: who did what, when, from where, and why. Look it up, verify it, prove it."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        find = verbs.add_parser("find", help="events that fit all that is given, newest first")
        _filters(find)
        find.add_argument("--after", default="", metavar="CURSOR", help="the next, or the previous, of another page")
        find.add_argument("--limit", type=int, default=50, metavar="N", help=f"1 to {MOST:,}")
        form = find.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="one JSON object: items, next, previous, count")
        form.add_argument("--jsonl", action="store_true", help="JSON lines: an event a line")
        form.add_argument("--csv", action="store_true", help="a table for spreadsheets, times in UTC")
        export = verbs.add_parser(
            "export", help="events as JSON lines with a manifest, to be checked without the portal"
        )
        export.add_argument("file", help="where to; - is the standard output")
        export.add_argument(
            "--for-import", action="store_true",
            help="with all that `audit import` needs: as confidential as the database, and whole",
        )  # fmt: skip
        _filters(export)
        take_up = verbs.add_parser("import", help="take an export up into an empty portal: history, as of, reports")
        take_up.add_argument("file", help="made by audit export --for-import")
        take_up.add_argument("--key", default="", help="the verifier key of the portal that made it, if not this one")
        verify = verbs.add_parser("verify", help="does each event stand where and as it was sealed? exit 1 where not")
        verify.add_argument("--checkpoint", metavar="FILE", help="a checkpoint that was kept elsewhere")
        verify.add_argument("--key", default="", help="the verifier key that signed it, if no key of today did")
        verify.add_argument("--json", action="store_true")
        checkpoint = verbs.add_parser("checkpoint", help="seal what is not sealed, and print the signed checkpoint")
        checkpoint.add_argument(
            "--copy", action="store_true", help="put it in each place of AUDIT_CHECKPOINT_FOLDER, _MAIL and _ISSUE now"
        )
        prove = verbs.add_parser("prove", help="print the proof that an event, or a checkpoint, is part of the history")
        prove.add_argument("event", nargs="?", type=int, help="the event's number")
        prove.add_argument("--checkpoint", metavar="FILE", help="an earlier checkpoint: today's history begins with it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except (NoteRefused, exporting.NotSealed) as refused:
            raise CommandError(str(refused)) from None

    def _find(self, options: dict[str, Any]) -> None:
        if not 1 <= options["limit"] <= MOST:
            raise CommandError(f"--limit is a number from 1 to {MOST:,}.", returncode=2)
        sees = actor_named(options["user"]).sees_confidential
        history_filter = HistoryFilter(options, sees=sees)
        found = history_filter.find(options["limit"])
        _refuse(history_filter)
        told = [event.as_json(sees_confidential=sees) for event in found.page.rows]
        if options["json"]:
            self.stdout.write(json.dumps(found.as_json(told)))
        elif options["jsonl"]:
            for one in told:
                self.stdout.write(json.dumps(one))
        elif options["csv"]:
            for line in spreadsheet.lines([EVENT_COLUMNS, *map(as_cells, told)]):
                self.stdout.write(line, ending="")
        else:
            self._table(found)

    def _table(self, found: Found) -> None:
        for event in found.page.rows:
            why = f" — {event.reason}" if event.reason else ""
            came = event.way_in_words if event.way else event.source
            line = f"{event.at:%Y-%m-%d %H:%M:%S}Z  {event.actor}  {event.verb}  {event.object_name}  ({came}){why}"
            self.stdout.write(UNPRINTABLE.sub(" ", line))
        further = f"; older ones: --after {found.page.next}" if found.page.next else ""
        self.stderr.write(f"{found.counted}{further}")

    def _export(self, options: dict[str, Any]) -> None:
        sees = actor_named(options["user"]).sees_confidential
        history_filter = HistoryFilter(options, sees=sees)
        events = history_filter.rows
        _refuse(history_filter)
        query = {name: text for name, text in history_filter.asked.items() if text}
        if options["for_import"] and (query or not sees or options["user"]):
            raise CommandError("--for-import takes all of the history: leave filters and --as out.", returncode=2)
        sealing.work(batches=sys.maxsize, now=True)
        try:
            to = nullcontext(sys.stdout) if options["file"] == "-" else open(options["file"], "w", encoding="utf-8")  # noqa: SIM115 - closed below
            with to as file:
                manifest = exporting.export(
                    file, events, lambda event: event.as_json(sees_confidential=sees), query,
                    for_import=options["for_import"],
                )  # fmt: skip
        except OSError as error:
            raise CommandError(f"{options['file']} can't be written ({error.strerror}).") from None
        told = f"{manifest['events']} events, SHA-256 {manifest['sha256']}"
        (self.stderr if options["file"] == "-" else self.stdout).write(told)

    def _import(self, options: dict[str, Any]) -> None:
        try:
            with coming_from("command"):
                taken = history_import.take_up(Path(options["file"]), by=actor_named(None), key=options["key"])
        except OSError as error:
            raise CommandError(f"{options['file']} can't be read ({error.strerror}): nothing was changed.") from None
        except (export_reading.ExportRefused, NoteRefused) as refused:
            raise CommandError(f"{refused} Nothing was changed.") from None
        except DatabaseError as error:
            if not triggers.is_owner(connection):
                raise CommandError(
                    "the database refuses. Run this as the owner of the tables, as `migrate` is run: "
                    "DATABASE_URL=postgres://portal_owner:… Nothing was changed."
                ) from None
            raise CommandError(
                f"the rows that the history tells of do not fit together ({str(error).splitlines()[0]}): nothing was "
                "changed."
            ) from None
        self.stdout.write(f"{taken.events} events taken up, under a checkpoint of {taken.origin}.")
        for table, rows in taken.rows.items():
            self.stdout.write(f"  {table}: {rows} rows, as the history tells them")

    def _verify(self, options: dict[str, Any]) -> None:
        report = verifying.verify(_note(options["checkpoint"]), options["key"])
        if not options["checkpoint"]:
            verifying.keep(report)
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            self.stdout.write(report.words)
        if not report.is_ok:
            raise CommandError("the history is not as it was sealed.")

    def _checkpoint(self, options: dict[str, Any]) -> None:
        sealing.work(batches=sys.maxsize, now=True)
        newest = sealing.checkpoint()
        if newest is None:
            raise CommandError("there is nothing to seal: the history is empty.")
        self.stdout.write(newest.note, ending="")
        if options["copy"]:
            self._copy()

    def _copy(self) -> None:
        if not settings.CHECKPOINT_COPIES:
            raise CommandError("there is no place for a copy: set AUDIT_CHECKPOINT_FOLDER, _MAIL or _ISSUE.")
        copies.work(now=True)
        failed = [copy for copy in copies.standing() if copy.words]
        for copy in copies.standing():
            self.stderr.write(f"{copy.to}: {spoken(copy.words) if copy.words else 'copied'}")
        if failed:
            raise CommandError(f"{len(failed)} of {len(settings.CHECKPOINT_COPIES)} places have no copy of it.")

    def _prove(self, options: dict[str, Any]) -> None:
        if (options["event"] is None) == (options["checkpoint"] is None):
            raise CommandError("give either an event's number or --checkpoint FILE.", returncode=2)
        try:
            if options["event"] is not None:
                proof = exporting.proof(options["event"])
            else:
                proof = exporting.growth(_note(options["checkpoint"]))
        except AuditEvent.DoesNotExist:
            raise CommandError(
                f"there is no event {options['event']}: `audit find --json` tells their numbers."
            ) from None
        self.stdout.write(json.dumps(proof, ensure_ascii=False))


def as_cells(told: dict[str, Any]) -> tuple[object, ...]:
    """An event as ``as_json`` tells it, as cells under ``EVENT_COLUMNS``."""
    actor, what = told["actor"], told["object"]
    nested = (
        json.dumps(told[name], ensure_ascii=False) if told.get(name) else ""
        for name in ("way", "before", "after", "confidential")
    )
    return (
        told["id"], told["at"], actor["kind"], actor["name"], told["verb"], what["type"], what["id"], what["name"],
        told["rollout"], told["reason"], told["source"], told["request_id"], *nested,
    )  # fmt: skip


def _filters(parser: CommandParser) -> None:
    for name, each in HistoryFilter.base_filters.items():
        option = "--text" if name == "q" else f"--{name.replace('_', '-')}"
        parser.add_argument(option, dest=name, default="", metavar=name.upper(), help=each.extra["help_text"])
    parser.add_argument("--as", dest="user", metavar="USER", help="see what this user may see")


def _refuse(history_filter: HistoryFilter) -> None:
    for name, words in history_filter.faults.items():
        raise CommandError(f"--{name}: {words}", returncode=2)


def _note(path: str | None) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} can't be read ({error}).") from None
