"""What tests drive is there, is installed, or is asked for loudly: no test is left out silently."""

import pytest

from tests import tools


@pytest.fixture
def missing(monkeypatch, tmp_path):
    monkeypatch.setitem(tools.PROGRAMS, "moonshot", (str(tmp_path / "moonshot"),))
    return tmp_path / "moonshot"


def test_who_may_not_install_is_told_what_to_install(missing, monkeypatch, capsys):
    monkeypatch.setattr(tools.os, "geteuid", lambda: 1000)
    assert tools.main(["moonshot"]) == 1
    assert "apt-get install moonshot" in capsys.readouterr().err


def test_what_is_missing_is_installed(missing, monkeypatch):
    ran = []

    def run(command, **how):
        assert how["check"]
        ran.append(command[:2])
        if "moonshot" in command:
            missing.touch()

    monkeypatch.setattr(tools.os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools.subprocess, "run", run)
    assert tools.main(["moonshot"]) == 0
    assert ran == [["apt-get", "update"], ["apt-get", "install"]]


def test_what_is_installed_and_still_not_there_fails(missing, monkeypatch, capsys):
    monkeypatch.setattr(tools.os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools.subprocess, "run", lambda *command, **how: None)
    assert tools.main(["moonshot"]) == 1
    assert "installed, but not found: moonshot" in capsys.readouterr().err
