"""The names of models and fields, which Django makes of their attributes, in the reader's language.

Done once for all of them: a field that is added later has a name to translate by itself, and migrations see nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models
from django.utils import translation
from django.utils.translation import gettext_lazy

#: By attribute (``flag_id``), as the history writes them.
FIELDS: dict[str, Any] = {}


def names_of(model: type[models.Model]) -> Iterator[str]:
    """The model's and its fields' names in English: what there is to translate."""
    with translation.override(None):
        yield str(model._meta.verbose_name)
        yield str(model._meta.verbose_name_plural)
        for field in model._meta.fields + model._meta.many_to_many:
            yield str(field.verbose_name)


def make_translatable(kinds: Iterable[type[models.Model]]) -> None:
    for model in kinds:
        one, many, *fields = list(names_of(model))
        model._meta.verbose_name = gettext_lazy(one)
        model._meta.verbose_name_plural = gettext_lazy(many)
        for field, name in zip(model._meta.fields + model._meta.many_to_many, fields, strict=True):
            FIELDS[field.attname] = FIELDS[field.name] = field.verbose_name = gettext_lazy(name)
