"""Addresses of issues, as people paste them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules import names
from rollouts.rules.issue_url import IssueRef, parse_issue_url


@pytest.mark.parametrize(
    ("url", "base", "path", "iid"),
    [
        ("https://gitlab.com/acme/app/-/issues/11", "https://gitlab.com", "acme/app", 11),
        ("https://gitlab.com/acme/app/-/work_items/602067", "https://gitlab.com", "acme/app", 602067),
        ("https://gitlab.com/acme/app/issues/3", "https://gitlab.com", "acme/app", 3),
        ("https://GitLab.com:443/a/b/c/d/e/-/issues/1/", "https://gitlab.com", "a/b/c/d/e", 1),
        ("http://127.0.0.1:8001/acme/app.js/-/issues/9#note_5", "http://127.0.0.1:8001", "acme/app.js", 9),
        ("https://gitlab.com/acme/issues/-/issues/7?show=x", "https://gitlab.com", "acme/issues", 7),
        (" https://gitlab.com/acme/app/-/issues/11\n", "https://gitlab.com", "acme/app", 11),
        ("http://[::1]:80/acme/app/-/issues/11", "http://[::1]", "acme/app", 11),
    ],
)
def test_what_is_an_issue(url: str, base: str, path: str, iid: int) -> None:
    assert parse_issue_url(url) == IssueRef(base, path, iid)


def shown(**what: object) -> str:
    return base64.b64encode(json.dumps(what).encode()).decode()


@pytest.mark.parametrize(
    ("path", "project", "iid"),
    [
        ("acme/app/-/issues/incident/12", "acme/app", 12),
        ("acme/app/-/issues/incident/12/timeline", "acme/app", 12),
        ("acme/app/-/issues/12/designs", "acme/app", 12),
        ("acme/app/-/issues/12/designs/first%20draft.png", "acme/app", 12),
        ("acme/app/-/work_items/12/designs/a.png?version=3", "acme/app", 12),
        (f"acme/app/-/boards/3?show={shown(iid='12', full_path='acme/app', id=7)}", "acme/app", 12),
        (f"groups/acme/-/boards/3?show={shown(iid='12', full_path='acme/app', id=7)}", "acme/app", 12),
        (f"groups/acme/-/issues?state=opened&show={shown(iid=12, full_path='acme/x/app')}", "acme/x/app", 12),
        ("groups-of/us/-/issues/1", "groups-of/us", 1),
        ("acme/groups/-/issues/1", "acme/groups", 1),
    ],
)
def test_other_addresses_of_an_issue_are_understood(path: str, project: str, iid: int) -> None:
    assert parse_issue_url(f"https://gitlab.com/{path}") == IssueRef("https://gitlab.com", project, iid)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("groups/g/-/work_items/12", "work item of a group"),
        ("groups/g/sub/-/epics/12", "work item of a group"),
        (f"groups/g/-/boards/1?show={shown(iid='12', full_path='g')}", "board or a list"),
        ("acme/app/-/boards/3", "board or a list"),
        ("acme/app/-/boards/3?show=AAAA", "board or a list"),
        ("acme/app/-/boards/3?show=" + "W" * 900, "board or a list"),
        ("acme/app/-/issues", "board or a list"),
        ("projects/app/-/issues/1", "board or a list"),
        ("users/app/issues/1", "board or a list"),
        ("Groups/g/-/issues/12", "board or a list"),
        ("acme/app/-/merge_requests/1", "not the URL of a GitLab issue"),
    ],
)
def test_what_is_no_issue_of_a_project_says_what_to_copy(path: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        parse_issue_url(f"https://gitlab.com/{path}")
    assert "group/project/-/issues/42" in str(refused.value)


@pytest.mark.parametrize("path", ["groups/g", "Projects/app", "users/ann/app"])
def test_a_route_of_gitlab_s_is_no_project(path: str) -> None:
    with pytest.raises(ValueError, match="no group"):
        names.project_path(path)


def test_a_prefix_is_told_by_the_base_url() -> None:
    url = "https://example.com/gitlab/acme/app/-/issues/1"
    assert parse_issue_url(url, "https://example.com/gitlab/") == IssueRef("https://example.com/gitlab", "acme/app", 1)
    assert parse_issue_url(url, "https://example.com:443/gitlab").project_path == "acme/app"
    assert parse_issue_url(url, "https://other.com/gitlab").project_path == "gitlab/acme/app"
    assert parse_issue_url(url, "https://example.com/git").project_path == "gitlab/acme/app"
    assert parse_issue_url(url).project_path == "gitlab/acme/app"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme/app#1",
        "gitlab.com/acme/app/-/issues/1",
        "https://gitlab.com/acme/app/-/issues/",
        "https://gitlab.com/acme/app/-/issues/0",
        "https://gitlab.com/acme/app/-/issues/1x",
        "https://gitlab.com/acme/app/-/issues/١",
        "https://gitlab.com/acme/app/-/merge_requests/1",
        "https://gitlab.com/groups/acme/-/epics/1",
        "https://gitlab.com/app/-/issues/1",
        "https://gitlab.com/../app/-/issues/1",
        "https://gitlab.com/acme/%2e%2e/-/issues/1",
        "https://user:secret@gitlab.com/acme/app/-/issues/1",
        "javascript://gitlab.com/acme/app/-/issues/1",
        "https://[bad/acme/app/-/issues/1",
        "https://gitlab.com:port/acme/app/-/issues/1",
        "https://gitlab.com/" + "a/" * 2_000 + "-/issues/1",
        "https://gitlab.com/acme/app/-/issues/99999999999999999999",
    ],
)
def test_what_is_not(url: str) -> None:
    with pytest.raises(ValueError, match=r"^[“A-Z].*\.$"):
        parse_issue_url(url)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="password") as refused:
        parse_issue_url("https://user:secret@gitlab.com/acme/app/-/issues/1")
    assert "secret" not in str(refused.value)


@given(st.text())
def test_nothing_but_value_error_comes_of_any_text(text: str) -> None:
    for url in (text, f"https://{text}", f"https://gitlab.com/{text}/-/issues/1"):
        try:
            ref = parse_issue_url(url, text)
        except ValueError:
            continue
        assert ref.iid > 0
