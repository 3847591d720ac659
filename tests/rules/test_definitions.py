"""GitLab's feature flag definition files: the real ones, and damaged ones."""

from __future__ import annotations

import pytest

from rollouts.rules.definitions import TYPES, FlagDefinition, parse_definition
from tests.conftest import SHARED
from tests.rules.plans import faults_of

GOOD = """\
---
name: use_claude_code_completion
description:
feature_issue_url: ""
introduced_by_url: https://gitlab.com/gitlab-org/gitlab/-/merge_requests/180796
rollout_issue_url: https://gitlab.com/gitlab-org/gitlab/-/issues/518109
milestone: '17.10'
group: group::ai coding
type: beta
default_enabled: false
"""


def test_a_definition_says_what_the_flag_is():
    assert parse_definition(GOOD, source="flags/beta/use_claude_code_completion.yml") == FlagDefinition(
        name="use_claude_code_completion",
        type="beta",
        default_enabled=False,
        group="group::ai coding",
        milestone="17.10",
        introduced_by_url="https://gitlab.com/gitlab-org/gitlab/-/merge_requests/180796",
        rollout_issue_url="https://gitlab.com/gitlab-org/gitlab/-/issues/518109",
    )


def test_keys_that_gitlab_adds_later_do_no_harm():
    assert parse_definition(GOOD + "something_new: {a: 1}\n") == parse_definition(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("name: use_claude_code_completion\n", "", 2, "`name` is missing"),
        ("name: use_claude", "name: use/claude", 2, "has a slash (/) in it"),
        ("name: use_claude", "name: use claude", 2, "has a space in it"),
        ("type: beta\n", "", 2, "`type` is missing"),
        ("type: beta", "type: betta", 9, "GitLab has no flags of type «betta». Did you mean `beta`?"),
        ("default_enabled: false", "default_enabled: 'false'", 10, "must be true or false, not the text «false»"),
        ("default_enabled: false", "default_enabled: no", 10, "must be true or false, not the text «no»"),
        ("default_enabled: false\n", "", 2, "`default_enabled` is missing"),
        ("milestone: '17.10'", "milestone: 17.10", 7, "milestone must be text, not the number 17.1"),
        ("milestone: '17.10'", "milestone: soon", 7, "is not a release"),
        ("https://gitlab.com/gitlab-org/gitlab/-/issues/518109", "issue 518109", 6, "not a web address"),
        ("group: group::ai coding", "group: [a]", 8, "group must be text, not a list"),
        ("type: beta", "type: beta\ntype: ops", 10, "`type` is here twice: first on line 9"),
        ("type: beta", "type: [beta", 10, "bracket"),
    ],
)
def test_a_damaged_definition_is_named_by_line(old, new, line, message):
    assert old in GOOD
    (fault,) = faults_of(parse_definition, GOOD.replace(old, new, 1))
    assert message in fault.message
    assert fault.line == line


def test_a_file_is_named_after_its_flag():
    (fault,) = faults_of(parse_definition, GOOD, source="config/feature_flags/beta/other.yml")
    assert str(fault) == (
        "config/feature_flags/beta/other.yml, line 2: the flag is named use_claude_code_completion, "
        "but its file other.yml. Rename one of them."
    )


@pytest.mark.shared
def test_every_definition_of_gitlab_can_be_read():
    files = sorted((SHARED / "gitlab" / "flags").rglob("*.yml"))
    found = [parse_definition(file.read_bytes(), source=str(file)) for file in files]
    assert len(found) == len({flag.name for flag in found}) == 850
    assert {flag.type for flag in found} == set(TYPES) - {"markdown_cache"}
    assert sum(flag.default_enabled for flag in found) == 142
    assert sum(bool(flag.rollout_issue_url) for flag in found) == 654
