"""The AI Gateway's model catalogue: which AI models there are, and which features use them.

Source: AI Gateway, ai_gateway/model_selection/models.yml and unit_primitives.yml. The gateway adds keys as it needs
them: keys that are not known here are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .datetimes import asked_day
from .document import Document, DocumentRefused, Fault, read
from .phrases import say
from .schema import Foreign, fit, text, words

LIMIT = 1_048_576
MOST_NODES = 50_000

#: Platforms that run the models of others, by the name that the catalogue gives their provider.
PLATFORMS = {"Gemini Enterprise Agent Platform": "Vertex AI", "Bedrock": "Bedrock", "Fireworks": "Fireworks"}


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """An AI model of the catalogue. ``host`` is empty where the provider runs it itself."""

    identifier: str
    name: str
    provider: str = ""
    host: str = ""
    provider_model_id: str = ""
    description: str = ""
    family: tuple[str, ...] = ()
    deprecation_date: date | None = None
    removal_version: str = ""
    max_context_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class DeprecatedModel:
    """A model that one feature stops offering, and when."""

    identifier: str
    deprecation_date: date | None = None
    removal_version: str = ""


@dataclass(frozen=True, slots=True)
class FeatureSetting:
    """A feature, the models that it uses by default and those that may be chosen instead (``identifier`` each)."""

    name: str
    default_models: tuple[str, ...] = ()
    selectable_models: tuple[str, ...] = ()
    deprecated_models: tuple[DeprecatedModel, ...] = ()
    unit_primitives: tuple[str, ...] = ()


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        raise words(say("write a date in quotes, as in '2026-03-01'."))
    try:
        return asked_day(value)
    except ValueError:
        raise words(
            say("«{value}» is not a date. Write year, month and day, as in '2026-03-01'.", value=value[:20])
        ) from None


Day = Annotated[date, BeforeValidator(_day)]
Name = Annotated[str, text(200)]


class DeprecationWritten(Foreign):
    deprecation_date: Day | None = None
    removal_version: Annotated[str, text(20)] = ""


class ParamsWritten(Foreign):
    model: Name = ""


class ModelWritten(Foreign):
    gitlab_identifier: Name
    name: Name
    provider: Annotated[str, text(100)] = ""
    description: Annotated[str, text(5000)] = ""
    family: list[Name] = []
    max_context_tokens: Annotated[int, Field(ge=1)] | None = None
    params: ParamsWritten = ParamsWritten()
    deprecation: DeprecationWritten = DeprecationWritten()


class ModelsWritten(Foreign):
    models: list[ModelWritten]


class DeprecatedModelWritten(DeprecationWritten):
    identifier: Name


class FeatureWritten(Foreign):
    feature_setting: Name
    default_models: list[Name] = []
    selectable_models: list[Name] = []
    deprecated_models: list[DeprecatedModelWritten] = []
    unit_primitives: list[Name] = []


class FeaturesWritten(Foreign):
    configurable_unit_primitives: list[FeatureWritten]


def parse_models(text: str | bytes, *, source: str = "models.yml") -> tuple[CatalogueModel, ...]:
    """Read the models of a catalogue, in its order. Raises ``DocumentRefused`` with every fault."""
    return tuple(map(_model, _rows(text, source, ModelsWritten, "models", "gitlab_identifier")))


def parse_unit_primitives(text: str | bytes, *, source: str = "unit_primitives.yml") -> tuple[FeatureSetting, ...]:
    """Read which features use which models, in the file's order. Raises ``DocumentRefused`` with every fault."""
    top = "configurable_unit_primitives"
    return tuple(map(_feature, _rows(text, source, FeaturesWritten, top, "feature_setting")))


def _rows(text: str | bytes, source: str, shape: type[Foreign], top: str, key: str) -> list[Any]:
    """What stands below ``top``, each with a ``key`` of its own."""
    document = read(text, source=source, limit=LIMIT, nodes=MOST_NODES)
    written, faults = fit(document, shape)
    rows: list[Any] = getattr(written, top, [])
    if faults := faults or _twin_faults(document, top, key, [getattr(row, key) for row in rows]):
        raise DocumentRefused(faults)
    return rows


def _model(written: ModelWritten) -> CatalogueModel:
    return CatalogueModel(
        identifier=written.gitlab_identifier,
        name=written.name,
        provider=written.provider,
        host=PLATFORMS.get(written.provider, ""),
        provider_model_id=written.params.model,
        description=written.description,
        family=tuple(written.family),
        deprecation_date=written.deprecation.deprecation_date,
        removal_version=written.deprecation.removal_version,
        max_context_tokens=written.max_context_tokens,
    )


def _feature(written: FeatureWritten) -> FeatureSetting:
    return FeatureSetting(
        name=written.feature_setting,
        default_models=tuple(written.default_models),
        selectable_models=tuple(written.selectable_models),
        deprecated_models=tuple(
            DeprecatedModel(model.identifier, model.deprecation_date, model.removal_version)
            for model in written.deprecated_models
        ),
        unit_primitives=tuple(written.unit_primitives),
    )


def _twin_faults(document: Document, top: str, key: str, named: Iterable[str]) -> list[Fault]:
    faults: list[Fault] = []
    first: dict[str, int] = {}
    for position, name in enumerate(named):
        path = (top, position, key)
        if name in first:
            faults.append(
                document.fault(
                    path, say("«{name}» is there already, on line {line}. Keep one.", name=name, line=str(first[name]))
                )
            )
        first.setdefault(name, document.place(path))
    return faults
