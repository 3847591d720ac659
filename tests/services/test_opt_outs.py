"""Somebody who is opted out stays out, at every step, and above all when everybody else is let in."""

from __future__ import annotations

import pytest

from rollouts.models import GitLabWrite
from rollouts.rules.document import DocumentRefused
from rollouts.services.gates import commands_to
from rollouts.sync import outbox
from tests.admin.pages import form_of
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
ACTORS = 'actors: ["user:ann", "group:acme/code"]'


@pytest.fixture
def opted(world, settings):
    """The plan lets ann and a group in first, and keeps bob out for good; the portal sets the flag itself."""
    settings.GITLAB_WRITES = "flags"
    world.gitlab.state.add_user("bob")
    world.obey = lambda: (outbox.work(), world.sync())
    return world


def plan(world, **changes):
    kept_out = 'actors: ["user:ann", "group:acme/code", "user:bob:opt_out"]'
    world.apply_text(world.document(**changes).replace(ACTORS, kept_out))
    world.sync()
    world.confirm()


def who(world):
    """Whether the flag is on for bob, and for somebody else, as GitLab was read."""
    read = world.facts().reading.exposure
    (bob,) = (actor.removesuffix(":opt_out") for actor in world.facts().expected.opt_outs)
    return read.includes(bob, flag="use_haiku"), read.includes("User:999999", flag="use_haiku")


def commands(world):
    """What the page shows to copy."""
    told = world.facts()
    return commands_to(world.rollout(), told, told.expected)


def test_who_is_opted_out_stays_out_at_100_percent_and_on_the_way_back(opted):
    plan(opted)
    opted.up_to("everyone", "active")
    opted.climb("everyone")
    assert opted.phase("everyone").percentage == 100
    assert who(opted) == (False, True)
    assert opted.facts().drift == "none"
    opted.sync()
    assert opted.phase("everyone").confirmed_at is not None
    assert not GitLabWrite.objects.exclude(state="done").exists()
    opted.gitlab.state.set_feature("use_haiku", "true")  # which wipes the opt-out
    opted.sync()
    assert opted.rollout().drift == "ahead"
    (mend,) = commands(opted)
    assert "opt_out" in mend.api
    opted.do("roll_back", "everyone", "mia", reason="wrong answers")
    opted.obey()
    assert who(opted)[0] is False
    assert opted.facts().drift == "none"


def test_a_person_is_told_to_opt_out_again_after_everyone(opted, settings):
    plan(opted)
    opted.up_to("company", "completed")
    opted.confirm("everyone")
    settings.GITLAB_WRITES = "off"
    opted.do("request", "everyone", "mia", to=100)
    opted.approve("everyone")
    opted.do("start", "everyone", "mia")
    first, second = commands(opted)
    assert first.words == "Let 100 % of actors in, also who is opted out until the next command has run"
    assert second.chat == "/chatops gitlab run feature set use_haiku opt_out --user=bob"


def test_a_projects_flag_takes_no_opt_outs(opted):
    text = opted.document().replace("flag: {name: use_haiku}", "flag: {name: use_haiku, project: acme/app}")
    text = text.replace("{groups: [acme_team_members]}", '{actors: ["user:ann", "user:bob:opt_out"]}')
    with pytest.raises(DocumentRefused) as refused:
        opted.apply_text(text)
    assert "a project's flag knows no opt-outs. Take user:bob:opt_out out" in str(refused.value)


def test_neither_does_the_admins_form(opted):
    text = opted.document().replace("flag: {name: use_haiku}", "flag: {name: use_haiku, project: acme/app}")
    opted.apply_text(text.replace("{groups: [acme_team_members]}", '{actors: ["user:ann"]}'))
    root, path = signed_in(opted, "root"), f"/admin/rollouts/phase/{opted.phase('team').pk}/change/"
    answer = root.post(path, {**form_of(root, path), "actors": "user:ann\nuser:bob:opt_out"})
    assert "Take user:bob:opt_out out" in answer.content.decode()
    assert "user:bob:opt_out" not in opted.phase("team").actors
