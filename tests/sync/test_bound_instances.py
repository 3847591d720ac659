"""A GitLab's secrets go to the address that the environment binds them to, whoever says otherwise by whatever door."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from gitlab_simulator import Simulator
from rollouts import tasks
from rollouts.audit.recording import recorded
from rollouts.models import AuditEvent, ChecklistItem, GitLabInstance
from rollouts.services import checklist, instances
from rollouts.services.instances import all_instances, default_instance
from rollouts.services.refusals import Refused
from rollouts.sync import hooks, passes

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
PLACE = "/admin/rollouts/gitlabinstance/"


@pytest.fixture
def root(world):
    client = Client()
    client.force_login(world.people["root"])
    return client


@pytest.fixture
def evil():
    """A server of somebody who wants the token; it remembers who asked, and with what."""
    with Simulator() as other:
        other.tokens = []
        seen = other.server.RequestHandlerClass._token

        def remember(handler, query):
            other.tokens.append(seen(handler, query))
            return other.tokens[-1]

        kind = type("Handler", (other.server.RequestHandlerClass,), {"_token": remember})
        other.server.RequestHandlerClass = kind
        yield other


def ask_everything():
    """All that asks a GitLab by itself."""
    tasks.sync_due()
    tasks.flags_due()
    for instance in GitLabInstance.objects.all():
        tasks.read_flags(instance.pk)
        tasks.read_waiting(instance.pk)
        passes.sync_instance(instance, trigger="command", full=True)
        hooks.install(instance, "https://portal.example.com/hooks/gitlab/")


def test_an_admin_sends_no_token_to_an_address_of_their_own(world, root, evil, monkeypatch):
    world.apply()
    for task in (tasks.read_flags, tasks.read_waiting):
        monkeypatch.setattr(task, "delay", task)
    said = {"url": evil.url, "token_variable": "GITLAB_TOKEN", "rate_share": 50}
    added = root.post(f"{PLACE}add/", {"name": "evil", **said})
    assert added.status_code == 200, "the name is none of the environment's"
    known = default_instance()
    root.post(f"{PLACE}{known.pk}/change/", said)
    ask_everything()
    assert evil.tokens == []
    assert (default_instance().url, GitLabInstance.objects.count()) == (world.gitlab.url, 1)


def test_a_row_whose_address_is_not_bound_is_not_asked_and_says_the_cure(world, root, evil, settings, monkeypatch):
    """As rows from before are: made in the admin, with a variable of their own."""
    for task in (tasks.read_flags, tasks.read_waiting):
        monkeypatch.setattr(task, "delay", task)
    settings.GITLAB_TOKEN_STAGING = "glpat-staging"
    with recorded("admin.add", by=world.actor("root")):
        GitLabInstance.objects.create(name="staging", url=evil.url)
    ask_everything()
    assert evil.requests == []
    cure = f"Set GITLAB_INSTANCES=staging={evil.url} and its token as GITLAB_TOKEN_STAGING"
    for page in ("/sync/", "/admin/", PLACE + f"{GitLabInstance.objects.get(name='staging').pk}/change/"):
        assert cure in root.get(page).content.decode(), page
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("sync", "--json", stdout=out)
    told = {each["name"]: each["error"] for each in json.loads(out.getvalue())["instances"]}
    assert cure in told["staging"]
    assert not told["gitlab"]


def test_a_row_moved_to_another_address_by_any_door_gets_nothing(world, evil):
    world.apply()
    row = default_instance()
    with recorded("shell", by=world.actor("root")):
        row.url = evil.url
        row.save()
    assert (row.token, row.hook_secret, row.is_asked) == ("", "", False)
    passes.sync_instance(row, trigger="command")
    assert evil.requests == []
    assert default_instance().url == world.gitlab.url  # the environment's word counts
    world.sync()
    assert world.gitlab.calls()


def test_another_gitlab_is_chosen_among_those_that_the_environment_names(world, root, settings):
    with Simulator() as staging:
        settings.GITLAB_INSTANCES = {"staging": staging.url}
        settings.GITLAB_TOKEN_STAGING = staging.token
        page = root.get(f"{PLACE}add/").content.decode()
        assert staging.url in page
        assert root.post(f"{PLACE}add/", {"name": "staging", "rate_share": 50}).status_code == 302
        row = GitLabInstance.objects.get(name="staging")
        assert (row.url, row.token) == (staging.url, staging.token)
        reports = {report.name: report for report in world.sync()}
        assert not reports["staging"].problems
        assert staging.calls("/features")
        # bound to another address since: the row follows, and the token with it
        settings.GITLAB_INSTANCES = {"staging": world.gitlab.url}
        row = next(each for each in all_instances() if each.name == "staging")
        assert (row.url, row.token) == (world.gitlab.url, staging.token)
        assert AuditEvent.objects.filter(verb="instance.configure", object_id=str(row.pk)).exists()


def test_webhooks_of_an_instance_are_known_by_its_own_secret(world, settings):
    settings.GITLAB_WEBHOOK_SECRET = "of the first"
    settings.GITLAB_INSTANCES = {"staging": "https://staging.example.com"}
    settings.GITLAB_WEBHOOK_SECRET_STAGING = "of staging"
    with recorded("admin.add", by=world.actor("root")):
        GitLabInstance.objects.create(name="staging", url="https://staging.example.com")
    body = json.dumps({"object_kind": "push", "project": {"id": 1}})

    def status(token):
        headers = {"X-Gitlab-Token": token}
        return (
            Client().post("/hooks/gitlab/staging/", body, content_type="application/json", headers=headers).status_code
        )

    assert [status("of staging"), status("of the first")] == [202, 401]


def test_what_was_read_once_is_retired_and_taken_up_again(world, root, settings):
    with Simulator() as staging:
        settings.GITLAB_INSTANCES = {"staging": staging.url}
        settings.GITLAB_TOKEN_STAGING = staging.token
        root.post(f"{PLACE}add/", {"name": "staging", "rate_share": 50})
        world.sync()
        row = GitLabInstance.objects.get(name="staging")
        assert "still" in root.post(f"{PLACE}{row.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
        with pytest.raises(Refused) as refused:
            instances.retire(row, by=world.actor("mia"), reason=" ")
        assert refused.value.codes == {"role", "reason_missing"}
        asked = {"action": "retire", "_selected_action": [row.pk], "confirmed": "1", "reason": "switched off"}
        root.post(PLACE, asked)
        staging.forget_requests()
        assert [report.name for report in world.sync()] == ["gitlab"]
        ask_everything()
        assert not staging.requests
        page = root.get("/sync/").content.decode()
        assert "staging was retired on" in page
        assert AuditEvent.objects.filter(verb="instance.retire", reason="switched off", actor="root").exists()
        root.post(PLACE, {**asked, "action": "take_up", "reason": "back"})
        assert [report.name for report in world.sync()] == ["gitlab", "staging"]


def test_what_an_open_rollout_stands_on_is_not_retired(world, settings):
    world.apply()
    row = default_instance()
    with pytest.raises(Refused) as refused:
        instances.retire(row, by=world.actor("root"), reason="x")
    assert refused.value.codes == {"bound", "in_use"}
    settings.GITLAB_URL = ""
    with pytest.raises(Refused) as refused:
        instances.retire(row, by=world.actor("root"), reason="x")
    assert refused.value.codes == {"in_use"}
    assert default_instance().token == ""  # nothing binds the address any more


@pytest.mark.parametrize(
    "target", ["https://{host}:{port}/x", "http://{host}:{other}/x", "https://{host}/x", "//{host}:{other}/x"]
)
def test_no_redirect_takes_the_token_to_another_origin(world, evil, target):
    port, other = (url.rpartition(":")[2] for url in (world.gitlab.url, evil.url))
    location = target.format(host="127.0.0.1", port=port, other=other)
    world.gitlab.fail(how="redirect", status=307, headers={"Location": location})
    (report,) = world.sync()
    assert "another host" in str(report.problems[0].words)
    assert evil.tokens == []


def portal(**environment):
    """What settings say in a process of its own: exit code and words."""
    code = "from django.conf import settings as s; print(s.GITLAB_URL, s.GITLAB_INSTANCES, s.GITLAB_TOKEN)"
    code += "; print(getattr(s, 'GITLAB_TOKEN_STAGING', '')); print(s.SECRET_KEY)"
    given = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **environment}
    return subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GITLAB_URL": "http://gitlab.example.com"}, "plain http"),
        ({"GITLAB_URL": "https://root:hunter2@gitlab.example.com"}, "user name or password"),
        ({"PORTAL_URL": "https://root:hunter2@portal.example.com"}, "user name or password"),
        ({"GITLAB_INSTANCES": "staging"}, "name=https://host"),
        ({"GITLAB_INSTANCES": "staging=http://10.0.0.7"}, "plain http"),
        ({"GITLAB_INSTANCES": "gitlab=https://evil.example.com"}, "GITLAB_URL"),
        ({"GITLAB_INSTANCES": "Gitlab=https://evil.example.com"}, "GITLAB_URL"),
        ({"GITLAB_INSTANCES": "a-b=https://a.example a_b=https://b.example"}, "would share GITLAB_TOKEN_A_B"),
        ({"GITLAB_INSTANCES": "key-file=https://a.example"}, "would name a file"),
        ({"GITLAB_TOKEN_FILE": "/nowhere/token"}, "GITLAB_TOKEN_FILE can't be read"),
    ],
)
def test_settings_that_bind_nothing_are_refused_in_words(environment, words):
    ended = portal(**environment)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert ended.stderr.startswith("settings: ")
    assert "hunter2" not in ended.stderr


def test_every_secret_may_come_from_a_file(tmp_path):
    files = {"GITLAB_TOKEN": "glpat-1\n", "GITLAB_TOKEN_STAGING": "glpat-2\r\n", "SECRET_KEY": "a key\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, newline="")
    given = {f"{name}_FILE": str(tmp_path / name) for name in files}
    bound = {"GITLAB_URL": "https://GitLab.example.com/", "GITLAB_INSTANCES": "staging=https://s.example:443/gitlab/"}
    ended = portal(**bound, **given)
    assert ended.stdout.splitlines() == [
        "https://gitlab.example.com {'staging': 'https://s.example/gitlab'} glpat-1",
        "glpat-2",
        "a key",
    ], ended.stderr


def test_rows_from_before_lose_their_passwords_and_stay(tmp_path):
    """The migration, in a database of its own that stands where the version before left it."""
    given = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "DATA_DIR": str(tmp_path), "SECRET_KEY": "x"}
    given |= {"DATABASE_URL": f"sqlite:///{tmp_path}/portal.sqlite3", "GITLAB_URL": ""}

    def run(*arguments):
        subprocess.run([sys.executable, *arguments], env=given, check=True, cwd=ROOT)

    run("-m", "tests.setup.earlier", "build", "0017")
    with sqlite3.connect(tmp_path / "portal.sqlite3") as database:
        database.execute(
            "INSERT INTO rollouts_gitlabinstance (name, url, token_variable, hook_secret_variable,"
            " hook_signing_variable, rate_share, flags_outcome, flags_words) VALUES"
            " ('staging', 'https://root:hunter2@gitlab.example.com/@x', 'A_TOKEN', 'B', 'C', 50, 'unread', '')"
        )
    run("manage.py", "migrate", "-v", "0")
    with sqlite3.connect(tmp_path / "portal.sqlite3") as database:
        rows = database.execute("SELECT name, url, retired_at FROM rollouts_gitlabinstance").fetchall()
    assert rows == [("staging", "https://gitlab.example.com/@x", None)]


def test_evidence_holds_nobody_s_password(world):
    world.apply()
    world.sync()
    item = ChecklistItem.objects.filter(confirmed_at=None, kind="manual").first()
    with pytest.raises(Refused) as refused:
        checklist.confirm(item, by=world.actor("mia"), evidence="see https://mia:hunter2@gitlab.example.com/x")
    assert refused.value.codes == {"evidence_secret"}
    assert "hunter2" not in str(refused.value)
