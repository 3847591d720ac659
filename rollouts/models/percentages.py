"""A column for percentages: exact thousandths, read as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from ..rules.percentages import as_step, plain


def _is_step(value: Decimal) -> None:
    try:
        as_step(value)
    except ValueError as wrong:
        raise ValidationError(wrong.args[0]) from None


class PercentageField(models.DecimalField):
    """0.001 to 100; «25» and «0.1» where a decimal column would say «25.000» and «0.100»."""

    default_validators = [_is_step]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 6, "decimal_places": 3, **kwargs})

    def from_db_value(self, value: Decimal | None, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else plain(value)

    def deconstruct(self) -> Any:
        """To migrations it is the plain column that it is."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DecimalField", args, kwargs
