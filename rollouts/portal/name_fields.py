"""A field of several names with blanks between, picked from those that are known, without a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import BaseRenderer
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

#: Names to offer, each with the words that tell who it is.
Offers = Callable[[], Mapping[str, str]]


class NamesInput(forms.TextInput):
    """A browser completes all of a field, so each completion begins with what stands in it already."""

    def __init__(self, offers: Offers, attrs: Mapping[str, Any] | None = None) -> None:
        super().__init__({"autocomplete": "off", **(attrs or {})})
        self.offers = offers

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: BaseRenderer | None = None
    ) -> SafeString:
        field = super().render(name, value, {**(attrs or {}), "list": list_id(name)}, renderer)
        return field + completions(name, value, self.offers)  # both are safe


def list_id(name: str) -> str:
    return f"names-{name}"


def completions(name: str, value: Any, offers: Offers, *, anew: bool = False) -> SafeString:
    """The list of a field that holds ``value``; ``anew``: it takes the place of the one that htmx finds on the page."""
    written = value if isinstance(value, list) else str(value or "").split()
    options = list(_completed(written, offers()))
    return render_to_string("components/names.html", {"id": list_id(name), "names": options, "anew": anew})


def _completed(written: Iterable[str], known: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    kept = [name for name in written if name in known]
    return ((" ".join([*kept, name]), words) for name, words in known.items() if name not in kept)
