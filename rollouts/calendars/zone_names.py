"""Zones by all the names that calendars give them: of the world, of Windows, by vendors, as Exchange shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from functools import cache, lru_cache

from icalendar.timezone import tzp
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from icalendar.timezone.zoneinfo import ZONEINFO

from ..rules.zones import is_zone, zone, zone_names

#: «(UTC-05:00) Eastern Time (US & Canada)», «(GMT+01:00) Amsterdam, Berlin, Bern»
_DISPLAYED = re.compile(r"\((?:UTC|GMT)(?:([+-])(\d\d):(\d\d))?\)\s*(.+)")
#: Displayed names that neither the table's names nor a city's lead to.
_BY_NAME = {
    "Central America": "Central America Standard Time",
    "Central European": "Central European Standard Time",
    "Coordinated Universal": "UTC",
    "Newfoundland": "Newfoundland Standard Time",
    "Saskatchewan": "Canada Central Standard Time",
    "Alaska": "Alaskan Standard Time",
    "Hawaii": "Hawaiian Standard Time",
    "Arizona": "US Mountain Standard Time",
    "Indiana": "US Eastern Standard Time",
    "Baja California": "Pacific Standard Time (Mexico)",
    "Chennai": "India Standard Time",
    "Abu Dhabi": "Arabian Standard Time",
    "Osaka": "Tokyo Standard Time",
    "Beijing": "China Standard Time",
    "Islamabad": "Pakistan Standard Time",
    "Edinburgh": "GMT Standard Time",
    "Canberra": "AUS Eastern Standard Time",
    "Wellington": "New Zealand Standard Time",
    "Bern": "W. Europe Standard Time",
    "West Central Africa": "W. Central Africa Standard Time",
}


class Names(ZONEINFO):
    """Gives ``icalendar`` zones by names that it does not know itself."""

    def timezone(self, name: str) -> tzinfo | None:
        return known(name)

    def knows_timezone_id(self, tzid: str) -> bool:
        """Whether the world knows it: then a file's own definition, which nobody keeps up to date, does not count."""
        return is_zone(tzid)


def install() -> None:
    """From now on, in this process."""
    tzp.use(Names())


@lru_cache(maxsize=512)
def known(name: str) -> tzinfo | None:
    """The zone that is meant, None where nobody knows. Never a path: names are looked up in a list."""
    return next((zone(one) for one in _meant(name.strip()[:300]) if is_zone(one)), None)


def _meant(name: str) -> Iterator[str]:
    yield name
    yield WINDOWS_TO_OLSON.get(name, "")
    if displayed := _DISPLAYED.fullmatch(name):
        yield from _displayed(*displayed.groups())
    parts = name.strip("/").split("/")  # /mozilla.org/20070129_1/America/New_York
    for start in range(1, len(parts) - (not name.startswith("/"))):
        yield "/".join(parts[start:])


def _displayed(sign: str | None, hours: str | None, minutes: str | None, words: str) -> Iterator[str]:
    """What is displayed is the standard offset, and a name or cities; both must be true of the zone."""
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    for part in (words, re.sub(r"\s*\(.*\)", "", words), *words.split(",")):
        text = part.strip().removesuffix(" Time")
        for name in (text, f"{text} Standard Time", _BY_NAME.get(text, "")):
            zone = WINDOWS_TO_OLSON.get(name, name if name == "UTC" else "")
            if zone and _standard_offset(zone) == offset:
                yield zone
        city = text.replace(" ", "_")
        yield from (one for one in _cities().get(city, ()) if _standard_offset(one) == offset)


@cache
def _cities() -> dict[str, list[str]]:
    cities: dict[str, list[str]] = {}
    for name in zone_names():
        if "/" in name and not name.startswith(("Etc/", "SystemV/", "US/")):
            cities.setdefault(name.rpartition("/")[2], []).append(name)
    return cities


def _standard_offset(name: str) -> timedelta | None:
    """Ireland's winter and Morocco's Ramadan count as what they are called: the smaller offset of a year."""
    if not is_zone(name):
        return None
    offsets = [datetime(2025, month, 15, tzinfo=zone(name)).utcoffset() for month in (1, 7)]
    return min(offset for offset in offsets if offset is not None)
