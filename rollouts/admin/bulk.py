"""Doing the same to many rows: first what would happen to each, refusals in words; then each by its own service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..audit.actor import Actor
from ..rules.machine import Role
from ..rules.phrases import spoken
from ..services.refusals import Refused

#: More rows than anybody reads on the page that asks.
MOST = 200
Does = Callable[[Any, Actor, dict[str, Any]], str]


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=1000,
        help_text=gettext_lazy("It stands in the history of each."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    tried_with = {"reason": "-"}


@dataclass(frozen=True, slots=True)
class BulkRow:
    """What would happen to one object: ``words``, or why it would be refused. ``stood`` is ``Bulk.stands`` of it."""

    thing: Any
    words: str
    is_refused: bool
    stood: str = ""


class _OnlyLooking(Exception):
    """Ends a dry run: all is taken back."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One entry of a list's menu. ``does`` acts on one row and says what it did, or raises ``Refused`` with words.

    ``asks`` is the form of what must be said for all rows. What can't be tried says by ``would`` what it would
    do to a row, or raises ``Refused``. ``stands`` is how a row stands when the page that asks shows it: the answer
    brings that back, ``does`` finds it as ``said["stood"]``, and does nothing to what has changed or ended meanwhile.
    """

    name: str
    label: Any
    does: Does
    role: Role | None = Role.ADMIN
    intro: Any = ""
    asks: type[forms.Form] | None = None
    would: Does | None = None
    is_danger: bool = False
    stands: Callable[[Any], str] | None = None

    def is_for(self, by: Actor) -> bool:
        return self.role is None or by.person.has(self.role)

    def take(self, page: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponse | None:
        """Django's signature of an action: asks first, acts when the answer comes."""
        by = Actor.of(request.user)
        rows = list(chosen.order_by("pk")[: MOST + 1])
        if len(rows) > MOST:
            words = _("At most %(number)s rows at a time: choose fewer.") % {"number": MOST}
            page.message_user(request, words, messages.ERROR)
            return None
        is_answer = "confirmed" in request.POST
        form = self.asks(request.POST if is_answer else None, initial=self._initial()) if self.asks else None
        if is_answer and (form is None or form.is_valid()):
            inputs = form.cleaned_data if form else {}
            self._do_all(page, request, [(row, {**inputs, **self._stood(row, request)}) for row in rows], by)
            return None
        return self._ask(page, request, rows, by, form)

    def _stood(self, row: Any, request: HttpRequest) -> dict[str, str]:
        return {"stood": request.POST.get(f"stood-{row.pk}", "")} if self.stands else {}

    def _initial(self) -> dict[str, Any]:
        return {name: value() for name, value in getattr(self.asks, "begin_with", {}).items()}

    def _ask(self, page: Any, request: HttpRequest, rows: list[Any], by: Actor, form: Any) -> HttpResponse:
        tried = [self._try_row(row, by) for row in rows]
        refused = sum(row.is_refused for row in tried)
        context = {
            **page.admin_site.each_context(request),
            "title": self.label,
            "opts": page.opts,
            "bulk": self,
            "rows": tried,
            "refused": refused,
            "left": len(tried) - refused,
            "form": form,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/bulk.html", context)

    def _try_row(self, row: Any, by: Actor) -> BulkRow:
        """By the service itself, taken back at once: the page promises nothing that the service would refuse."""
        inputs = getattr(self.asks, "tried_with", {})
        stood = self.stands(row) if self.stands else ""
        inputs = {**inputs, "stood": stood} if self.stands else inputs
        try:
            if self.would is not None:
                return BulkRow(row, self.would(row, by, inputs), False, stood)
            with transaction.atomic():
                words = self.does(row, by, inputs)
                raise _OnlyLooking(words)
        except _OnlyLooking as looked:
            return BulkRow(row, str(looked), False, stood)
        except Refused as refused:
            return BulkRow(row, str(refused), True, stood)

    def _do_all(self, page: Any, request: HttpRequest, rows: list[tuple[Any, dict[str, Any]]], by: Actor) -> None:
        done, refused = [], []
        for row, inputs in rows:
            name = spoken(str(row))
            try:
                done.append(f"{name}: {spoken(self.does(row, by, inputs))}")
            except Refused as no:
                refused.append(f"{name}: {spoken(str(no))}")
        if done:
            words = ngettext("%(number)s done.", "%(number)s done.", len(done)) % {"number": len(done)}
            page.message_user(request, f"{words} {' '.join(done[:10])}", messages.SUCCESS)
        for words in refused:
            page.message_user(request, _("Not done. %(words)s") % {"words": words}, messages.ERROR)
