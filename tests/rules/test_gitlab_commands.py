"""The commands to copy really bring GitLab there: they are run against the simulator, as the person at the chat would."""

from __future__ import annotations

import shlex
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitlab_simulator import Simulator
from rollouts.rules.commands import for_instance_flag, for_project_flag
from rollouts.rules.exposure import EVERYONE, NOBODY, Exposure

NAMES = {"User:1": "user:ann", "User:2": "user:ben", "Group:7": "group:acme/code"}
parts = st.builds(
    Exposure,
    percentage_of_actors=st.sampled_from([Decimal(0), Decimal(1), Decimal(25), Decimal("0.1")]),
    groups=st.frozensets(st.sampled_from(["staff", "partners"])),
    actors=st.frozensets(st.sampled_from(sorted(NAMES))),
)
exposures = st.one_of(parts, st.just(EVERYONE))


def run(state, flag, command):
    """What curl would post."""
    words = shlex.split(command.api)
    form = dict(word.split("=", 1) for position, word in enumerate(words) if words[position - 1] == "--form")
    value = form.pop("value")
    state.set_feature(flag, value, form.pop("key", None), **form)


def read(state, flag):
    found = next((feature for feature in state.features() if feature["name"] == flag), None)
    return Exposure.from_gates((gate["key"], gate["value"]) for gate in found["gates"]) if found else NOBODY


def set_to(state, wanted):
    """The actors' own ids depend on the order in which the simulator learned of them."""
    ids = {
        "User:1": f"User:{state.add_user('ann')}",
        "User:2": f"User:{state.add_user('ben')}",
        "Group:7": f"Group:{state.add_group('acme/code')}",
    }
    return ids, {ids[known]: name for known, name in NAMES.items()}


@given(exposures, exposures)
def test_from_any_exposure_the_commands_lead_to_any_other(before, wanted):
    state = Simulator().state
    ids, names = set_to(state, wanted)

    def known(exposure):
        actors = frozenset(ids[actor] for actor in exposure.actors)
        return Exposure(exposure.boolean, exposure.percentage_of_actors, Decimal(0), exposure.groups, actors)

    def go(to):
        commands = for_instance_flag("f", now=read(state, "f"), wanted=to, names=names, api_url="http://x/api/v4")
        for command in commands:
            run(state, "f", command)
        return commands

    go(known(before))
    assert read(state, "f").is_exactly(known(before))
    go(known(wanted))
    assert read(state, "f").is_exactly(known(wanted))
    assert go(known(wanted)) == ()


def test_to_no_percentage_everything_is_wiped_first_and_set_again():
    now = Exposure(percentage_of_actors=Decimal(25), groups=frozenset({"staff"}))
    commands = for_instance_flag(
        "f", now=now, wanted=Exposure(groups=frozenset({"staff"})), names={}, api_url="http://x"
    )
    assert [command.chat for command in commands] == [
        "/chatops gitlab run feature set f false",
        "/chatops gitlab run feature set f true --feature-group=staff",
    ]
    assert "nobody sees it" in commands[0].words


def test_a_lower_percentage_is_one_call():
    now, wanted = Exposure(percentage_of_actors=Decimal(50)), Exposure(percentage_of_actors=Decimal(25))
    (command,) = for_instance_flag("f", now=now, wanted=wanted, names={}, api_url="http://x/api/v4")
    assert command.chat == "/chatops gitlab run feature set f 25 --actors"
    assert "--form value=25 --form key=percentage_of_actors http://x/api/v4/features/f" in command.api


@pytest.mark.parametrize(
    ("wanted", "strategy"), [(EVERYONE, "default"), (Exposure(percentage_of_actors=Decimal(5)), "flexibleRollout")]
)
def test_a_project_flag_is_set_for_its_environment_only(wanted, strategy):
    present = [{"id": 1, "scopes": ["production"]}, {"id": 2, "scopes": ["staging"]}]
    (command,) = for_project_flag(
        "f", project="acme/app", environment="production", wanted=wanted, strategies=present, api_url="http://x/api/v4"
    )
    assert command.chat == ""
    assert f'"name": "{strategy}"' in command.api
    assert '{"id": 1, "_destroy": true}' in command.api
    assert '"id": 2' not in command.api
    assert "/projects/acme%2Fapp/feature_flags/f" in command.api
