"""What the runs of the portal share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """One data folder for all that run one after the other (``make_run``), so that only the first fills it with the demo."""
    return tmp_path_factory.mktemp("run") / "a folder #1, 100 %"
