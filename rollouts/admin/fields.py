"""Form fields for what JSON would be a riddle for: lists as lines, durations as in plans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from ..portal.name_fields import NamesInput
from ..rules import durations, names
from ..rules.datetimes import EARLIEST, LATEST, day_in_bounds
from ..rules.phrases import invalid, say, sentence
from ..services import known_people


def bounded(value: date) -> None:
    """For fields of days and times: no calendar ends under what is kept. Raises ``ValidationError``."""
    if not day_in_bounds(value.date() if isinstance(value, datetime) else value):
        bounds = {"least": str(EARLIEST.year), "most": str(LATEST.year - 1)}
        raise ValidationError(sentence(say("write a day of the years {least} to {most}.", **bounds)))


class LinesField(forms.CharField):
    """A list of texts, one a line; ``check`` judges each and raises ``ValueError`` with words."""

    def __init__(self, *, check: Callable[[str], str] | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "code"}))
        for name in ("encoder", "decoder"):  # what a JSONField passes on
            kwargs.pop(name, None)
        super().__init__(**kwargs)
        self.check = check

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != self.to_python(data)

    def run_validators(self, value: Any) -> None:
        """Each line by itself."""
        wrong = []
        for number, line in enumerate(value, start=1):
            try:
                if self.check:
                    self.check(line)
                if line in value[: number - 1]:
                    raise invalid("«{line}» is there twice. Keep one.", line=line)
            except ValueError as error:
                wrong.append(say("Line {number}: {error}", number=str(number), error=error))
        if wrong:
            raise ValidationError(wrong)


class NamesField(LinesField):
    """Names of people, with blanks between: picked from those who are known."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": NamesInput(known_people.offered, {"size": 40}), **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return " ".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return str(value or "").split()


class SpanField(forms.Field):
    """A duration as plans write it: 15m, 24h, 1d12h."""

    widget = forms.TextInput(attrs={"size": 10})

    def prepare_value(self, value: Any) -> Any:
        return durations.short(value) if isinstance(value, timedelta) else value

    def to_python(self, value: Any) -> timedelta | None:
        if value in self.empty_values:
            return None
        text = str(value).strip()
        try:
            return durations.parse_duration(int(text) if text.isdecimal() and len(text) < 10 else text)
        except ValueError as error:
            raise ValidationError(sentence(error)) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(initial != self.to_python(data))
        except ValidationError:
            return True


class PathForm(forms.ModelForm):
    """For what is kept by a project's path in GitLab."""

    def clean_path(self) -> str:
        try:
            return names.project_path(self.cleaned_data["path"])
        except ValueError as error:
            raise ValidationError(str(error)) from None
