"""Rules of ours as Django's forms and models ask them."""

from __future__ import annotations

from django.core.exceptions import ValidationError

from ..rules import names
from ..rules.phrases import sentence


def validate_web_address(value: str) -> None:
    """An address that may be shown to everybody: http(s), without user name and password."""
    try:
        names.web_address(value)
    except ValueError as error:
        raise ValidationError(sentence(error)) from None
