"""A value that can't be read is refused in words at every door; nothing is done in its place."""

from __future__ import annotations

import html

import pytest
from django.test import Client

from rollouts.models import AuditEvent, Phase, Rollout
from rollouts.services import tokens
from tests.commands.running import run
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
BAD = [
    ("to", "50 %"), ("to", "fifty"), ("to", "-1"), ("to", "1e400"), ("to", "NaN"), ("to", "101"),
    ("seen", "x"), ("seen", "-1"), ("seen", "1.0"), ("seen", "٣"), ("seen", "9" * 30), ("seen", " "),
    ("request", "x"), ("request", "1,2"), ("request", "9" * 30), ("override", "true"), ("override", "YES"),
]  # fmt: skip
#: What a refusal of each says.
WORDS = {
    "to": "is no percentage from",
    "seen": "is no number",
    "request": "is no number",
    "override": "is not understood",
}


@pytest.fixture
def stands():
    """How all stands: what a refusal must leave as it is."""

    def do():
        phases = Phase.objects.order_by("pk").values_list("pk", "state", "version", "current_step")
        return list(phases), list(Rollout.objects.values_list("state", "version")), AuditEvent.objects.count()

    return do


def text_of(answer):
    return html.unescape(answer.content.decode())


@pytest.mark.parametrize(("name", "bad"), BAD)
def test_a_button_with_a_value_that_can_not_be_read_does_nothing(world, stands, name, bad):
    world.up_to("team", "active")
    mia, said = signed_in(world, "mia"), {"reason": "slow", name: bad}
    before = stands()
    for path in ("/rollouts/haiku/phases/team/pause/", "/rollouts/haiku/do/abandon/"):
        answer = mia.post(path, said)
        assert answer.status_code == 409, path
        assert WORDS[name] in text_of(answer), path
        assert mia.get(path, said).status_code == 409, "a dry run answers as the deed would"
    assert stands() == before
    phase = Phase.objects.get(rollout__slug="haiku", name="team")
    root = signed_in(world, "root")
    for path in (
        f"/admin/rollouts/phase/{phase.pk}/transition/pause/",
        f"/admin/rollouts/rollout/{phase.rollout_id}/transition/abandon/",
    ):
        answer = root.post(path, said)
        assert answer.status_code == 409, path
        assert WORDS[name] in text_of(answer), path
    assert stands()[:2] == before[:2]


@pytest.mark.parametrize(("name", "bad"), [pair for pair in BAD if pair[0] != "request"])
def test_the_inbox_refuses_it_too(world, stands, name, bad):
    world.up_to("team", "requested")
    asked = Phase.objects.get(rollout__slug="haiku", name="team").requests.get()
    before = stands()
    answer = signed_in(world, "alice").post(f"/approvals/{asked.pk}/reject/", {"reason": "no", name: bad})
    assert answer.status_code == 409
    assert WORDS[name] in text_of(answer)
    assert stands()[:2] == before[:2]


@pytest.mark.parametrize(
    ("name", "bad"),
    [("to", "50 %"), ("to", "50"), ("to", True), ("to", 0), ("seen", "x"), ("seen", "1"), ("seen", -1), ("seen", 1.0),
     ("request", "x"), ("request", 0), ("override", "yes"), ("override", 1), ("reason", 5), ("nonsense", 1)],
)  # fmt: skip
def test_the_api_refuses_it_with_its_name(world, stands, name, bad):
    world.up_to("team", "active")
    _, token = tokens.issue(world.people["mia"], "tests", world.actor("mia"))
    before = stands()
    answer = Client().post(
        "/api/v1/rollouts/haiku/phases/team/pause",
        {"reason": "slow", name: bad},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["name"] == name
    assert stands()[:2] == before[:2]


@pytest.mark.parametrize("bad", ["--to=50 %", "--to=fifty", "--to=NaN", "--seen=x", "--seen=1.0", "--request=x"])
def test_a_command_refuses_it_with_what_to_write(world, stands, bad):
    world.up_to("team", "active")
    before = stands()
    _, err, status = run("transition", "pause", "haiku", "team", "--as=mia", "--reason=slow", bad)
    assert status != 0
    assert bad.partition("=")[0] in err
    assert stands() == before
