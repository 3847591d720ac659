"""What comes out of the door: GitLab's answers as frozen records, checked field by field.

Each ``from_gitlab`` takes one JSON object of the named endpoint and raises BadAnswer naming the field that is wrong.
Keys that we do not know are ignored; fields that a plainer server leaves out have defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from rollouts.gitlab import fields
from rollouts.gitlab.errors import BadAnswer
from rollouts.gitlab.issue_record import IssueRecord
from rollouts.gitlab.note_record import NoteRecord
from rollouts.gitlab.phrases import worded

__all__ = [
    "DefinitionRecord",
    "FeatureRecord",
    "GateRecord",
    "IssueRecord",
    "NoteRecord",
    "ProjectFlagRecord",
    "StrategyRecord",
    "TokenRecord",
]

LONG = 1_000_000  # comma lists of user names
GateValue = bool | int | float | str | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class GateRecord:
    """One gate of an instance flag: ``boolean`` (bool), ``percentage_of_actors`` and ``percentage_of_time`` (0 to 100),
    ``actors`` and ``groups`` (tuples of strings).

    The value of a gate that we do not know (``expression``) is None when empty, a scalar as it is, else JSON text.
    """

    key: str
    value: GateValue

    @classmethod
    def from_gitlab(cls, raw: Any) -> GateRecord:
        """Read one entry of ``gates``. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "gate")
        key = fields.identity(raw, "key")
        value: GateValue
        match key:
            case "boolean":
                if "value" not in raw:
                    raise BadAnswer("value", worded("is missing"))
                value = fields.boolean(raw, "value")
            case "percentage_of_actors" | "percentage_of_time":
                value = fields.percentage(raw, "value")
            case "actors" | "groups":
                value = fields.names(raw, "value")
            case _:
                value = _unknown(raw.get("value"))
        return cls(key, value)


@dataclass(frozen=True, slots=True)
class DefinitionRecord:
    """A flag's YAML definition as GitLab shows it: ``GET /features/definitions``, or ``definition`` of a feature.

    Strings are empty where not given; ``default_enabled`` is None where GitLab did not say.
    """

    name: str
    type: str = ""
    group: str = ""
    milestone: str = ""
    default_enabled: bool | None = None
    rollout_issue_url: str = ""
    introduced_by_url: str = ""
    feature_issue_url: str = ""
    log_state_changes: bool | None = None
    intended_to_rollout_by: str = ""

    @classmethod
    def from_gitlab(cls, raw: Any) -> DefinitionRecord:
        """Read one definition. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "definition")
        return cls(
            name=fields.identity(raw, "name"),
            type=fields.text(raw, "type", limit=fields.NAME),
            group=fields.text(raw, "group", limit=fields.NAME),
            milestone=_milestone(raw),
            default_enabled=fields.boolean(raw, "default_enabled", None),
            rollout_issue_url=fields.link(raw, "rollout_issue_url"),
            introduced_by_url=fields.link(raw, "introduced_by_url"),
            feature_issue_url=fields.link(raw, "feature_issue_url"),
            log_state_changes=fields.boolean(raw, "log_state_changes", None),
            intended_to_rollout_by=fields.text(raw, "intended_to_rollout_by", limit=fields.NAME),
        )


@dataclass(frozen=True, slots=True)
class FeatureRecord:
    """One item of ``GET /features`` (GitLab doc/api/features.md): an instance flag that was ever set.

    Required: name, gates. ``state`` is GitLab's own word (on, off, conditional), empty where not sent.
    """

    name: str
    state: str
    gates: tuple[GateRecord, ...]
    definition: DefinitionRecord | None = None

    @classmethod
    def from_gitlab(cls, raw: Any) -> FeatureRecord:
        """Read one feature. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "feature")
        name = fields.identity(raw, "name")
        if raw.get("gates") is None:
            raise BadAnswer("gates", worded("is missing"))
        gates = []
        for place, gate in fields.objects(raw, "gates"):
            gates.append(fields.within(place, GateRecord.from_gitlab, gate))
        definition = raw.get("definition")
        return cls(
            name=name,
            state=fields.text(raw, "state", limit=fields.NAME),
            gates=tuple(gates),
            definition=None
            if not definition
            else fields.within("definition", DefinitionRecord.from_gitlab, definition),
        )


