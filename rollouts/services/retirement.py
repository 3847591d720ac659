"""The end of an AI model: from which day its provider no longer promises it."""

from __future__ import annotations

from datetime import date

from ..audit.actor import Actor
from ..audit.recording import recorded
from ..models import AIModel
from ..rules.blockers import Blocker
from ..rules.datetimes import day_in_words
from ..rules.machine import Role
from ..rules.phrases import say
from .refusals import refuse_if, role_missing


def retire(model: AIModel, day: date | None, *, by: Actor) -> AIModel:
    """Set the day, or with None take it back. Raises ``Refused``; then nothing changed."""
    with recorded("model.retire", by=by) as recording:
        model = AIModel.objects.locked().get(pk=model.pk)
        recording.about = model
        blockers = role_missing(by, Role.ADMIN, say("Retiring an AI model"))
        if model.deprecated_on == day:
            message = say("{model} has no day of retirement.", model=model)
            if day:
                message = say("{model} retires on {day} already.", model=model, day=day_in_words(day))
            blockers.append(Blocker("same", message))
        refuse_if(blockers)
        model.deprecated_on = day
        model.save()
    return model
