"""The simulator's page: plain forms, safe against other sites and against what issues are called."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests

from gitlab_simulator import Simulator


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def filled(simulator: Simulator) -> Simulator:
    state = simulator.state
    state.add_user("alice", id=42)
    state.add_project("acme/app")
    state.add_issue("acme/app", 'A <script>alert("x")</script> & more', description="- [ ] <b>a</b>", labels=["<i>"])
    state.set_feature("flag", 25, key="percentage_of_actors")
    state.set_feature("flag", True, user="alice", feature_group="team")
    state.add_project_flag(
        "acme/app",
        "own_flag",
        strategies=[
            {
                "name": "flexibleRollout",
                "parameters": {"groupId": "default", "rollout": "10", "stickiness": "default"},
                "scopes": ["production"],
            }
        ],
    )
    return simulator


def post(browser: requests.Session, simulator: Simulator, action: str, **form: object) -> requests.Response:
    return browser.post(f"{simulator.url}/simulator/{action}", data=form, allow_redirects=False, timeout=10)


def test_the_page_shows_flags_and_issues(browser: requests.Session, filled: Simulator) -> None:
    answer = browser.get(filled.url, timeout=10)
    assert answer.status_code == 200
    for words in ("25 % of actors", "group team", "User:42 (alice)", "own_flag", "acme/app#1", "conditional"):
        assert words in answer.text


def test_what_people_write_is_never_markup(browser: requests.Session, filled: Simulator) -> None:
    filled.state.set_feature('"><script>x</script>', True)
    for path in ("/", "/acme/app/-/issues/1", "/?q=<script>"):
        text = browser.get(filled.url + path, timeout=10).text
        assert "<script" not in text
        assert "<b>a" not in text
        assert "<i>" not in text


def test_the_page_needs_no_other_host_and_runs_no_script(browser: requests.Session, filled: Simulator) -> None:
    answer = browser.get(filled.url, timeout=10)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r'(src|href|action)="(https?:)?//', answer.text)
    assert not re.search(r' on\w+="| style="', answer.text)
    style = browser.get(f"{filled.url}/simulator/style.css", timeout=10)
    assert style.headers["Content-Type"].startswith("text/css")
    assert "url(" not in style.text


@pytest.mark.parametrize("path", ["/acme/app/-/issues/1", "/acme/app/-/work_items/1", "/acme/app/issues/1"])
def test_the_portals_links_lead_to_the_issue(browser: requests.Session, filled: Simulator, path: str) -> None:
    assert "acme/app#1" in browser.get(filled.url + path, timeout=10).text


@pytest.mark.parametrize("path", ["/acme/app/-/issues/2", "/acme/none/-/issues/1", "/nothing", "/simulator/x"])
def test_other_addresses_say_so(browser: requests.Session, filled: Simulator, path: str) -> None:
    answer = browser.get(filled.url + path, timeout=10)
    assert answer.status_code == 404
    assert "Back" in answer.text


def test_flags_are_changed_by_hand(browser: requests.Session, filled: Simulator) -> None:
    state = filled.state
    done = post(browser, filled, "feature/set", name="flag", value="50", key="percentage_of_actors")
    assert (done.status_code, done.headers["Location"]) == (303, "/")
    assert state.table("features")["flag"]["percentage_of_actors"] == 50
    post(browser, filled, "feature/set", name="flag", value="false", target="feature_group", given="team")
    assert state.table("features")["flag"]["groups"] == []
    post(browser, filled, "feature/remove-actor", name="flag", actor="User:42")
    assert state.table("features")["flag"]["actors"] == []
    post(browser, filled, "feature/set", name="flag", value="true")
    assert state.feature("flag")["state"] == "on"
    refused = post(browser, filled, "feature/set", name="flag", value="50", key="percentage_of_actors")
    assert refused.status_code == 400
    assert "fully-enabled" in refused.text
    post(browser, filled, "feature/delete", name="flag")
    assert state.features() == []


def test_project_flags_are_changed_by_hand(browser: requests.Session, filled: Simulator) -> None:
    flag = filled.state.project_flag("acme/app", "own_flag")
    strategy = flag["strategies"][0]["id"]
    post(
        browser,
        filled,
        "project-flag/percentage",
        project="acme/app",
        name="own_flag",
        strategy=strategy,
        percentage=60,
    )
    post(browser, filled, "project-flag/active", project="acme/app", name="own_flag", active="")
    flag = filled.state.project_flag("acme/app", "own_flag")
    assert (flag["active"], flag["strategies"][0]["parameters"]["rollout"]) == (False, "60")


def test_issues_are_changed_by_hand(browser: requests.Session, filled: Simulator) -> None:
    which = {"project": "acme/app", "iid": 1}
    post(browser, filled, "issue/set", **which, state="closed")
    post(browser, filled, "issue/set", **which, confidential="true")
    post(browser, filled, "issue/set", **which, title="Plan", labels="a, b", assignees="alice")
    post(browser, filled, "issue/task", **which, index=0)
    post(browser, filled, "issue/note", **which, body="Hello")
    issue = filled.state.issue("acme/app", 1)
    assert (issue["state"], issue["confidential"], issue["title"], issue["labels"]) == (
        "closed",
        True,
        "Plan",
        ["a", "b"],
    )
    assert issue["description"] == "- [x] <b>a</b>"
    assert issue["notes"][-1]["body"] == "Hello"
    assert post(browser, filled, "issue/set", **which, title="").status_code == 400
    post(browser, filled, "issue/add", project="acme/new", title="First")
    assert filled.state.issue("acme/new", 1)["title"] == "First"
    post(browser, filled, "issue/delete", **which)
    assert filled.state.issues_of("acme/app") == []


def test_trouble_is_made_and_healed_by_hand(browser: requests.Session, filled: Simulator) -> None:
    post(browser, filled, "faults", what="503")
    assert browser.get(f"{filled.url}/api/v4/version", timeout=10).status_code == 503
    assert "503" in browser.get(filled.url, timeout=10).text
    post(browser, filled, "faults", what="heal")
    assert browser.get(f"{filled.url}/api/v4/version", timeout=10).status_code == 401
    assert post(browser, filled, "faults", what="burn").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "[bad"},
    ],
)
def test_other_sites_change_nothing(browser: requests.Session, filled: Simulator, headers: dict[str, str]) -> None:
    form = {"name": "flag", "value": "false"}
    answer = browser.post(f"{filled.url}/simulator/feature/set", data=form, headers=headers, timeout=10)
    assert answer.status_code in (400, 403)
    assert filled.state.feature("flag")["state"] == "conditional"


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nX: 1"])
def test_a_form_leads_back_here_only(browser: requests.Session, filled: Simulator, back: str) -> None:
    done = post(browser, filled, "feature/set", name="flag", value="true", back=back)
    assert done.headers["Location"] == "/"
    assert "X" not in done.headers


@pytest.mark.parametrize(
    ("action", "form"), [("nothing", {}), ("issue/set", {}), ("issue/set", {"project": "acme/app", "iid": "x"})]
)
def test_a_broken_form_is_answered(
    browser: requests.Session, filled: Simulator, action: str, form: dict[str, object]
) -> None:
    assert post(browser, filled, action, **form).status_code in (400, 404)
