"""Bring in what others keep in files: GitLab's flag definitions, the AI Gateway's model catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.text import slugify

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import AIModel, FeatureFlag
from ..models.ledger import AuditedModel
from ..rules.blockers import Blocker
from ..rules.catalogue import CatalogueModel, FeatureSetting
from ..rules.definitions import FlagDefinition
from ..rules.machine import Role
from .instances import default_instance
from .refusals import refuse_if

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


@dataclass(slots=True)
class Imported:
    """How many were new, changed, and the same as before."""

    new: int = 0
    changed: int = 0
    same: int = 0
    names: list[str] = field(default_factory=list)

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
    refuse_if(_role_blockers(by))
    instance = default_instance()
    known = {flag.name: flag for flag in FeatureFlag.objects.filter(instance=instance, project=None)}
    imported = Imported()
    for definition in definitions:
        flag = known.get(definition.name) or FeatureFlag(instance=instance, name=definition.name)
        values: dict[str, object] = {name: getattr(definition, name) for name in DEFINED}
        imported.count(*_take_over(flag, values, "flag.import", by), definition.name)
    return imported


def import_models(models: Iterable[CatalogueModel], features: Iterable[FeatureSetting], *, by: Actor) -> Imported:
    """Take a catalogue over into AI models: provider, id, host, deprecation, and what uses them. Raises ``Refused``.

    Without features, what uses a model is left as it was; quota and capability are the portal's own and stay.
    """
    refuse_if(_role_blockers(by))
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
        imported.count(*_take_over(model, values, "model.import", by), entry.identifier)
    return imported


def _take_over(thing: AuditedModel, values: dict[str, object], verb: str, by: Actor) -> tuple[bool, bool]:
    """Store what differs, with one event. Says whether the thing is new, and whether anything changed."""
    is_new = thing.pk is None
    if not is_new and all(getattr(thing, name) == value for name, value in values.items()):
        return False, False
    with deed(verb, by=by) as doing:
        if isinstance(thing, AIModel) and is_new and (twin := AIModel.objects.filter(slug=thing.slug).first()):
            twin.catalogue_identifier = thing.catalogue_identifier
            thing, is_new = twin, False
        for name, value in values.items():
            setattr(thing, name, value)
        thing.save()
        doing.about = thing
    return is_new, True


def _role_blockers(by: Actor) -> list[Blocker]:
    if by.person.has(Role.ADMIN):
        return []
    return [Blocker("role", f"Importing takes the role admin; {by.name} has not got it.")]
