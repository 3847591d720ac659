"""What people and plans write is words in GitLab: no command is run with the portal's token, nobody is called by it."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st

from gitlab_simulator import quick_actions
from rollouts.audit.recording import recorded
from rollouts.models import GitLabWrite, PlanTemplate
from rollouts.rules import gitlab_text
from rollouts.services import plans, templates, tokens
from rollouts.sync import outbox

MARK = "<!-- model-rollout-portal:00000000 -->"
HOSTILE = [
    "x\n\n/close\n/assign @ann\n@all",
    "/close",
    "x\r/close",
    "x\r\n\r\n/close",
    "/cl\rose",
    "x\u2028/close\u2029/close\x85/close\x0b/close\x0c/close",
    "x\n   /close\n\t/close\n \u00a0/close",
    "```\n```\n/close",
    "x\n```\n\n/close",
    "x\n>>>\n/close\n>>>\n/close",
    "</details>\n\n/close\n<details>\n",
    "<p>\n/close\n</p>\n/close",
    "<!--\n/close\n-->\n/close",
    f"{MARK}\n/close",
    "@all &#64;all &commat;all \\@all `@all` *@*all",
    "]: /close\n[x]: /close\n/close",
    "\x00/close\n\u200e/close\n\ufeff/close",
    "$ /close\n\\\n/close",
]
MARKED = st.text(st.sampled_from("/close\\\n\r\t `~>@all&#64;<!->*[]:\u2028\u200b\x85\ufeffx "), max_size=60)


def harmless(text):
    left, commands = quick_actions.extract(text)
    assert commands == [], text
    assert quick_actions.mentions(text) == [], text
    assert "<" not in left


@given(MARKED | st.text(max_size=60))
@example("\n".join(HOSTILE))
def test_whatever_is_written_is_words_alone(text):
    for made in (gitlab_text.quoted(text), gitlab_text.inline(text), gitlab_text.document(text)):
        harmless(made)
        harmless(f"before\n\n{made}\n\nafter")
    assert all(line.startswith(">") for line in gitlab_text.quoted(text).split("\n") if line)
    assert "\n" not in gitlab_text.inline(text)
    assert "\n" not in gitlab_text.title(text)
    assert quick_actions.mentions(gitlab_text.title(text)) == []


@pytest.fixture
def issues(settings):
    settings.GITLAB_WRITES = "issues"


def work_all():
    while outbox.work().ids:
        pass


def untouched(world, iid=12):
    """The issue as only its people have made it, and its newest note."""
    issue = world.gitlab.state.issue("acme/app", iid)
    assert (issue["state"], issue["assignees"], issue["labels"], issue["title"]) == ("opened", [], [], "flag rollout")
    notes = [note for note in issue["notes"] if not note["system"]]
    assert [note["mentions"] for note in notes] == [[]] * len(notes)
    return notes[-1]["body"]


@pytest.mark.django_db
@pytest.mark.parametrize("reason", HOSTILE)
def test_a_reason_runs_nothing_in_gitlab(world, issues, reason):
    world.apply()
    world.sync()
    world.confirm()
    world.confirm("team")
    _, token = tokens.issue(world.people["mia"], "t", world.actor("mia"))
    answer = Client(headers={"Authorization": f"Bearer {token}"}).post(
        "/api/v1/rollouts/haiku/phases/team/request", json.dumps({"reason": reason}), content_type="application/json"
    )
    assert answer.status_code in (200, 400, 422), answer.content
    work_all()
    if answer.status_code == 200:
        body = untouched(world)
        assert body.count("<!--") == 1  # our own mark
        assert "asked for **Owning team**" in body
        assert GitLabWrite.objects.get().state == "done"


@pytest.mark.django_db
def test_what_an_earlier_version_owes_runs_nothing_either(world, issues):
    world.apply()
    world.sync()
    world.confirm()
    world.confirm("team")
    world.do("request", "team", "mia")
    write = GitLabWrite.objects.get()
    with recorded("test", by=world.actor("root")):
        write.payload = {**write.payload, "body": "**mia** asked.\n\n> x\n\n/close\r/close\n  /label ~x"}
        write.save()
    work_all()
    assert "/close" in untouched(world)


TEMPLATE_ISSUE = """
    title: "Internal feedback: {title} @all"
    description: |
      /close
      /assign @ann
      {title}
      @all please, @acme/code too &#64;all
      Owners: {owners}
      <!-- hidden
