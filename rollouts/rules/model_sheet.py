"""AI models as a sheet, out and in: YAML under ``ai_models:``, or CSV with the same columns. A key that is not there is
left as it is, one that is there and empty is emptied; what was written out comes in without a change.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field

from .catalogue import LIMIT, MOST_NODES, Day
from .document import Document, DocumentRefused, Fault, Path, clean, read
from .phrases import invalid, say
from .schema import Written, checked, fit, nearest, text, words
from .spreadsheet import from_cell, lines

TOP = "ai_models"
COLUMNS = (
    "slug", "name", "provider", "provider_model_id", "host", "capability", "description", "quota_requests_per_minute",
    "deprecated_on", "removal_version", "default_for", "selectable_for", "catalogue_identifier",
)  # fmt: skip
LISTS = ("default_for", "selectable_for")
MOST_MODELS = 5_000
SLUG = re.compile(r"[-a-zA-Z0-9_]{1,120}")


@dataclass(frozen=True, slots=True)
class SheetModel:
    """One AI model; ``values`` holds only what the sheet says of it."""

    slug: str
    values: Mapping[str, Any]
    line: int


def _slug(value: str) -> str:
    if not SLUG.fullmatch(value):
        raise invalid("a slug has up to 120 letters, digits, hyphens and underscores. Correct it.")
    return value


def _day(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _number(value: Any) -> Any:
    """A cell of a CSV file is text."""
    if isinstance(value, str):
        if not value.isdecimal() or len(value) > 9:
            raise words(say("«{value}» is not a whole number. Write digits only, without units.", value=value[:20]))
        return int(value)
    return value


class ModelWritten(Written):
    slug: Annotated[str, checked(_slug)]
    name: Annotated[str, text(200)] = ""
    provider: Annotated[str, text(100)] = ""
    provider_model_id: Annotated[str, text(200)] = ""
    host: Annotated[str, text(100)] = ""
    capability: Annotated[str, text(100)] = ""
    description: Annotated[str, text(5000)] = ""
    quota_requests_per_minute: Annotated[int, Field(ge=1, le=2_000_000_000), BeforeValidator(_number)] | None = None
    deprecated_on: Annotated[Day, BeforeValidator(_day)] | None = None
    removal_version: Annotated[str, text(20)] = ""
    default_for: Annotated[list[Annotated[str, text(200)]], Field(max_length=500)] = []
    selectable_for: Annotated[list[Annotated[str, text(200)]], Field(max_length=500)] = []
    catalogue_identifier: Annotated[str, text(200)] = ""


class SheetWritten(Written):
    ai_models: Annotated[list[ModelWritten], Field(max_length=MOST_MODELS)]


def parse_yaml(content: str | bytes, *, source: str = "ai_models.yaml") -> tuple[SheetModel, ...]:
    """Raises ``DocumentRefused`` with every fault."""
    return _sheet(read(content, source=source, limit=LIMIT, nodes=MOST_NODES))


def parse_csv(content: str | bytes, *, source: str = "ai_models.csv") -> tuple[SheetModel, ...]:
    """With a line of column names first; lists are parted by semicolons. Raises ``DocumentRefused``."""
    written = clean(content, source, LIMIT)
    rows = csv.reader(io.StringIO(written, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if faults := _header_faults(header, source):
            raise DocumentRefused(faults)
        models: list[dict[str, Any]] = []
        lines: dict[Path, int] = {}
        faults = []
        begins = rows.line_num + 1
        for row in rows:
            if any(cell.strip() for cell in row):
                if len(row) != len(header):
                    message = say(
                        "there are {cells} cells for {columns} columns. Put texts with commas in quotes.",
                        cells=len(row),
                        columns=len(header),
                    )
                    faults.append(Fault(source, begins, message))
                lines[(TOP, len(models))] = begins
                models.append({name: _cell(name, value) for name, value in zip(header, row, strict=False)})
            begins = rows.line_num + 1
    except csv.Error as wrong:
        raise DocumentRefused(
            [Fault(source, rows.line_num, say("this is not CSV ({wrong}). Correct the quotes.", wrong=wrong))]
        ) from None
    if faults:
        raise DocumentRefused(faults)
    return _sheet(Document(source, {TOP: models}, lines))


def _header_faults(header: list[str], source: str) -> list[Fault]:
    faults = [
        Fault(source, 1, say("«{value}» is no column. {nearest}", value=name[:50], nearest=nearest(name, COLUMNS)))
        for name in header
        if name not in COLUMNS
    ]
    if "slug" not in header:
        faults.append(Fault(source, 1, say("the column slug is missing: it says which model a line is about. Add it.")))
    if len(set(header)) != len(header):
        faults.append(Fault(source, 1, say("a column is there twice. Keep one.")))
    return faults


def _cell(name: str, value: str) -> Any:
    value = from_cell(value.strip())
    return [part.strip() for part in value.split(";") if part.strip()] if name in LISTS else value


def _sheet(document: Document) -> tuple[SheetModel, ...]:
    written, faults = fit(document, SheetWritten)
    if written is None:
        raise DocumentRefused(faults)
    sheet_models, first = [], dict[str, int]()
    for position, model in enumerate(written.ai_models):
        line = document.place((TOP, position))
        if model.slug in first:
            message = say(
                "«{slug}» is there already, on line {line}. Keep one.", slug=model.slug, line=str(first[model.slug])
            )
            faults.append(document.fault((TOP, position, "slug"), message))
        first.setdefault(model.slug, line)
        said_of = document.tree[TOP][position]
        values = {name: getattr(model, name) for name in COLUMNS if name in said_of and name != "slug"}
        if "name" in values and not values["name"]:
            faults.append(
                document.fault((TOP, position, "name"), say("name is empty. Write it, or leave the key out."))
            )
        sheet_models.append(SheetModel(model.slug, values, line))
    if faults:
        raise DocumentRefused(faults)
    return tuple(sheet_models)


def dump_yaml(models: Iterable[Mapping[str, Any]]) -> str:
    """Mappings with a value for each of ``COLUMNS``."""
    tree = {TOP: [{name: _plain(model[name]) for name in COLUMNS} for model in models]}
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)


def dump_csv(models: Iterable[Mapping[str, Any]]) -> str:
    """As a spreadsheet opens it."""
    return "".join(lines([COLUMNS, *([_as_text(model[name]) for name in COLUMNS] for model in models)]))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _as_text(value: Any) -> Any:
    return "; ".join(value) if isinstance(value, list) else _plain(value)
