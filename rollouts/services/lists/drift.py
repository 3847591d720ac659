"""Drift cases of all rollouts: for their page, the file, the API and ``manage.py drift list``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ...models import DriftCase, Rollout
from ...models.drift import DriftCaseQuerySet
from ...models.keyset import Keyset
from ...rules.drift_cases import CaseState, DriftClass
from ...rules.phrases import later
from .asked import Asked, Known, OneOf, Text, in_any

OPEN_ONES_FIRST = Keyset("drift", {"-state": str, "-found_at": datetime, "-pk": int})


class DriftFilter(Asked):
    q = Text(method="search", help_text="In the rollout's title or the flag's name.")
    state = OneOf([*CaseState], method="in_state", help_text="Open, or ended.")
    kind = OneOf([*DriftClass], method="of_kind", help_text="The class: in which way GitLab stands elsewhere.")
    owner = Text(method="owned_by", help_text="User name of whose it is.")
    rollout = Known(
        lambda slug: Rollout.objects.filter(slug=slug).first(),
        later("There is no rollout {written}."),
        method="of_rollout",
        help_text="Short name of the rollout.",
    )

    def __init__(self, query: Any, **kwargs: Any) -> None:
        super().__init__(query, DriftCase.objects.with_rollout(), **kwargs)

    def search(self, rows: DriftCaseQuerySet, name: str, text: str) -> DriftCaseQuerySet:
        return rows.filter(in_any(("rollout__title", "rollout__flag__name"), text))

    def in_state(self, rows: DriftCaseQuerySet, name: str, state: str) -> DriftCaseQuerySet:
        return rows.filter(state=state)

    def of_kind(self, rows: DriftCaseQuerySet, name: str, kind: str) -> DriftCaseQuerySet:
        return rows.filter(kind=kind)

    def owned_by(self, rows: DriftCaseQuerySet, name: str, owner: str) -> DriftCaseQuerySet:
        return rows.filter(owner=owner)

    def of_rollout(self, rows: DriftCaseQuerySet, name: str, rollout: Rollout) -> DriftCaseQuerySet:
        return rows.filter(rollout=rollout)
