"""A rollout that is being planned: what is known of all that it names, what it would mean, and copies of others."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rollouts.models import AIModel, AuditEvent, FeatureFlag, Rollout
from rollouts.services import locks
from tests.portal.pages import signed_in, words
from tests.walk import FLAG, SECRET_TITLE

pytestmark = pytest.mark.django_db
HERE, CHECK = "/rollouts/new/", "/rollouts/new/check/"


@pytest.fixture
def form(world):
    return {
        "by_form": "1", "template": "code_suggestions", "title": "Sonnet", "rollout": "sonnet", "model": "claude-haiku",
        "flag": "use_sonnet", "owners": "mia", "team": "user:ann", "company": "acme_team_members",
        "method": "percentage", "steps": "1 50 100", "soak": "1d", "final_soak": "2d",
    }  # fmt: skip


@pytest.fixture
def known(world):
    """A portal that has read a flag, a model and issues; nothing else may change by looking."""
    world.up_to("company", "active")
    return world


def counts():
    return [model.objects.count() for model in (AIModel, AuditEvent, FeatureFlag, Rollout)]


def text_of(response):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", words(response))).split())


def test_what_is_named_is_checked_against_what_was_read(known, form):
    mia, before = signed_in(known, "mia"), counts()
    state = known.gitlab.state
    state.set_issue("acme/app", 13, state="closed")
    known.sync()
    before = counts()
    issue = f"{known.gitlab.url}/acme/app/-/issues/"
    named = {"flag": FLAG, "owners": "mia bert", "rollout_plan": f"{issue}11", "internal_rollout": f"{issue}13",
             "internal_feedback": f"{issue}999", "flag_rollout": "https://evil.example.com/a/b/-/issues/1"}  # fmt: skip
    told = text_of(mia.post(CHECK, {**form, **named}))
    for said in (
        "claude-haiku on Vertex AI: 60,000 requests a minute",
        f"{FLAG}: group acme_team_members and 2 named actors",
        "Claude Haiku goes live behind the same flag.",
        "Rollout plan issue: acme/app#11 is open read",
        "Internal rollout issue: acme/app#13 is closed",
        "Internal feedback issue: not read yet",
        "https://evil.example.com is no GitLab that the portal knows",
        "bert has no account in the portal yet.",
    ):
        assert said in told
    assert SECRET_TITLE not in told
    assert counts() == before
    unread = text_of(mia.post(CHECK, {**form, "flag": "use_nothing", "model": "haiku-9"}))
    assert "GitLab has told of no flag use_nothing so far." in unread
    assert "The portal has no AI model haiku-9 yet" in unread
    assert "that rollout's plan would change" in text_of(mia.post(CHECK, {**form, "rollout": "haiku"}))


def test_who_would_see_it_when_is_told_before_it_is_made(known, form):
    now = known.now().replace(microsecond=0, tzinfo=None)
    freeze = {"title": "Freeze", "kind": "once", "starts": now + timedelta(hours=1), "ends": now + timedelta(days=4)}
    locks.add(freeze, by=known.actor("mia"))
    before = counts()
    response = signed_in(known, "mia").post(CHECK, form)
    told = text_of(response)
    assert "Owning team optional 1 named actor" in told
    assert "group acme_team_members at once" in told
    assert "1 % of all users · stands 1 d at once" in told
    moments = [datetime.fromisoformat(at) for at in re.findall(r'50 % of.*?<time datetime="([^"]+)"', words(response))]
    assert moments[0].replace(tzinfo=None) == now + timedelta(days=4)  # not within the lock
    assert re.search(r"Complete on \d+ \w+ \d+ \d\d:\d\d UTC at the earliest", told)
    assert counts() == before
    by_document = signed_in(known, "mia").post(CHECK, {"document": known.document(slug="other", flag="use_other")})
    assert "25 % of all users" in text_of(by_document)


def test_what_is_missing_or_wrong_is_told_and_is_no_success(known, form):
    mia = signed_in(known, "mia")
    told = text_of(mia.post(CHECK, {**form, "flag": "", "title": ""}))
    assert "Still to fill in: Title, Feature flag." in told
    assert "at the earliest" not in told
    wrong = mia.post(CHECK, {**form, "steps": "50 1 100"})
    assert "It can't be made like this:" in text_of(wrong)
    assert "teps must rise" in text_of(wrong)
    assert 'class="notice stop"' in words(wrong)
    broken = mia.post(CHECK, {"document": "rollout: [a\n\x01"})
    assert broken.status_code == 200
    assert 'class="notice stop"' in words(broken)
    assert signed_in(known, "vic").post(CHECK, form).status_code == 403
    assert mia.get(CHECK).status_code == 405


def test_looking_takes_as_many_queries_among_many_rollouts(known, form):
    mia = signed_in(known, "mia")

    def asked():
        with CaptureQueriesContext(connection) as queries:
            assert mia.post(CHECK, form).status_code == 200
        assert not [each for each in queries if each["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
        return len(queries)

    few = asked()
    for number in range(5):
        known.apply(slug=f"more-{number}", title=f"More {number}", flag=f"use_more_{number}")
    assert asked() == few


def test_flags_and_owners_are_offered_as_models_are(known, form):
    known.gitlab.state.set_feature("use_free", "true")
    known.sync(full=True)
    mia = signed_in(known, "mia")
    page = words(mia.get(HERE))

    def offered(name, page):
        return re.findall(
            r'<option value="([^"]+)"', page.partition(f'<datalist id="{name}"')[2].partition("</datalist>")[0]
        )

    flags = set(FeatureFlag.objects.filter(rollouts=None, project=None).values_list("name", flat=True))
    assert set(offered("flags", page)) == flags
    assert FLAG not in flags  # it carries a rollout
    assert "alice" in offered("names-owners", page)
    assert 'list="flags"' in page
    assert 'list="names-owners"' in page
    more = words(mia.post(CHECK, {**form, "owners": "mia sam"}))
    assert "mia sam alice" in offered("names-owners", more)
    assert 'hx-swap-oob="true"' in more


def test_a_rollout_is_copied_as_new_with_all_that_is_not_its_own(known):
    document = known.document(slug="pattern", title="The pattern", flag="use_pattern", soak="2d", steps=[5, 60, 100])
    known.apply_text(f"{document}mitigation: Set it back.\ncriteria: {{success: [It is fast.]}}\n")
    mia = signed_in(known, "mia")
    assert f'href="{HERE}?copy=pattern"' in words(mia.get("/rollouts/pattern/"))
    assert f"{HERE}?copy=pattern" not in words(signed_in(known, "vic").get("/rollouts/pattern/"))

    page = mia.get(f"{HERE}?copy=pattern")
    fields = {name: page.context["form"][name].value() for name in page.context["form"].fields}
    assert fields["rollout"] == "pattern-2"
    assert fields["steps"] == "5 60 100"
    assert fields["soak"] == "2d"
    assert fields["team"] == "user:ann group:acme/code"
    assert fields["model"] == "claude-haiku"
    assert not fields["flag"]
    assert not fields["rollout_plan"]
    assert "use_pattern" not in page.context["text"]
    assert "/-/issues/" not in page.context["text"]
    assert "Still to fill in: Feature flag." in text_of(page)

    filled = {name: value or "" for name, value in fields.items()}
    made = mia.post(
        HERE, {**filled, "by_form": "1", "copy": "pattern", "template": "code_suggestions", "flag": "use_copy"}
    )
    assert made.status_code == 303
    copy, pattern = known.rollout("pattern-2"), known.rollout("pattern")
    assert copy.mitigation == "Set it back."
    assert copy.criteria == pattern.criteria
    assert copy.baseline == pattern.baseline
    assert [step.percentage for step in copy.phases.get(name="everyone").steps.all()] == [5, 60, 100]
    assert mia.get(f"{HERE}?copy=nothing").status_code == 404
    assert signed_in(known, "vic").get(f"{HERE}?copy=pattern").status_code == 403
