"""What the two import commands share: options, the files that are named, telling what came in and what was left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rollouts.management.asked import actor_named
from rollouts.rules.document import Fault
from rollouts.services.imports import Imported
from rollouts.services.refusals import Refused


class ImportCommand(BaseCommand):
    """``COMMAND import PATH…``; exit 1 if anything was malformed and skipped, or if the role is lacking."""

    what: str

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="action", required=True)
        taken = verbs.add_parser("import", help=self.help)
        taken.add_argument("paths", nargs="+", metavar="PATH", help="a YAML file, or a folder with such files")
        taken.add_argument("--as", dest="user", metavar="USER", help="the portal user who imports")
        taken.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            imported, faults = self.take(options["paths"], actor_named(options["user"]))
        except Refused as refused:
            self.stderr.write(str(refused))
            raise SystemExit(1) from None
        if options["json"]:
            answer = {
                "ok": not faults,
                "new": imported.new,
                "changed": imported.changed,
                "same": imported.same,
                "faults": [str(fault) for fault in faults],
            }
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.write(
                f"{imported.new} {self.what} new, {imported.changed} changed, {imported.same} as they were."
            )
            for fault in faults:
                self.stderr.write(f"skipped: {fault}")
        if faults:
            raise SystemExit(1)

    def take(self, paths: list[str], by: Any) -> tuple[Imported, list[Fault]]:
        raise NotImplementedError


#: Far beyond any real definition or catalogue; a larger file is not read whole.
MOST_BYTES = 2_000_000


def yaml_files(paths: list[str]) -> Iterator[Path]:
    """In a stable order. Raises ``CommandError`` (exit 2) for a path that there is not."""
    for given in map(Path, paths):
        if given.is_dir():
            yield from sorted(path for path in given.rglob("*") if path.suffix in (".yml", ".yaml") and path.is_file())
        elif given.is_file():
            yield given
        else:
            raise CommandError(f"{given} is no file and no folder.", returncode=2)


def content(path: Path) -> bytes:
    """Raises ``CommandError`` (exit 2) for a file that can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.", returncode=2) from None
