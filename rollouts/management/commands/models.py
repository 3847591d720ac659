"""``manage.py models import``: the AI Gateway's model catalogue."""

from __future__ import annotations

from typing import Any

from rollouts.audit.source import coming_from
from rollouts.management.importing import ImportCommand, content, yaml_files
from rollouts.rules.catalogue import CatalogueModel, FeatureSetting, parse_models, parse_unit_primitives
from rollouts.rules.document import DocumentRefused, Fault
from rollouts.services.imports import Imported, import_models


class Command(ImportCommand):
    help = "Import an AI Gateway catalogue: models.yml, and unit_primitives.yml for what uses them. Malformed: exit 1."
    what = "AI models"

    def take(self, paths: list[str], by: Any) -> tuple[Imported, list[Fault]]:
        models: list[CatalogueModel] = []
        features: list[FeatureSetting] = []
        faults: list[Fault] = []
        for path in yaml_files(paths):
            text = content(path)
            try:
                if b"configurable_unit_primitives" in text:
                    features += parse_unit_primitives(text, source=str(path))
                else:
                    models += parse_models(text, source=str(path))
            except DocumentRefused as refused:
                faults += refused.faults
        with coming_from("command"):
            return import_models(models, features, by=by), faults
