"""The commands: what they print, and their exit: 0 done, 1 refused, 2 wrong use."""

from __future__ import annotations

import getpass
import json

import pytest

from rollouts.models import AIModel, AuditEvent, FeatureFlag, Rollout
from tests.commands.running import run
from tests.walk import SECRET_TITLE

pytestmark = pytest.mark.django_db


def written(tmp_path, text, name="plan.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_plan_is_applied_once_checked_and_exported(world, tmp_path):
    path = written(tmp_path, world.document())
    assert run("plan", "check", path)[2] == 0
    out, _, status = run("plan", "apply", path, "--dry-run")
    assert (status, Rollout.objects.count()) == (0, 0)
    assert "would change" in out
    out, _, status = run("plan", "apply", path, "--as", "mia")
    assert status == 0
    assert "Rollout Claude Haiku: new" in out
    events = AuditEvent.objects.count()
    assert run("plan", "apply", path, "--as", "mia")[0] == "haiku: nothing changed.\n"
    assert AuditEvent.objects.count() == events
    exported, _, status = run("plan", "export", "haiku")
    assert status == 0
    assert run("plan", "apply", written(tmp_path, exported, "again.yaml"))[0] == "haiku: nothing changed.\n"


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        (("title: Claude Haiku", "titel: Claude Haiku"), 3, "titel"),
        (("steps: [1, 25, 100]", "steps: [1, 50, 25, 100]"), 18, "steps must rise: 25 comes after 50"),
        (("rollout: haiku", "rollout: hai/ku"), 2, "«/» is not allowed"),
        (("flag: {name: use_haiku}", "flag: {name: use haiku}"), 7, "space"),
        (("flag: {name: use_haiku}", "flag: {name: use/haiku}"), 7, "slash"),
        (("owners: [mia]", "owners: [mia]\nowners: [sam]"), 10, "owners"),
        (("owners: [mia]", "template: nothing"), 9, "template"),
        (("owners: [mia]", "owners: mia"), 9, "owners"),
        (("/acme/app/-/issues/12", "/acme/app/merge_requests/12"), 12, "issue"),
    ],
)
def test_a_refused_plan_names_file_line_and_cure_and_changes_nothing(world, tmp_path, change, line, message):
    path = written(tmp_path, world.document().replace(*change))
    _, err, status = run("plan", "apply", path)
    assert status == 1
    assert f"{path}, line {line}: " in err
    assert message in err
    assert not Rollout.objects.exists()
    assert run("plan", "check", path)[2] == 1


def test_one_bad_plan_stops_no_other(world, tmp_path):
    good, bad = written(tmp_path, world.document()), written(tmp_path, "rollout: 1", "bad.yaml")
    out, _, status = run("plan", "apply", bad, good, "--json")
    answer = json.loads(out)
    assert status == 1
    assert [plan["ok"] for plan in answer["plans"]] == [False, True]


def test_transition_does_what_the_buttons_do(world, settings):
    settings.COMMAND_MAY_APPROVE = True
    world.up_to("team", "planned")
    assert run("transition", "haiku", "team", "request", "--as", "mia")[2] == 0
    unseen, _, status = run("transition", "haiku", "team", "approve", "--as", "alice", "--json")
    answer = json.loads(unseen)
    assert (status, [blocker["code"] for blocker in answer["blockers"]]) == (1, ["not_looked_at"])
    looked = ("--looked-at", answer["digest"])
    out, _, status = run("transition", "haiku", "team", "approve", "--as", "mia", "--json", *looked)
    answer = json.loads(out)
    assert status == 1
    assert {blocker["code"] for blocker in answer["blockers"]} == {"role", "four_eyes"}
    assert answer["blockers"][0].keys() == {"code", "message", "url"}
    out, _, status = run("transition", "haiku", "team", "approve", "--as", "alice", "--json", *looked)
    assert json.loads(out)["state"] == "approved"
    event = AuditEvent.objects.get(verb="phase.approve")
    assert (event.source, event.actor, event.way) == ("command", "alice", {"os_user": getpass.getuser()})
    told, _, _ = run("audit", "find", "--verb", "phase.approve")
    assert f"by a command, operating system's user {getpass.getuser()}" in told


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_command_decides_in_nobodys_name_unless_the_operators_let_it(world, verb):
    world.up_to("team", "requested")
    decide = ("transition", "haiku", "team", verb, "--as", "alice", "--reason", "x", "--looked-at")
    out, _, status = run(*decide, world.looked_at("team"), "--json")
    assert (status, [blocker["code"] for blocker in json.loads(out)["blockers"]]) == (1, ["in_anothers_name"])
    _, err, status = run(*decide, world.looked_at("team"))
    assert status == 1
    assert "COMMAND_MAY_APPROVE=true" in err
    assert world.phase("team").state == "requested"


