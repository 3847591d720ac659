"""The admin in a browser: accessible in both themes, fitting a small screen, and its editor and bulk actions by hand."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from rollouts import models
from rollouts.services import tokens
from tests.browser.looks import axe

pytestmark = pytest.mark.browser


@pytest.fixture
def filled(portal, settings):
    """Something in nearly every list."""
    settings.GITLAB_WRITES = "issues"
    portal.up_to("team", "requested")
    tokens.issue(portal.people["mia"], "report", by=portal.actor("mia"))
    assert models.GitLabWrite.objects.exists()
    return portal


def pages():
    """Each kind of page once: the first page, lists, forms to change, to add and to look at, history, import, deletion."""
    yield "/admin/"
    for model in (models.Rollout, models.AIModel, models.FeatureFlag, User):
        yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    yield "/admin/rollouts/rollout/?q=nothing+like+it"
    looked_at = (
        models.Rollout,
        models.Phase,
        models.AIModel,
        models.GitLabInstance,
        models.ApprovalRequest,
        models.AuditEvent,
    )
    for model in (*looked_at, User):
        first = model._default_manager.order_by("pk").first()
        yield f"/admin/{model._meta.app_label}/{model._meta.model_name}/{first.pk}/change/"
    yield f"/admin/rollouts/rollout/{models.Rollout.objects.get().pk}/history/"
    yield f"/admin/rollouts/aimodel/{models.Rollout.objects.get().ai_model_id}/delete/"
    yield "/admin/rollouts/aimodel/import/"
    yield "/admin/rollouts/plantemplate/add/?copy=code_suggestions"
    yield "/admin/rollouts/checklistitem/add/"


def test_every_kind_of_page_is_accessible_in_both_themes_and_fits(filled, sign_in):
    root, found = sign_in("root"), []
    for path in list(pages()):
        assert root.goto(filled.url + path).status == 200
        broken = axe(root)
        root.emulate_media(color_scheme="dark")
        broken += axe(root, "color-contrast")
        root.emulate_media(color_scheme="light")
        found += [f"{path} {line}" for line in broken]
        root.set_viewport_size({"width": 360, "height": 900})
        if root.evaluate("document.documentElement.scrollWidth") > 360:
            found.append(f"{path} is wider than 360 px")
        root.set_viewport_size({"width": 1440, "height": 900})
    assert not found, "\n".join(found)


def test_the_editor_previews_while_one_writes_and_rows_are_done_together(filled, sign_in):
    root = sign_in("root")
    root.goto(f"{filled.url}/admin/rollouts/plantemplate/add/?copy=code_suggestions")
    text = root.locator("textarea[name=document]")
    written = text.input_value()
    text.fill(written.replace("audience: groups", "audience: grups"))
    root.wait_for_selector(".preview .notice.stop")
    line = written.split("\n").index("    audience: groups") + 1
    assert root.inner_text(".line-numbers mark").strip() == str(line)
    text.fill(written.replace("title: All users", "title: Each and everyone"))
    root.wait_for_selector("text=3. Each and everyone")
    assert not root.locator(".line-numbers mark").count()

    mia = sign_in("mia")
    mia.goto(f"{filled.url}/admin/rollouts/rollout/")
    mia.locator("input[name=_selected_action]").first.check()
    mia.select_option("select[name=action]", "withdraw")
    with mia.expect_navigation():
        mia.get_by_role("button", name="Go").click()
    assert "The request for Owning team is withdrawn." in mia.inner_text("main")
    assert not axe(mia)
    mia.fill("textarea[name=reason]", "the plan changed")
    mia.get_by_role("button", name="Withdraw open requests").click()
    mia.wait_for_selector("text=1 done.")
    assert filled.phase("team").state == "planned"
