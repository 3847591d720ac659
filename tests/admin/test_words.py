"""Lists of the admin say single words too in the reader's language: headings, labels, filters, and what is kept as codes."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest

from rollouts.models import Override, SyncRun, TrackedIssue
from rollouts.services import locks
from tests import pseudo
from tests.browser.pages import admin_pages
from tests.markup import flat
from tests.portal.pages import signed_in

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
#: What heads a column, names a field or a filter.
HEADINGS = re.compile(
    r"<th scope=\"col\"[^>]*>(.*?)</th>|<label[^>]*>(.*?)</label>|<summary[^>]*>(.*?)</summary>", re.DOTALL
)
#: What was changed besides stands under its own name.
NAMED = re.compile(r"<details class=\"of-thing\"[^>]*>\s*<summary>.*?</summary>", re.DOTALL)
PLAIN = re.compile(r"[A-Za-z]{3,}")
#: Names: of phases, of the roles as groups, of GitLab, of languages.
NAMES = re.compile(
    r"Owning team|Whole company|All users|GitLab|URL|API|Deutsch|English|^(?:viewer|manager|approver|auditor|admin)$"
)


@pytest.fixture
def rich(world):
    world.up_to("company", "approved")
    now = world.now().replace(tzinfo=None)
    freeze = {"title": "X", "kind": "once", "starts": now - timedelta(hours=1), "ends": now + timedelta(hours=2)}
    locks.add(freeze, by=world.actor("mia"))
    world.do("start", "company", "root", reason="cure", override=True, confirm="haiku")
    return world


def headings(page):
    for found in HEADINGS.finditer(NAMED.sub("", page)):
        yield " ".join(html.unescape(re.sub(r"<[^>]+>", " ", "".join(filter(None, found.groups())))).split())


def test_no_heading_or_label_is_left_in_english(rich, monkeypatch):
    pseudo.speak_wide(monkeypatch)
    root, left = signed_in(rich, "root"), []
    for path in admin_pages():
        answer = root.get(path, **GERMAN)
        if answer.status_code == 200:
            left += [(path, text) for text in headings(answer.content.decode()) if PLAIN.search(NAMES.sub("", text))]
    assert not left, "\n".join(map(str, left))


@pytest.mark.parametrize(
    ("path", "column", "codes"),
    [
        ("syncrun", "rung_by", ("beat", "command", "page")),
        ("trackedissue", "stands", ("opened", "closed")),
        ("override", "verb_shown", ("start", "advance")),
        ("auditevent", "did", ("phase.start", "plan.apply", "drift.began")),
        ("auditevent", "came_from", ("shell", "page", "command", "sync")),
    ],
)
def test_what_is_kept_as_a_code_is_said_in_words(rich, monkeypatch, path, column, codes):
    assert SyncRun.objects.exists()
    assert TrackedIssue.objects.filter(state="opened").exists()
    assert Override.objects.exists()
    pseudo.speak_wide(monkeypatch)
    page = flat(signed_in(rich, "root").get(f"/admin/rollouts/{path}/", **GERMAN))
    cells = re.findall(rf'class="field-{column}[^"]*">(?:<a[^>]*>)?([^<]*)', page)
    assert cells
    assert not set(cells) & set(codes)
    assert not [cell for cell in cells if PLAIN.search(cell) and cell not in ("–", "-")]
    offered = re.findall(r'<a href="\?(?:trigger|state|verb)=[^"]*">([^<]*)</a>', page)
    assert not [words for words in offered if words.strip() in codes]


def test_counts_of_tasks_are_said_in_the_readers_language(rich, monkeypatch):
    rich.gitlab.state.set_issue("acme/app", 12, description="- [x] one\n- [ ] two")
    rich.sync(full=True)
    pseudo.speak_wide(monkeypatch)
    page = signed_in(rich, "root").get("/admin/rollouts/trackedissue/", **GERMAN).content.decode()
    assert f">1 {pseudo.wide('of')} 2<" in page


def test_numbers_of_settings_are_said_as_they_are_set(rich, settings):
    settings.OVERRIDE_REVIEW_DAYS, settings.KEEP_SYNC_RUNS_DAYS = 9, 23
    root = signed_in(rich, "root")
    assert "A second person reviews each within 9 days." in root.get("/admin/rollouts/override/").content.decode()
    assert "Kept for 23 days." in root.get("/admin/rollouts/syncrun/").content.decode()
