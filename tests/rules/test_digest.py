"""What differs between what was asked for and what is now, in sentences."""

from __future__ import annotations

import copy
from datetime import timedelta

import pytest

from rollouts.rules import digest
from rollouts.rules.approval_policy import PhasePolicy, Policy


def step(percentage, soak=900, at=None, auto=False):
    return {"percentage": percentage, "soak": soak, "planned_at": at, "auto": auto}


CONTENT = {
    "form": digest.FORM,
    "what": {"phase": "everyone", "percentage": "25", "is_start": False},
    "exposure": "25 %",
    "model": {"slug": "haiku"},
    "expires_at": "2026-12-01T09:00:00+00:00",
    "plan": {
        "everyone": {
            "title": "All users", "optional": False, "audience": "everyone", "policy": PhasePolicy().as_json(),
            "steps": [step("1"), step("25")], "final_soak": 86400,
        }
    },
    "checklist": {
        "announced": {
            "title": "The release is announced", "kind": "announcement", "required": True, "gate": "start",
            "done": False, "by": "", "evidence": "", "channel": "",
        }
    },
    "guard_metrics": {"latency_p95": {"at_most": 1200, "unit": "ms"}},
    "approvals": Policy().as_json(),
}  # fmt: skip
LONG = "x" * 201
MORE_APPROVALS = PhasePolicy(start=Policy(needed=2)).as_json()


def everyone(content):
    return content["plan"]["everyone"]


def announced(content):
    return content["checklist"]["announced"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, "codestral", "was nothing, is codestral."),
        ("codestral", "", "was codestral, is nothing."),
        ([], ["a", "b"], "was nothing, is a, b."),
        (True, False, "was yes, is no."),
        (0, 1, "was 0, is 1."),
    ],
)
def test_what_was_and_is_is_told_in_words(before, after, told):
    (sentence,) = digest.changes({"form": 1, "baseline": before}, {"form": 1, "baseline": after})
    assert sentence.endswith(f": {told}")


def test_contents_of_two_forms_are_not_compared_and_equal_ones_differ_in_nothing():
    assert digest.changes({"form": 1, "baseline": "a"}, {"form": 2, "baseline": "b"}) == []
    assert digest.changes({"form": 1, "baseline": "a"}, {"form": 1, "baseline": "a"}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda c: everyone(c).update(policy=MORE_APPROVALS),
            "Plan, “All users”, who must approve, before: The start: 1 approval by approvers, within 14 d. Each step of "
            "at least 50 %: 2 approvals. A step of more than 25 points, or past planned steps: 2. Now: The start: 2 "
            "approvals by approvers, within 14 d. Each step of at least 50 %: 2 approvals. A step of more than 25 "
            "points, or past planned steps: 2.",
        ),
        (
            lambda c: c.update(approvals=Policy(needed=2, lives=timedelta(days=1)).as_json()),
            "Approvals: was 1 approval by approvers, within 14 d, is 2 approvals by approvers, within 1 d.",
        ),
        (lambda c: everyone(c).update(final_soak=3600), "Plan, “All users”, final soak: was 1d, is 1h."),
        (
            lambda c: everyone(c).update(steps=[step("1"), step("50", 3600, "2026-12-01T09:00:00+00:00", True)]),
            "Plan, “All users”, steps: was 1 % for 15m, 25 % for 15m, is 1 % for 15m, 50 % for 1h planned 1 Dec 09:00 "
            "UTC by itself.",
        ),
        (
            lambda c: announced(c).update(done=True, by="mia", evidence="a link", channel="chat"),
            "Checklist, “The release is announced”: was open, is done, by mia: a link, in chat.",
        ),
        (lambda c: announced(c).update(done=True), "Checklist, “The release is announced”: was open, is done."),
        (
            lambda c: announced(c).update(done=True, by="mia", evidence=LONG),
            f"Checklist, “The release is announced”: was open, is done, by mia: {LONG[:200]}.",
        ),
        (
            lambda c: announced(c).update(waiver={"by": "alice", "until": "2026-12-01T09:00:00+00:00"}),
            "Checklist, “The release is announced”: was open, is open, waived by alice until 1 Dec 09:00 UTC.",
        ),
        (
            lambda c: announced(c).update(required=False),
            "Checklist, “The release is announced”, required: was yes, is no.",
        ),
        (
            lambda c: c["checklist"].pop("announced"),
            "Checklist, “The release is announced”: was open, is nothing.",
        ),
        (
            lambda c: c["guard_metrics"]["latency_p95"].update(at_most=1100),
            "Guard metrics, “latency p95”: was at most 1,200 ms, is at most 1,100 ms.",
        ),
        (lambda c: c["guard_metrics"].clear(), "Guard metrics, “latency p95”: was at most 1,200 ms, is nothing."),
        (lambda c: c["what"].update(percentage="50"), "What, “percentage”: was 25 %, is 50 %."),
        (
            lambda c: c.update(expires_at="2026-12-02T09:00:00+00:00"),
            "expires: was 1 Dec 09:00 UTC, is 2 Dec 09:00 UTC.",
        ),
        (
            lambda c: c["plan"].update(company={"title": "Whole company", "optional": False}),
            "Plan, “Whole company”: was nothing, is title Whole company, optional no.",
        ),
        (
            lambda c: c.update(model={"slug": "haiku", "lead_time_seconds": 1_209_600}),
            "AI model, “lead time of the quota”: was nothing, is 2w.",
        ),
        (lambda c: c["plan"].pop("everyone"), None),
    ],
)
def test_each_kind_of_part_has_a_sentence_of_its_own(change, told):
    now = copy.deepcopy(CONTENT)
    change(now)
    sentences = digest.changes(CONTENT, now)
    if told is None:
        assert sentences[0].startswith("Plan, “All users”: was title All users")
    else:
        assert sentences == [told]
    assert digest.of(now) != digest.of(CONTENT)


