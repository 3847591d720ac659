"""The end of an AI model: from which day its provider no longer promises it."""

from __future__ import annotations

from datetime import date

from ..audit.actor import Actor
from ..audit.deeds import deed
from ..models import AIModel
from ..rules.blockers import Blocker
from ..rules.machine import Role
from .refusals import refuse_if


def retire(model: AIModel, day: date | None, *, by: Actor) -> AIModel:
    """Set the day, or with None take it back. Raises ``Refused``; then nothing changed."""
    with deed("model.retire", by=by) as doing:
        model = AIModel.objects.select_for_update().get(pk=model.pk)
        doing.about = model
        found = []
        if not by.person.has(Role.ADMIN):
            found.append(Blocker("role", f"Retiring an AI model takes the role admin; {by.name} has not got it."))
        if model.deprecated_on == day:
            said = f"retires on {day:%-d %B %Y} already" if day else "has no day of retirement"
            found.append(Blocker("same", f"{model} {said}."))
        refuse_if(found)
        model.deprecated_on = day
        model.save()
    return model
