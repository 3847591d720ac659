"""Comments of feedback issues: read as GitLab has them, counted since the phase began, and never told to who may not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client

from rollouts.models import IssueFeedback
from rollouts.services import tokens
from tests.markup import flat
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
HERE, INSIDE = "The completions are quicker", "The name of a customer, for few eyes"


def say_something(world):
    state = world.gitlab.state
    note = state.add_note("acme/app", 14, HERE, author="ann")
    state.add_note("acme/app", 14, INSIDE, author="bob", internal=True)
    state.react("acme/app", 14, "tada", by="ann")
    for person in ("ann", "bob"):
        state.react("acme/app", 14, "thumbsup", by=person, note=note["id"])
    state.set_issue("acme/app", 14, labels=["feedback::good"])


def at_each_door(world, name, capsys):
    """What page, API and command tell this person of the feedback issue; the same."""
    _, token = tokens.issue(world.people[name], "look", world.actor(name))
    program = Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/rollouts/haiku/feedback")
    page = signed_in(world, name).get("/rollouts/haiku/")
    call_command("feedback", "haiku", "--as", name, "--json")
    assert program.json() == json.loads(capsys.readouterr().out)
    (told,) = program.json()["feedback"]
    assert [one.as_json() for one in page.context["page"].comments] == [told]
    return told, flat(page)


def test_the_newest_comments_are_told_with_their_number_and_reactions(world, capsys, time_machine):
    world.apply()
    world.sync()
    world.gitlab.state.add_note("acme/app", 14, "Before anybody used it", author="ann")
    time_machine.move_to(world.now() + timedelta(minutes=1))
    world.confirm()
    world.up_to("team", "active")
    time_machine.move_to(world.now() + timedelta(minutes=1))
    say_something(world)
    world.sync()
    told, page = at_each_door(world, "mia", capsys)
    assert (told["count"], told["is_more"], told["phase"]) == (2, False, "Owning team")
    assert [one["body"] for one in told["comments"]] == [INSIDE, HERE, "Before anybody used it"]
    assert told["reactions"] == {"thumbsup": 2, "tada": 1}
    assert told["comments"][1]["reactions"] == {"thumbsup": 2}
    assert told["labels"] == ["feedback::good"]
    for words in (HERE, INSIDE, "2 comments since Owning team began", ":thumbsup:", "feedback::good"):
        assert words in page


def test_an_internal_comment_is_told_to_who_may_see_it_only(world, capsys):
    world.up_to("team", "active")
    say_something(world)
    world.sync()
    told, page = at_each_door(world, "vic", capsys)
    assert [one["body"] for one in told["comments"]] == [HERE]
    assert told["count"] == 1, "an internal comment is not even counted"
    assert INSIDE not in page


def test_of_a_confidential_issue_nothing_is_told_to_who_may_not_see_it(world, capsys):
    world.up_to("team", "active")
    say_something(world)
    world.sync()
    world.gitlab.state.set_issue("acme/app", 14, confidential=True)
    world.sync()
    told, page = at_each_door(world, "vic", capsys)
    assert (told["may_see"], told["count"], told["comments"], told["reactions"], told["labels"]) == (
        False, 0, [], {}, []
    )  # fmt: skip
    assert HERE not in page
    assert at_each_door(world, "mia", capsys)[0]["count"] == 2


def test_what_people_write_is_text(world):
    world.up_to("team", "active")
    world.gitlab.state.add_note("acme/app", 14, "<script>alert(1)</script> [x](javascript:1)", author="ann")
    world.sync()
    content = signed_in(world, "mia").get("/rollouts/haiku/").content.decode()
    assert "&lt;script&gt;alert(1)" in content
    assert "<script>alert(1)" not in content


def test_it_is_asked_for_where_something_was_said_and_again_after_a_while(world, time_machine):
    def asked():
        world.gitlab.forget_requests()
        world.sync()
        return [one.path.rpartition("/issues/")[2] for one in world.gitlab.requests if "/issues/" in one.path]

    world.apply()
    world.sync()
    assert asked() == [], "nobody has commented"
    note = world.gitlab.state.add_note("acme/app", 14, HERE)["id"]
    assert asked() == ["14/notes", "14/award_emoji", f"14/notes/{note}/award_emoji"]
    assert asked() == []
    world.gitlab.state.react("acme/app", 14, "thumbsdown", note=note)  # which moves no updated_at
    time_machine.move_to(world.now() + timedelta(minutes=11))
    assert len(asked()) == 3
    assert IssueFeedback.objects.get().comments[0]["reactions"] == {"thumbsdown": 1}


def test_what_gitlab_refuses_leaves_what_was_known(world):
    world.up_to("team", "active")
    say_something(world)
    world.sync()
    known = IssueFeedback.objects.get()
    world.gitlab.state.add_note("acme/app", 14, "later")
    world.gitlab.fail(path="/notes", status=500)
    (report,) = world.sync()
    assert [problem.scope for problem in report.problems] == ["acme/app#14"]
    assert IssueFeedback.objects.get().comments == known.comments