"""


@pytest.mark.django_db
def test_titles_and_descriptions_run_nothing_and_call_only_owners_that_gitlab_knows(world, issues):
    row = PlanTemplate.objects.get(slug="code_suggestions")
    head, _, rest = row.document.partition('  internal_feedback:\n    title: "Internal feedback: {title}"\n')
    assert rest
    text = f"{head}  internal_feedback:{TEMPLATE_ISSUE}".replace("template: code_suggestions", "template: ours", 1)
    templates.save(text, by=world.actor("root"), source="template.yaml")
    document = world.document(title='"/close @all `x` <!-- y"')
    document = document.replace("owners: [mia]", "owners: [ann, mia]").replace("workload:", "template: ours\nworkload:")
    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    world.sync()  # user:ann is resolved: the plan names her
    document = document.replace("rollout: haiku", "rollout: second")
    document = document.replace(f"  internal_feedback: {world.gitlab.url}/acme/app/-/issues/14\n", "")
    plans.apply(document, by=world.actor("mia"), source="plan.yaml")
    work_all()
    write = GitLabWrite.objects.get(kind="create_issue")
    assert write.state == "done", write.words
    made = world.gitlab.state.issue("acme/app", write.result["iid"])
    assert (made["state"], made["assignees"]) == ("opened", [])
    assert quick_actions.mentions(made["title"]) == []
    assert quick_actions.mentions(made["description"]) == ["ann"]
    assert made["description"].count("<!--") == 1
    assert "\\/close" in made["description"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("one\\ntwo", "one line"),
        ("one\\u2028two", "one line"),
        ("evil\\u202Etxt.exe", "U+202E"),
        ("a\\u200Eb", "U+200E"),
    ],
)
def test_a_title_is_one_line_of_what_it_looks_like(world, title, words):
    world.apply()
    _, token = tokens.issue(world.people["mia"], "t", world.actor("mia"))
    answer = Client(headers={"Authorization": f"Bearer {token}"}).put(
        "/api/v1/rollouts/haiku/plan", world.document(title=f'"{title}"'), content_type="application/yaml"
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert world.rollout().title == "Claude Haiku"
    client = Client()
    client.force_login(world.people["root"])
    path = f"/admin/rollouts/rollout/{world.rollout().pk}/change/"
    posted = client.post(path, {"title": title.encode().decode("unicode_escape"), "owners": "mia"})
    assert posted.status_code == 200
    assert world.rollout().title == "Claude Haiku"


@pytest.mark.django_db
def test_the_simulator_obeys_as_gitlab_does(world):
    import requests

    headers = {"PRIVATE-TOKEN": world.gitlab.token}
    notes = f"{world.gitlab.url}/api/v4/projects/acme%2Fapp/issues/12/notes"
    answer = requests.post(notes, {"body": "thanks\n/close\n/assign @ann\n`/reopen`"}, headers=headers, timeout=5)
    assert answer.status_code == 201
    issue = world.gitlab.state.issue("acme/app", 12)
    assert (issue["state"], issue["assignees"]) == ("closed", ["ann"])
    assert issue["notes"][-1]["body"] == "thanks\n`/reopen`"
    answer = requests.post(notes, {"body": "/reopen"}, headers=headers, timeout=5)
    assert (answer.status_code, answer.json()["commands_changes"]) == (202, {"state": "opened"})
    fenced = "```\n/close\n```\n@ann and `@all`"
    requests.post(notes, {"body": fenced}, headers=headers, timeout=5)
    assert world.gitlab.state.issue("acme/app", 12)["state"] == "opened"
    assert world.gitlab.state.issue("acme/app", 12)["notes"][-1]["mentions"] == ["ann"]
