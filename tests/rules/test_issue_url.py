"""Addresses of issues, as people paste them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
