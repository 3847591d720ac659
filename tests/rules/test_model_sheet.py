"""AI models as a sheet: what a cell of a CSV file may say of a number."""

from __future__ import annotations

import pytest

from rollouts.rules.model_sheet import parse_csv
from tests.rules.plans import faults_of


def sheet(quota):
    return f"slug,quota_requests_per_minute\nhaiku,{quota}\n"


@pytest.mark.parametrize("quota", ["1", "60000", "999999999"])
def test_digits_are_a_number(quota):
    (model,) = parse_csv(sheet(quota))
    assert model.values["quota_requests_per_minute"] == int(quota)


@pytest.mark.parametrize("quota", ["many", "1.5", "-1", "60 000", "1000000000", "9" * 5_000])
def test_what_is_no_number_or_too_long_for_one_is_refused(quota):
    (fault,) = faults_of(parse_csv, sheet(quota))
    assert fault.line == 2
    assert "is not a whole number" in fault.message
