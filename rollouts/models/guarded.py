"""The wall around a state: it changes only by a transition method, whatever door is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .change_log import AuditedModel, AuditedQuerySet


class StateIsProtected(RuntimeError):
    """Somebody tried to write a state instead of taking a transition."""


def refuse_forged_waiver(thing: Any) -> None:
    """A phase or item that is saved with another waiver than before: only one of its own, that was granted."""
    if thing.waiver_id is None or thing.waiver_id == thing._stored.get("waiver_id"):
        return
    if not isinstance(thing.waiver_id, int) or not thing.waiver.lets_go(thing):
        raise StateIsProtected(f"{thing} goes on without something only by a waiver of its own that was granted.")


class GuardedQuerySet(AuditedQuerySet):
    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        objs = list(objs)
        for obj in objs:
            obj.refuse_shortcuts()
        return super().bulk_create(objs, *args, **kwargs)


class GuardedModel(AuditedModel):
    """A model with a protected ``state``; every transition counts ``version`` up.

    django-fsm protects the attribute; this class protects ``save``, ``bulk_create``, ``bulk_update`` and
    ``update`` too, which the field alone can't (an instance built with a primary key passes it by).
    """

    first_state: ClassVar[str]
    version = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text=_("Counts transitions, so that two people pressing at once are told apart."),
    )

    objects = GuardedQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._came_from: str | None = None

    def passed(self) -> None:
        """Called by each transition method: the state may be saved once."""
        self._came_from = self.loaded.get("state")
        self.version += 1

    def refuse_shortcuts(self, fields: Iterable[str] | None = None) -> None:
        state = self.__dict__.get("state")
        legal = self.first_state if self._state.adding else self.loaded.get("state", state)
        if state != legal and self._came_from is None:
            raise StateIsProtected(f"{self._meta.label} goes from {legal} to {state} only by a transition.")

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self._came_from = None

    def refresh_from_db(self, using: Any = None, fields: Any = None, from_queryset: Any = None) -> None:
        # django-fsm refuses to overwrite a protected attribute that is there, so take it away first;
        # its own FSMModelMixin switches the protection off for the whole process instead.
        if fields is None or "state" in fields:
            self.__dict__.pop("state", None)
            self._came_from = None
        super().refresh_from_db(using, fields, from_queryset)
