"""The editor of plan templates: the preview is what a new rollout would be, and it says what saving means for the others."""

import pytest

from rollouts.models import PlanTemplate

pytestmark = pytest.mark.django_db
TEMPLATES = "/admin/rollouts/plantemplate/"


@pytest.fixture
def ours(client_of):
    """A template of our own, made from a copy."""
    root = client_of("root")
    initial = root.get(f"{TEMPLATES}add/?copy=code_suggestions").context["adminform"].form.initial
    root.post(f"{TEMPLATES}add/", {**initial, "title": "Ours"})
    return PlanTemplate.objects.get(slug="code_suggestions_copy")


def preview(client, document, stored=""):
    return client.post(f"{TEMPLATES}preview/", {"document": document, "stored": stored}).content.decode()


def test_the_preview_shows_phases_steps_checklist_and_approvals(client_of, ours):
    page = preview(client_of("mia"), ours.document)
    for words in (
        "1. Owning team",
        "Feature groups: gitlab_team_members",
        "The release is announced",
        "At its quickest 1, 10, 25, 50, 75, 100 % take 1 h 15 min, and 1 d 1 h until the phase may complete.",
        "The start: 2 approvals by approvers, within 14 d.",
        "All users: planned",
    ):
        assert words in page, words


def test_faults_are_told_with_their_lines(client_of, ours):
    page = preview(client_of("root"), ours.document.replace("    audience: groups", "    audience: grups"))
    line = ours.document.split("\n").index("    audience: groups") + 1
    assert f'data-wrong="{line}"' in page
    assert f"{line} │     audience: grups" in page
    assert "1 fault" in preview(client_of("root"), "")


def test_the_preview_says_what_saving_means_for_rollouts_that_exist(world, client_of, ours):
    root = client_of("root")
    changed = ours.document.replace("needed: 2, roles: [approver]", "needed: 3, roles: [approver]")
    assert "No rollout was made from it yet" in preview(root, changed, ours.pk)
    world.apply()
    rollouts_own = PlanTemplate.objects.get(slug="code_suggestions")
    page = preview(root, changed.replace("code_suggestions_copy", "code_suggestions"), rollouts_own.pk)
    assert "1 rollout was made from it. It keeps its phases, steps, soaks and checklist: they were copied." in page
    assert "Who must approve Whole company changes for them at once: The start: 3 approvals" in page
    assert "<ins>+    approvals: {needed: 3, roles: [approver], lives: 14d}</ins>" in page
    gone = rollouts_own.document.replace("name: team", "name: friends").replace("phase: team", "phase: friends")
    page = preview(root, gone, rollouts_own.pk)
    assert "Owning team is new: they get it when their plan is applied the next time." in page
    assert "Owning team is gone" in page


def test_the_preview_button_shows_what_was_written_and_saves_nothing(client_of, ours):
    root, path = client_of("root"), f"{TEMPLATES}{ours.pk}/change/"
    written = {"title": "Ours", "slug": ours.slug, "document": ours.document.replace("soak: 15m", "soak: 3h")}
    page = root.post(path, {**written, "_preview": "1"}).content.decode()
    assert "soak: 3h" in page
    assert "<ins>+    soak: 3h</ins>" in page
    assert PlanTemplate.objects.get(pk=ours.pk).document == ours.document
    page = root.post(f"{TEMPLATES}add/", {**written, "title": "Fresh", "_preview": "1"}).content.decode()
    assert 'value="Fresh"' in page
    assert PlanTemplate.objects.count() == 2
    assert root.post(path, written).status_code == 302
    assert "soak: 3h" in PlanTemplate.objects.get(pk=ours.pk).document


def test_the_preview_is_for_those_who_enter(client_of, ours):
    assert client_of("vic").post(f"{TEMPLATES}preview/", {"document": "x"}).status_code == 403
    assert client_of("mia").get(f"{TEMPLATES}preview/").status_code == 405
    assert client_of("mia").post(f"{TEMPLATES}preview/", {"document": "x", "stored": "9" * 30}).status_code == 200
    posted = {"title": "x", "slug": ours.slug, "document": "x: 1", "_preview": "1"}
    assert client_of("mia").post(f"{TEMPLATES}{ours.pk}/change/", posted).status_code == 200
    assert PlanTemplate.objects.get(pk=ours.pk).document == ours.document