def test_four_eyes_hold_for_the_operating_systems_user_too(world, settings):
    """Who types is one person, whomever they name: neither asked in another's name, nor asked and then named one."""
    settings.COMMAND_MAY_APPROVE = True
    world.up_to("team", "planned")
    for asks, approves in ((), ()), ((), ("--as", "alice")), (("--as", "mia"), ()):
        assert run("transition", "haiku", "team", "request", *asks)[2] == 0
        looked = ("--looked-at", world.looked_at("team"))
        _, err, status = run("transition", "haiku", "team", "approve", *approves, *looked)
        assert status == 1
        assert "somebody else must approve" in err
        assert run("transition", "haiku", "team", "withdraw", "--as", "mia")[2] == 0


def test_a_command_that_asks_keeps_who_typed_it(world):
    world.up_to("team", "planned")
    assert run("transition", "haiku", "team", "request")[2] == 0
    assert AuditEvent.objects.get(verb="phase.request").actor.startswith("os:")


@pytest.mark.parametrize(
    "arguments",
    [
        ("transition", "nothing", "team", "request"),
        ("transition", "haiku", "moon", "request"),
        ("transition", "haiku", "team", "fly"),
        ("transition", "haiku", "team", "request", "--as", "nobody"),
        ("plan", "export", "nothing"),
        ("plan", "apply", "/nowhere/plan.yaml"),
        ("flags", "import", "/nowhere"),
        ("audit", "find", "--since", "yesterday"),
        ("audit", "find", "--limit", "0"),
    ],
)
def test_wrong_use_is_exit_2_with_one_sentence(world, arguments):
    world.apply()
    _, err, status = run(*arguments)
    assert status == 2
    assert err.strip()


@pytest.mark.parametrize("verb", ["request", "skip"])
def test_a_viewer_can_do_nothing_by_command(world, verb):
    world.apply()
    assert run("transition", "haiku", "team", verb, "--as", "vic", "--reason", "x")[2] == 1
    assert world.phase("team").state == "planned"


def test_a_viewer_plans_and_imports_nothing(world, tmp_path):
    assert run("plan", "apply", written(tmp_path, world.document()), "--as", "vic")[2] == 1
    assert run("flags", "import", str(tmp_path), "--as", "vic")[2] == 1
    assert not Rollout.objects.exists()


def test_audit_find_shows_a_viewer_nothing_confidential(world):
    world.apply()
    world.sync()
    out, _, status = run("audit", "find", "--as", "vic", "--json", "--limit", "200")
    assert status == 0
    assert SECRET_TITLE not in out
    assert len(json.loads(out)["items"]) > 5


@pytest.mark.shared
def test_all_real_flag_definitions_are_imported(db, shared):
    out, _, status = run("flags", "import", str(shared / "gitlab" / "flags"), "--json")
    assert status == 0
    assert json.loads(out)["new"] == FeatureFlag.objects.count() == 850
    flag = FeatureFlag.objects.get(name="code_completion_v4_endpoint")
    assert (flag.type, flag.group, flag.milestone) == ("gitlab_com_derisk", "group::ai coding", "19.1")
    assert json.loads(run("flags", "import", str(shared / "gitlab" / "flags"), "--json")[0])["same"] == 850


def test_malformed_flag_definitions_are_named_and_skipped(db, tmp_path):
    written(tmp_path, "name: good\ntype: beta\ndefault_enabled: false\n", "good.yml")
    written(tmp_path, "name: bad\ntype: beta\ndefault_enabled: perhaps\n", "bad.yml")
    out, err, status = run("flags", "import", str(tmp_path))
    assert status == 1
    assert "1 flags new" in out
    assert "bad.yml, line 3" in err
    assert list(FeatureFlag.objects.values_list("name", flat=True)) == ["good"]


@pytest.mark.shared
def test_the_real_model_catalogue_is_imported(db, shared):
    folder = shared / "gitlab" / "models"
    out, _, status = run("models", "import", str(folder / "models.yml"), str(folder / "unit_primitives.yml"), "--json")
    assert status == 0
    assert json.loads(out)["new"] == AIModel.objects.count() == 71
    codestral = AIModel.objects.get(catalogue_identifier="codestral_2508_fireworks")
    assert codestral.provider == "Fireworks"
    assert "code_completions" in codestral.default_for
    gemini = AIModel.objects.get(catalogue_identifier="gemini_2_5_flash_vertex")
    assert str(gemini.deprecated_on) == "2026-03-01"


@pytest.mark.embedded
def test_a_database_that_can_not_be_used_is_said_in_one_line(tmp_path):
    """Not by a page of Python."""
    import os
    import subprocess
    import sys
    from pathlib import Path

    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/gone/portal.sqlite3", "DATA_DIR": str(tmp_path)}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    ran = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        cwd=Path(__file__).resolve().parents[2], env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1
    assert "the database can't be used: unable to open database file" in ran.stderr
    assert "Traceback" not in ran.stderr