def test_a_phase_that_is_renamed_is_told_where_it_stands_and_where_it_is_asked_for():
    now = copy.deepcopy(CONTENT)
    everyone(now)["title"] = "Everybody"
    assert digest.changes(CONTENT, now) == [
        "Plan, “Everybody”, title: was All users, is Everybody.",
        "What, “phase”: was All users, is Everybody.",
    ]


def test_an_item_whose_question_changed_is_told_field_by_field():
    now = copy.deepcopy(CONTENT)
    announced(now).update(required=False, done=True)
    assert digest.changes(CONTENT, now) == [
        "Checklist, “The release is announced”, done: was no, is yes.",
        "Checklist, “The release is announced”, required: was yes, is no.",
    ]


def test_the_whole_in_sentences_leaves_out_what_is_empty_and_what_is_a_name():
    content = copy.deepcopy(CONTENT)
    content["baseline"] = ""
    content["checklist"]["late"] = {"title": "Later", "kind": "announcement", "required": False, "gate": "start"}
    assert digest.sentences(content) == [
        "Approvals: 1 approval by approvers, within 14 d",
        "Checklist, “The release is announced”: open",
        "Checklist, “Later”: not needed for this",
        "expires: 1 Dec 09:00 UTC",
        "Who sees it then: 25 %",
        "Guard metrics, “latency p95”: at most 1,200 ms",
        "AI model, “name in addresses”: haiku",
        "Plan, “All users”, audience: everyone",
        "Plan, “All users”, final soak: 1d",
        "Plan, “All users”, optional: no",
        f"Plan, “All users”, who must approve: {PhasePolicy().words(has_ramp=True)}",
        "Plan, “All users”, steps: 1 % for 15m, 25 % for 15m",
        "What, “begins the phase”: no",
        "What, “percentage”: 25 %",
        "What, “phase”: All users",
    ]


def test_the_digest_is_of_what_stands_there_whatever_its_order():
    turned = {key: CONTENT[key] for key in reversed(CONTENT)}
    assert digest.of(turned) == digest.of(CONTENT)
