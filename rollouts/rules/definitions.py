"""GitLab's feature flag definition files: one YAML file for each flag, named after it.

Source: GitLab doc/development/feature_flags/_index.md and lib/feature/shared.rb. GitLab adds keys from time to time:
keys that are not known here are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated

from . import names
from .document import Document, DocumentRefused, Fault, read
from .phrases import invalid, say
from .schema import Foreign, checked, fit, nearest, text

#: The types that GitLab knows (lib/feature/shared.rb).
TYPES = (
    "gitlab_com_derisk",
    "wip",
    "beta",
    "ops",
    "experiment",
    "development",
    "worker",
    "undefined",
    "markdown_cache",
)


@dataclass(frozen=True, slots=True)
class FlagDefinition:
    """What GitLab's code says of a flag; text is empty where the file says nothing."""

    name: str
    type: str
    default_enabled: bool
    group: str = ""
    milestone: str = ""
    description: str = ""
    introduced_by_url: str = ""
    rollout_issue_url: str = ""
    feature_issue_url: str = ""
    log_state_changes: bool = False
    intended_to_rollout_by: str = ""


def _known_type(value: str) -> str:
    if value not in TYPES:
        raise invalid("GitLab has no flags of type «{value}». {nearest}", value=value, nearest=nearest(value, TYPES))
    return value


def _release(value: str) -> str:
    parts = value.split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 5 for part in parts):
        raise invalid("«{value}» is not a release. Write it as in '18.10', in quotes.", value=value)
    return value


Address = Annotated[str, text(500), checked(names.web_address)]


class DefinitionWritten(Foreign):
    """A definition file as written."""

    name: Annotated[str, checked(names.flag_name)]
    type: Annotated[str, checked(_known_type)]
    default_enabled: bool
    group: Annotated[str, text(100)] = ""
    milestone: Annotated[str, checked(_release)] = ""
    description: Annotated[str, text(5000)] = ""
    introduced_by_url: Address = ""
    rollout_issue_url: Address = ""
    feature_issue_url: Address = ""
    log_state_changes: bool = False
    intended_to_rollout_by: Annotated[str, text(50)] = ""


def parse_definition(text: str | bytes, *, source: str = "flag.yml") -> FlagDefinition:
    """Read a definition file; ``source`` is its path, whose last part names the flag. Raises ``DocumentRefused``."""
    document = read(text, source=source)
    written, faults = fit(document, DefinitionWritten)
    if written is not None:
        faults = _name_faults(document, written.name, source)
    if faults or written is None:
        raise DocumentRefused(faults)
    return FlagDefinition(**written.model_dump())


def _name_faults(document: Document, name: str, source: str) -> list[Fault]:
    """GitLab loads no flag whose file is named otherwise; all 850 files of GitLab 19.3 are named after their flag."""
    path = PurePosixPath(source.replace("\\", "/"))
    if path.suffix not in (".yml", ".yaml") or path.stem in (name, "flag"):
        return []
    message = say("the flag is named {name}, but its file {path}. Rename one of them.", name=name, path=path.name)
    return [document.fault(("name",), message)]
