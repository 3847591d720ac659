"""``manage.py flags import``: GitLab's feature flag definition files."""

from __future__ import annotations

from typing import Any

from rollouts.audit.source import coming_from
from rollouts.management.importing import ImportCommand, content, yaml_files
from rollouts.rules.definitions import FlagDefinition, parse_definition
from rollouts.rules.document import DocumentRefused, Fault
from rollouts.services.imports import Imported, import_flags


class Command(ImportCommand):
    help = (
        "Import GitLab flag definition files (YAML, or folders of them). Malformed ones are named and skipped: exit 1."
    )
    what = "flags"

    def take(self, paths: list[str], by: Any) -> tuple[Imported, list[Fault]]:
        definitions: list[FlagDefinition] = []
        faults: list[Fault] = []
        for path in yaml_files(paths):
            try:
                definitions.append(parse_definition(content(path), source=str(path)))
            except DocumentRefused as refused:
                faults += refused.faults
        with coming_from("command"):
            return import_flags(definitions, by=by), faults
