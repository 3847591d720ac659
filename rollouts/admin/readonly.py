"""Django breaks the lines of a read-only field by a filter that makes plain English of a phrase: it is said before."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import helpers
from django.template.defaultfilters import linebreaksbr

from ..rules.phrases import spoken


def in_lines(text: Any) -> Any:
    return linebreaksbr(spoken(text) if isinstance(text, str) else text)


helpers.linebreaksbr = in_lines  # type: ignore[attr-defined]
