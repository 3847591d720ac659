"""Times in addresses: a day or a time, without a zone UTC; read as everywhere (``rules.datetimes``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from ..rules.datetimes import asked_since, asked_until


def _asked(read: Callable[[str], datetime]) -> Callable[[Any], datetime]:
    def asked(text: Any) -> datetime:
        try:
            return read(str(text))
        except ValueError as wrong:
            raise ValueError(f"{wrong} (In an address a + is written %2B.)") from None

    return asked


_TOLD = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}],
        "examples": ["2026-11-01", "2026-11-01T14:00Z"],
    }
)
Since = Annotated[datetime, BeforeValidator(_asked(asked_since)), _TOLD]
Until = Annotated[datetime, BeforeValidator(_asked(asked_until)), _TOLD]
