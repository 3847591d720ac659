"""Who is in, by the rules of GitLab's instance flags and of Unleash's clients; age and quota beside."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.rules import unleash
from rollouts.rules.capacity import Sender, use
from rollouts.rules.exposure import Exposure, enters_at
from rollouts.rules.inclusion import Gate, in_instance, in_project, wanted_actor
from rollouts.rules.lifetime import lifetime, overdue_milestones
from rollouts.rules.retirement import retirement

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "value"), [(b"", 0), (b"hello", 0x248BFA47), (b"hello, world", 0x149BBB7F), (b"test", 0xBA6BD213)]
)
def test_murmur3_gives_its_published_values(content, value):
    assert unleash.murmur3(content) == value


@pytest.mark.parametrize(("user_id", "group_id", "percentage"), [("123", "gr1", 73), ("999", "groupX", 25)])
def test_ids_are_spread_as_all_clients_of_unleash_do(user_id, group_id, percentage):
    assert unleash.enters_at(user_id, group_id=group_id) == percentage


@pytest.mark.parametrize(
    ("gates", "actor", "inside", "gate"),
    [
        ({"boolean": True}, "User:1", True, Gate.EVERYONE),
        ({"boolean": True, "actors": {"User:1:opt_out"}}, "User:1", False, Gate.OPTED_OUT),
        ({"boolean": True, "actors": {"User:1:opt_out"}}, "User:2", True, Gate.EVERYONE),
        ({"actors": {"User:1"}}, "User:1", True, Gate.NAMED),
        ({"actors": {"User:1"}}, "User:2", False, Gate.NONE),
        ({"groups": {"company"}}, "User:1", None, Gate.ONLY_GITLAB_KNOWS),
        ({"percentage_of_time": Decimal(50)}, "User:1", None, Gate.ONLY_GITLAB_KNOWS),
        ({}, "User:1", False, Gate.NONE),
    ],
)
def test_the_gate_that_decides_is_named(gates, actor, inside, gate):
    exposure = Exposure(**{key: frozenset(v) if isinstance(v, set) else v for key, v in gates.items()})
    inclusion = in_instance(actor, flag="f", exposure=exposure)
    assert (inclusion.inside, inclusion.gate) == (inside, gate)
    assert inclusion.enters_at == enters_at(actor, flag="f")


def test_nothing_is_said_of_what_was_never_read():
    assert in_instance("User:1", flag="f", exposure=None).gate is Gate.UNREAD
    assert in_project("1", exposure=None, strategies=[], environment="production").inside is None


def flexible(rollout, stickiness="default", group="gr1", scope="production"):
    parameters = {"groupId": group, "rollout": str(rollout), "stickiness": stickiness}
    return {"name": "flexibleRollout", "parameters": parameters, "scopes": [scope]}


@pytest.mark.parametrize(
    ("strategies", "inside"),
    [
        ([flexible(73)], True),
        ([flexible(72)], False),
        (
            [{"name": "gradualRolloutUserId", "parameters": {"groupId": "gr1", "percentage": "73"}, "scopes": ["*"]}],
            True,
        ),
        ([flexible(73, "random")], None),
        ([flexible(73, "sessionId"), flexible(72)], None),
        ([flexible(73), flexible(1, "sessionId")], True),
        ([flexible(73, scope="staging")], None),  # then the percentage came from elsewhere: by hand
        ([], None),
    ],
)
def test_a_projects_flag_follows_its_strategies(strategies, inside):
    exposure = Exposure(percentage_of_actors=Decimal(73))
    assert in_project("123", exposure=exposure, strategies=strategies, environment="production").inside is inside


@given(st.text("abc0189", min_size=1, max_size=12), st.integers(1, 99))
def test_a_higher_percentage_keeps_who_was_in(user_id, percentage):
    def inside(share):
        exposure = Exposure(percentage_of_actors=Decimal(share))
        return in_project(user_id, exposure=exposure, strategies=[flexible(share)], environment="production").inside

    assert inside(100) is True
    assert not inside(percentage) or inside(percentage + 1)


@pytest.mark.parametrize(
    ("typed", "actor"),
    [
        ("42", "User:42"),
        (" User:42 ", "User:42"),
        ("Group:9", "Group:9"),
        ("alice", "user:alice"),
        ("@alice", "user:alice"),
    ],
)
def test_what_people_type_is_taken_as_they_mean_it(typed, actor):
    assert wanted_actor(typed, in_project=False) == actor


@pytest.mark.parametrize(
    "typed", ["", "'; drop", "\U0001f680", "0", "User:", "-1", "<script>", "Ⅷ", "a" * 300, "User:1\n2"]
)
def test_what_is_no_actor_is_refused(typed):
    with pytest.raises(ValueError, match="write a user's number"):
        wanted_actor(typed, in_project=False)


def test_a_projects_id_is_any_text_without_a_comma():
    assert wanted_actor("Jürgen 🚀", in_project=True) == "Jürgen 🚀"
    assert wanted_actor("user:alice", in_project=True) == "alice"
    with pytest.raises(ValueError, match="no comma"):
        wanted_actor("a,b", in_project=True)


@pytest.mark.parametrize(
    ("flag_type", "milestone", "months", "overdue"),
    [
        ("beta", "19.0", 6, True),
        ("beta", "19.1", 5, False),
        ("wip", "18.10", 8, True),
        ("development", "16.4", 38, False),
    ],
)
def test_age_counts_from_the_release(flag_type, milestone, months, overdue):
    lived = lifetime(flag_type, milestone, NOW)
    assert (lived.months, lived.is_overdue) == (months, overdue)


def test_a_release_to_come_or_none_has_no_age():
    assert lifetime("beta", "99.1", NOW) is None
    assert lifetime("beta", "", NOW) is None
    assert overdue_milestones([("beta", "19.0"), ("beta", "19.1"), ("ops", "x")], NOW) == {"beta": ["19.0"]}


QUARTER = Decimal("0.25")


def test_use_adds_up_and_says_what_it_does_not_know():
    used = use(1000, [Sender("one", 1000, QUARTER), Sender("two", 4000, QUARTER, and_more=True)])
    assert (used.requests, used.percent, used.is_short, used.and_more) == (1250, 125, True, True)
    unknown = use(1000, [Sender("one", 1000, QUARTER), Sender("two", None, QUARTER), Sender("three", 10, None)])
    assert (unknown.requests, unknown.percent, unknown.unknown) == (250, None, ("two", "three"))


def test_a_retirement_needs_eyes_when_near_and_in_use():
    near = retirement(date(2027, 2, 14), NOW.date(), in_use=True)
    assert (near.days, near.needs_eyes, near.is_past) == (82, True, False)
    assert not retirement(date(2027, 2, 14), NOW.date(), in_use=False).needs_eyes
    assert not retirement(date(2028, 2, 14), NOW.date(), in_use=True).needs_eyes
    assert retirement(date(2026, 1, 1), NOW.date(), in_use=True).is_past
