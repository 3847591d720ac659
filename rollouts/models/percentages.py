"""A column for percentages: exact thousandths, read as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models

from ..rules.percentages import plain


class PercentageField(models.DecimalField):
    """0.001 to 100; «25» and «0.1» where a decimal column would say «25.000» and «0.100»."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 6, "decimal_places": 3, **kwargs})

    def from_db_value(self, value: Decimal | None, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else plain(value)

    def deconstruct(self) -> Any:
        """To migrations it is the plain column that it is."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.DecimalField", args, kwargs