@dataclass(frozen=True, slots=True)
class StrategyRecord:
    """One strategy of a project flag. ``parameters`` are strings, percentages too; ``scopes`` are environment scopes;
    ``user_xids`` are the members of the strategy's user list."""

    id: int | None
    name: str
    parameters: Mapping[str, str]
    scopes: tuple[str, ...]
    user_xids: tuple[str, ...] = ()

    @classmethod
    def from_gitlab(cls, raw: Any) -> StrategyRecord:
        """Read one entry of ``strategies``. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "strategy")
        return cls(
            id=fields.number(raw, "id"),
            name=fields.identity(raw, "name"),
            parameters=_parameters(raw),
            scopes=tuple(
                fields.within(place, fields.required_text, scope, "environment_scope")
                for place, scope in fields.objects(raw, "scopes")
            ),
            user_xids=_user_xids(raw),
        )


@dataclass(frozen=True, slots=True)
class ProjectFlagRecord:
    """One item of ``GET /projects/:id/feature_flags`` (GitLab doc/api/feature_flags.md). Required: name, active."""

    name: str
    description: str
    active: bool
    version: str
    created_at: datetime | None
    updated_at: datetime | None
    strategies: tuple[StrategyRecord, ...]

    @classmethod
    def from_gitlab(cls, raw: Any) -> ProjectFlagRecord:
        """Read one project flag. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "feature flag")
        name = fields.identity(raw, "name")
        if raw.get("active") is None:
            raise BadAnswer("active", worded("is missing"))
        return cls(
            name=name,
            description=fields.text(raw, "description"),
            active=fields.boolean(raw, "active"),
            version=fields.text(raw, "version", limit=fields.NAME),
            created_at=fields.moment(raw, "created_at"),
            updated_at=fields.moment(raw, "updated_at"),
            strategies=tuple(
                fields.within(place, StrategyRecord.from_gitlab, strategy)
                for place, strategy in fields.objects(raw, "strategies")
            ),
        )


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """Our own token (``GET /personal_access_tokens/self``). ``expires_at`` is the first day on which it is void."""

    name: str
    scopes: tuple[str, ...] = ()
    expires_at: date | None = None

    @classmethod
    def from_gitlab(cls, raw: Any) -> TokenRecord:
        """Read one token. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "token")
        return cls(
            name=fields.text(raw, "name", limit=fields.NAME),
            scopes=fields.names(raw, "scopes"),
            expires_at=fields.day(raw, "expires_at"),
        )


@dataclass(frozen=True, slots=True)
class ProjectRecord:
    """One project (``GET /projects/:id``): the id that it keeps, and the path that it has now."""

    id: int
    path: str

    @classmethod
    def from_gitlab(cls, raw: Any) -> ProjectRecord:
        """Read one project. Raises BadAnswer naming the field."""
        raw = fields.as_object(raw, "project")
        return cls(
            id=fields.required_number(raw, "id"),
            path=fields.text(raw, "path_with_namespace", limit=fields.NAME),
        )


def _milestone(raw: Mapping[str, Any]) -> str:
    """``17.10`` is a string in GitLab; in YAML without quotes it is a number, and some servers pass that on."""
    value = raw.get("milestone")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < fields.NAME:
        return str(value)
    return fields.text(raw, "milestone", limit=fields.NAME)


def _parameters(raw: Mapping[str, Any]) -> dict[str, str]:
    value = raw.get("parameters")
    if value is None:
        return {}
    parameters: dict[str, str] = {}
    for key, parameter in fields.as_object(value, "parameters").items():
        match parameter:
            case str():
                # userIds holds many names of up to 256 characters: it may be long, but not endless
                parameters[fields.clean(str(key), fields.NAME)] = fields.clean(parameter, LONG)
            case bool() | None:
                raise BadAnswer(f"parameters.{fields.clean(str(key), 50)}", worded("should be a string"))
            case int() | float() if -fields.LARGEST <= parameter <= fields.LARGEST:
                parameters[fields.clean(str(key), fields.NAME)] = str(parameter)[: fields.NAME]
            case _:
                raise BadAnswer(f"parameters.{fields.clean(str(key), 50)}", worded("should be a string"))
    return parameters


def _user_xids(raw: Mapping[str, Any]) -> tuple[str, ...]:
    user_list = raw.get("user_list")
    if user_list is None:
        return ()
    user_list = fields.as_object(user_list, "user_list")
    try:
        listed = fields.text(user_list, "user_xids", limit=LONG)
    except BadAnswer as problem:
        raise problem.within("user_list") from None
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def _unknown(value: Any) -> GateValue:
    """A gate of a future GitLab: kept, so that an exposure can say that there is one, without trusting its size."""
    match value:
        case None | "":
            return None
        case list() | dict() if not value:
            return None
        case bool():
            return value
        case int() | float():
            return value if -fields.LARGEST <= value <= fields.LARGEST else "a number out of range"
        case str():
            return fields.clean(value)
        case _:
            try:
                return fields.clean(json.dumps(value, sort_keys=True))
            except (RecursionError, TypeError, ValueError):
                return "too deep to be read"
