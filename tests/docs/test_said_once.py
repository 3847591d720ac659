"""What one room answers is worked out in no other: who writes it a second time is told where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "rollouts"
ONCE = {
    "Content-Disposition": "portal/answers.py",
    "csv.writer": "rules/spreadsheet.py",
    "settings.FRESHNESS_SECONDS": "services/freshness.py",
    "ReadingGap.objects.filter": "services/freshness.py",
    "403.html": "portal/refusals.py",
    "400.html": "portal/refusals.py",
    "= 303": "portal/answers.py",
    '== {"role"}': "services/refusals.py",
    "evidence_long": "services/refusals.py",
    "LEADS_ON": "rules/offers.py",
}


@pytest.mark.parametrize("words", ONCE)
def test_it_is_written_in_one_place(words):
    found = {str(file.relative_to(ROOM)) for file in ROOM.rglob("*.py") if words in file.read_text()}
    defined = {"rules/machine.py"} if words.isupper() else set()
    assert found - defined == {ONCE[words]}
