"""Who changed a flag that drifts: read from the project in which GitLab's ChatOps logs each change as an issue."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from rollouts.gitlab import FlagChange
from rollouts.models import AuditEvent, DriftCase
from tests.at_rest import broken_chains
from tests.markup import flat
from tests.portal.pages import signed_in
from tests.walk import FLAG

pytestmark = pytest.mark.django_db
LOG = "acme/flag-log"


@pytest.fixture
def logged(world, settings):
    settings.GITLAB_FLAG_LOG = LOG
    world.gitlab.state.add_project(LOG)
    world.gitlab.state.add_user("jrivera")
    world.up_to("everyone", "active")
    world.host = urlsplit(world.gitlab.url).hostname
    return world


def change(world, value, **more):
    return world.gitlab.state.chatops_feature_set(LOG, FLAG, value, **{"by": "jrivera", "host": world.host, **more})


def test_a_case_names_who_changed_the_flag_by_which_command(logged):
    iid = change(logged, "50", actors=True)
    logged.sync()
    logged.sync()
    case = DriftCase.objects.get()
    assert (case.changed_by, case.command) == ("jrivera", f"feature set {FLAG} 50 --actors")
    assert case.log_url.endswith(f"/{LOG}/-/issues/{iid}")
    assert case.changed_at <= case.found_at
    events = AuditEvent.objects.filter(verb="drift.explain")
    assert [(one.actor, one.object_type, one.rollout.slug) for one in events] == [("sync", "DriftCase", "haiku")]
    html = flat(signed_in(logged, "vic").get("/rollouts/haiku/"))
    assert "changed by @jrivera" in html
    assert case.log_url in html
    asked = sum("flag-log" in request.path for request in logged.gitlab.requests)
    logged.sync()
    assert sum("flag-log" in request.path for request in logged.gitlab.requests) == asked  # it is known
    assert list(broken_chains()) == []


def test_the_last_change_before_it_was_read_counts_and_only_of_this_host_and_flag(logged):
    change(logged, "10", actors=True)
    change(logged, "50", actors=True, by="ann")
    logged.gitlab.state.chatops_feature_set(LOG, "another_flag", "true", by="eve", host=logged.host)
    logged.gitlab.state.add_issue(LOG, f'Feature flag "{FLAG}" has been set to "7"', description="nobody says who")
    other = logged.gitlab.state.set_feature
    kept = logged.gitlab.state.feature(FLAG)
    change(logged, "60", actors=True, by="eve", host="staging.example")
    other(FLAG, "50", key="percentage_of_actors")
    assert kept["name"] == FLAG
    logged.sync()
    logged.sync()
    assert DriftCase.objects.get().changed_by == "ann"


def test_a_log_that_can_not_be_read_is_told_and_holds_nothing_up(logged, settings):
    settings.GITLAB_FLAG_LOG = "acme/nowhere"
    change(logged, "50", actors=True)
    logged.sync()
    (report,) = [one for one in logged.sync() if one.problems]
    assert "acme/nowhere" in str(report.problems[0].scope)
    assert (DriftCase.objects.get().log_url, DriftCase.objects.get().state) == ("", "open")


def test_without_a_log_nobody_asks(logged, settings):
    settings.GITLAB_FLAG_LOG = ""
    change(logged, "50", actors=True)
    logged.sync()
    logged.sync()
    assert not [request for request in logged.gitlab.requests if "flag-log" in request.path]


def issue(title, description="", **more):
    return {"iid": 1, "title": title, "state": "closed", "description": description, "web_url": "https://x.example/1",
            "created_at": "2026-11-29T10:00:00Z", "labels": ["change", "host::gitlab.com"], **more}  # fmt: skip


WHO = "* Changed by: [`@mia`](https://gitlab.com/mia)"


@pytest.mark.parametrize(
    ("title", "description", "command"),
    [
        ('Feature flag "f" has been set to "true"', WHO, "feature set f true"),
        ('Feature flag "f" has been deleted', WHO, "feature delete f"),
        ('Feature flag "f" has been set to "50"', f"{WHO}\n* Percentage of actors: `true`", "feature set f 50 --actors"),
        ('Feature flag "f" has been set to "true"', f'{WHO}\n| `nil` | `"a/b"` | `nil` | `"c"` |',
         "feature set f true --project=a/b --namespace=c"),
    ],
)  # fmt: skip
def test_the_command_is_told_as_it_was_typed(title, description, command):
    assert FlagChange.from_gitlab(issue(title, description)).command == command


@pytest.mark.parametrize(
    ("title", "description"),
    [
        ("Feature flag is odd", WHO),
        ('Feature flag "f" has been set to "true" and more', WHO),
        ('Feature flag "f" has been set to "<b>"', WHO),
        ('Feature flag "f" has been set to "true"', ""),
        ('Feature flag "f" has been set to "true"', "* Changed by: [`@<script>`](x)"),
        ('Feature flag "f" has been set to "true"', f"> {WHO}"),
    ],
)
def test_what_is_no_log_of_a_change_is_none(title, description):
    assert FlagChange.from_gitlab(issue(title, description)) is None


def test_a_time_that_is_none_is_when_the_issue_was_made():
    found = FlagChange.from_gitlab(issue('Feature flag "f" has been deleted', f"{WHO}\n* Changed on (in UTC): `99:99`"))
    assert (found.at.hour, found.host) == (10, "gitlab.com")
