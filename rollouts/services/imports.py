"""Bring in what others keep in files: GitLab's flag definitions, the AI Gateway's model catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.text import slugify

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import AIModel, FeatureFlag
from ..models.change_log import AuditedModel
from ..rules.blockers import Blocker
from ..rules.catalogue import CatalogueModel, FeatureSetting
from ..rules.definitions import FlagDefinition
from ..rules.machine import Role
from ..rules.model_sheet import COLUMNS, SheetModel
from ..rules.phrases import say
from .instances import default_instance
from .refusals import refuse_if, role_missing

DEFINED = (
    "type",
    "group",
    "milestone",
    "default_enabled",
    "description",
    "introduced_by_url",
    "rollout_issue_url",
    "feature_issue_url",
)


@dataclass(frozen=True, slots=True)
class Taken:
    """One thing that was new or changed: each field that differs, before and after."""

    name: str
    is_new: bool
    fields: tuple[tuple[str, object, object], ...]


@dataclass(slots=True)
class Imported:
    """How many were new, changed, and the same as before."""

    new: int = 0
    changed: int = 0
    same: int = 0
    names: list[str] = field(default_factory=list)
    changes: list[Taken] = field(default_factory=list)

    def add(self, other: Imported) -> None:
        """Count what another import took as well."""
        self.new, self.changed, self.same = self.new + other.new, self.changed + other.changed, self.same + other.same
        self.names += other.names
        self.changes += other.changes

    def count(self, is_new: bool, is_changed: bool, name: str) -> None:
        if is_new:
            self.new += 1
        elif is_changed:
            self.changed += 1
        else:
            self.same += 1
            return
        self.names.append(name)


def import_flags(definitions: Iterable[FlagDefinition], *, by: Actor) -> Imported:
    """Take definitions over into the flags of the default instance; readings are left alone. Raises ``Refused``."""
    refuse_if(role_missing(by, Role.ADMIN, say("Importing")))
    instance = default_instance()
    known = {flag.name: flag for flag in FeatureFlag.objects.filter(instance=instance, project=None)}
    imported = Imported()
    for definition in definitions:
        flag = known.get(definition.name) or FeatureFlag(instance=instance, name=definition.name)
        values: dict[str, object] = {name: getattr(definition, name) for name in DEFINED}
        _count(imported, flag, values, "flag.import", by, definition.name)
    return imported


def import_models(models: Iterable[CatalogueModel], features: Iterable[FeatureSetting], *, by: Actor) -> Imported:
    """Take a catalogue over into AI models: provider, id, host, deprecation, and what uses them. Raises ``Refused``.

    Without features, what uses a model is left as it was; quota and capability are the portal's own and stay.
    """
    refuse_if(role_missing(by, Role.ADMIN, say("Importing")))
    known = {model.catalogue_identifier: model for model in AIModel.objects.exclude(catalogue_identifier="")}
    default_for, selectable_for = defaultdict(list), defaultdict(list)
    features = list(features)
    for feature in features:
        for identifier in feature.default_models:
            default_for[identifier].append(feature.name)
        for identifier in feature.selectable_models:
            selectable_for[identifier].append(feature.name)
    imported = Imported()
    for entry in models:
        model = known.get(entry.identifier) or AIModel(
            catalogue_identifier=entry.identifier, slug=slugify(entry.identifier.replace("_", "-"))[:120]
        )
        values: dict[str, object] = {
            "name": entry.name,
            "provider": entry.provider,
            "provider_model_id": entry.provider_model_id,
            "host": entry.host,
            "description": entry.description,
            "deprecated_on": entry.deprecation_date,
            "removal_version": entry.removal_version,
        }
        if features:
            values["default_for"] = sorted(default_for[entry.identifier])
            values["selectable_for"] = sorted(selectable_for[entry.identifier])
        _count(imported, model, values, "model.import", by, entry.identifier)
    return imported


def import_sheet(models: Iterable[SheetModel], *, by: Actor) -> Imported:
    """Take a sheet over into AI models, by slug: what it says of each, and nothing else. Raises ``Refused``."""
    refuse_if(role_missing(by, Role.ADMIN, say("Importing")))
    rows = list(models)
    known = {model.slug: model for model in AIModel.objects.filter(slug__in=[row.slug for row in rows])}
    named = dict(AIModel.objects.exclude(catalogue_identifier="").values_list("catalogue_identifier", "slug"))
    blockers = []
    for row in rows:
        identifier = row.values.get("catalogue_identifier")
        if identifier and named.setdefault(identifier, row.slug) != row.slug:
            message = say(
                "Line {line}: {model} has the catalogue's identifier {identifier} already. Take it out of one of them.",
                line=str(row.line),
                model=named[identifier],
                identifier=identifier,
            )
            blockers.append(Blocker("identifier_taken", message))
        if row.slug not in known and not row.values.get("name"):
            blockers.append(
                Blocker(
                    "name_missing",
                    say("Line {line}: {model} is new and needs a name. Add it.", line=str(row.line), model=row.slug),
                )
            )
    refuse_if(blockers)
    imported = Imported()
    for row in rows:
        model = known.get(row.slug) or AIModel(slug=row.slug)
        _count(imported, model, row.values, "model.import", by, row.slug)
    return imported


def export_models() -> list[dict[str, object]]:
    """Every AI model as ``rules.model_sheet`` writes it."""
    return [dict(row) for row in AIModel.objects.order_by("slug").values(*COLUMNS)]


class _OnlyLooking(Exception):
    """Ends a dry run: everything is taken back."""


def looked_at(take: Callable[[], Imported]) -> Imported:
    """What an import would do: it is done, told, and taken back. Raises ``Refused``."""
    imported = Imported()
    try:
        with transaction.atomic():
            imported = take()
            raise _OnlyLooking
    except _OnlyLooking:
        return imported


def _count(
    imported: Imported, thing: AuditedModel, values: Mapping[str, object], verb: str, by: Actor, name: str
) -> None:
    is_new, differs = _take_over(thing, values, verb, by)
    imported.count(is_new, is_new or bool(differs), name)
    if is_new or differs:
        imported.changes.append(Taken(name, is_new, differs))


def _take_over(
    thing: AuditedModel, values: Mapping[str, object], verb: str, by: Actor
) -> tuple[bool, tuple[tuple[str, object, object], ...]]:
    """Store what differs, with one event. Says whether the thing is new, and each field with before and after."""
    is_new = thing.pk is None
    if not is_new and all(getattr(thing, name) == value for name, value in values.items()):
        return False, ()
    with recorded(verb, by=by) as recording:
        if isinstance(thing, AIModel) and is_new and (twin := AIModel.objects.filter(slug=thing.slug).first()):
            twin.catalogue_identifier = thing.catalogue_identifier
            thing, is_new = twin, False
        before = {name: None if is_new else getattr(thing, name) for name in values}
        for name, value in values.items():
            setattr(thing, name, value)
        thing.save()
        recording.about = thing
    return is_new, tuple((name, before[name], value) for name, value in values.items() if before[name] != value)
