"""Times in addresses: a day or a time, and bounded, so that no calendar ends under them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from django.utils.dateparse import parse_date, parse_datetime
from pydantic import BeforeValidator, WithJsonSchema

EARLIEST, LATEST = 1970, 9000


def _since(text: Any) -> datetime:
    return _moment(str(text))[0]


def _until(text: Any) -> datetime:
    moment, is_day = _moment(str(text))
    return moment + timedelta(days=1) if is_day else moment


def _moment(text: str) -> tuple[datetime, bool]:
    """The time, and whether a whole day was meant. Without a zone it is UTC."""
    try:
        day: date | None = parse_date(text)
        moment = datetime.combine(day, time.min) if day else parse_datetime(text)
    except ValueError:
        day, moment = None, None
    if moment is None or not EARLIEST <= moment.year <= LATEST:
        raise ValueError(
            f"«{text[:50]}» is no time. Write 2026-11-01, 2026-11-01T14:00Z or 2026-11-01T14:00%2B01:00 "
            "(in an address a + is written %2B)"
        )
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)), day is not None


_TOLD = WithJsonSchema({"type": "string", "examples": ["2026-11-01", "2026-11-01T14:00Z"]})
Since = Annotated[datetime, BeforeValidator(_since), _TOLD]
Until = Annotated[datetime, BeforeValidator(_until), _TOLD]
