"""Every page in a language in which plain English stands out: nothing that the portal says is left untranslated."""

from __future__ import annotations

import ast
import json
import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User

from rollouts.models import AuditEvent, GitLabInstance, GitLabProject, InstanceHealth, LockCalendar
from rollouts.portal.presenters import history
from rollouts.rules.model_sheet import COLUMNS
from rollouts.services import calendars as kept_calendars
from rollouts.services import locks
from rollouts.sync import calendars, outbox
from tests import pseudo
from tests.addresses import every_address
from tests.portal.pages import signed_in
from tests.translations import ROOT

pytestmark = pytest.mark.django_db
GERMAN = {"HTTP_ACCEPT_LANGUAGE": "de"}
#: What programs read is English; so is the style page of developers.
MACHINES = ("api/", "hooks/", "metrics", "healthz", "readyz", "static", "feeds/", "style", "admin/jsi18n")
#: Whole template documents stand in their history, cut anywhere.
DOCUMENTS = ("admin/rollouts/plantemplate/<path:object_id>/history/",)
MOST_OF_ONE_ROUTE = 4
#: What people, their plans and templates, and GitLab write: shown as it is.
OWN = {
    "AIModel": ("name", "provider", "host", "capability", "provider_model_id"),
    "ChecklistItem": ("title", "help", "evidence", "channel"),
    "FeatureFlag": ("group", "type"),
    "Phase": ("title",),
    "PlanTemplate": ("title",),
    "Rollout": ("title", "mitigation"),
    "TrackedIssue": ("title",),
}
PRODUCT = "Model Rollout Portal"
#: What the YAML parser says is quoted as it says it; columns of CSV are code.
PARSERS = ("expected ',' or ']', but got '<stream end>'",)


@pytest.fixture
def wide(monkeypatch):
    pseudo.speak_wide(monkeypatch)


def own_words():
    """The longest first, for a short one may stand in a long one."""
    paths = GitLabProject.objects.values_list("path", flat=True)
    found = {
        PRODUCT,
        *paths,
        *GitLabInstance.objects.values_list("name", flat=True),
        "user:ann",
        *PARSERS,
        ", ".join(sorted(COLUMNS)),
    }
    found |= {f"{actor} {verb}" for actor, verb in AuditEvent.objects.values_list("actor", "verb")}
    found |= {*Group.objects.values_list("name", flat=True), *User.objects.values_list("username", flat=True)}
    for kind, fields in OWN.items():
        for row in apps.get_model("rollouts", kind).objects.values_list(*fields):
            found |= {" ".join(str(value).replace("_", " ").split()) for value in row}
    for document in apps.get_model("rollouts", "PlanTemplate").objects.values_list("document", flat=True):
        for line in document.splitlines():
            found.add(line.strip(" -\"'"))
            words = line.split()  # a long text is cut within a line
            found |= {" ".join(words[:n]) for n in range(4, len(words))}
    return sorted((text for text in found if len(text) > 2), key=len, reverse=True)


def left_on(answer, own):
    if answer.streaming or "html" not in answer["Content-Type"]:
        return []
    return list(pseudo.untranslated(answer.content.decode(), own))


def told(left):
    return "\n".join(map(str, sorted(set(left))))


def crawl(world, name, skip=()):
    client, own, left = signed_in(world, name), own_words(), {}
    for route, addresses in every_address(world).items():
        if not route.startswith((*MACHINES, *skip, *DOCUMENTS)):
            for address in addresses[:MOST_OF_ONE_ROUTE]:
                left |= {(address, words): name for words in left_on(client.get(address, **GERMAN), own)}
    return list(left)


@pytest.fixture
def rich(world, settings):
    """A rollout under way by an override, with a lock, a calendar that can't be read, and notes to GitLab."""
    settings.GITLAB_WRITES = "issues"
    settings.LOCK_CALENDAR_HOSTS = ["calendar.example"]
    world.up_to("company", "approved")
    now = world.now().replace(tzinfo=None)
    freeze = {"title": "Freeze", "kind": "once", "starts": now - timedelta(hours=1), "ends": now + timedelta(hours=2)}
    locks.add(freeze, by=world.actor("mia"))
    world.do("start", "company", "root", reason="cure", override=True, confirm="haiku")
    kept_calendars.add_calendar("calendar", "https://calendar.example/x.ics", by=world.actor("root"))
    settings.LOCK_CALENDAR_HOSTS = []
    calendars.read(LockCalendar.objects.get())
    outbox.work(limit=3)
    world.gitlab.fail(method="POST", status=422, body=b'{"message": "Nein"}')
    outbox.work()
    world.gitlab.heal()
    world.do("roll_back", "company", "mia", reason="Langsam")
    return world


def test_no_page_leaves_a_word_untranslated(rich, wide):
    left = crawl(rich, "root") + crawl(rich, "mia", skip=("admin/",))
    assert not left, told(left)


#: What GitLab answers, or how it fails; each is read with all that follows from it.
FAULTS = {
    "401": {"status": 401},
    "403": {"status": 403},
    "404": {"status": 404},
    "418": {"status": 418},
    "429": {"status": 429},
    "429 with a time": {"status": 429, "headers": {"Retry-After": "120"}},
    "500": {"status": 500},
    "dropped": {"how": "drop"},
    "cut": {"how": "truncated"},
    "no JSON": {"how": "not_json"},
    "a sign-in page": {"how": "html"},
    "another host": {"how": "redirect", "headers": {"Location": "https://elsewhere.example/"}},
    "a circle": {"how": "redirect", "headers": {"Location": "/api/v4/features"}},
    "an object": {"status": 200, "body": b"{}"},
    "rows of nothing": {"status": 200, "body": b"[null, 1, true]"},
    "a name that is none": {"status": 200, "body": b'[{"name": 1, "iid": "x", "gates": 1, "state": 7}]'},
    "no gates": {"status": 200, "body": b'[{"name": "x", "iid": 1, "title": ""}]'},
    "odd gates": {
        "status": 200,
        "body": json.dumps([{"name": "x", "gates": [{"key": "percentage_of_actors", "value": 200}]}]).encode(),
    },
}


def test_whatever_goes_wrong_at_gitlab_is_told_in_the_readers_language(rich, wide, settings):
    client, own, left = signed_in(rich, "root"), own_words(), []

    def look(why):
        pages = ["/sync/", "/flags/", "/admin/", f"/admin/rollouts/gitlabinstance/{instance.pk}/change/"]
        for page in [*pages, "/rollouts/haiku/"]:
            answer = client.get(page, **GERMAN)
            left.extend((why, page, words) for words in left_on(answer, own))

    instance = GitLabInstance.objects.get()
    for why, fault in FAULTS.items():
        InstanceHealth.objects.all().delete()
        rich.gitlab.fail(**fault)
        rich.sync(full=True)
        look(why)
        rich.gitlab.heal()
    InstanceHealth.objects.all().delete()
    settings.GITLAB_TIMEOUT_SECONDS = 0.1
    rich.gitlab.delay(0.3)
    rich.sync(full=True)
    look("too slow")
    rich.gitlab.heal()
    for why, token in (("no token", "two words"), ("a reader's token", rich.gitlab.reader_token)):
        InstanceHealth.objects.all().delete()
        settings.GITLAB_TOKEN = token
        rich.sync(full=True)
        look(why)
    rich.gitlab.fail(status=500)
    for _ in range(3):  # the circuit opens
        rich.sync(full=True)
    look("asked no more")
    assert not left, told(left)


def test_a_refused_form_is_refused_in_the_readers_language(rich, wide):
    own, left = [*own_words(), "Haiku Two"], []
    phase, item = rich.phase("team").pk, rich.rollout().items.first().pk
    forms = {
        "/locks/": [{}, {"title": "X", "kind": "once", "starts": "never", "ends": "2026-01-01T10:00"},
                    {"title": "X", "kind": "weekly", "from_day": "0", "from_time": "10:00", "to_day": "0",
                     "to_time": "10:00", "zone": "Nowhere"}],
        "/rollouts/new/": [{}, {"title": "X", "rollout": "Not A Slug", "model": "?", "flag": "a/b", "steps": "9 5"}],
        "/rollouts/haiku/plan/": [{"document": "x"}, {"document": "rollout: haiku\nphases: {team: 1}\nmodel: [a\n"},
                             {"document": rich.document().replace("steps: [1, 25, 100]", "steps: [5, 1, 300]")},
                             {"document": rich.document().replace("soak: 0", "soak: soon")}],
        "/rollouts/haiku/phases/everyone/start/": [{"reason": ""}],
        "/rollouts/haiku/phases/team/roll_back/": [{"reason": ""}],
        "/rollouts/haiku/do/abandon/": [{"reason": ""}],
        "/admin/rollouts/aimodel/add/": [{"slug": "A B", "name": ""}],
        "/admin/rollouts/aimodel/import/": [{}, {"source": "a.yml", "text": "ai_models: [1"},
                             {"source": "a.csv", "text": "slug,\nx"},
                             {"source": "b.yml", "text": "configurable_unit_primitives: []"}],
        "/admin/rollouts/plantemplate/add/": [{"slug": "a", "title": "", "document": "phases: 7"}],
        "/admin/rollouts/plantemplate/import/": [{"source": "a.yml", "text": "template: 7\nphases: [x]"}],
        "/admin/rollouts/gitlabinstance/add/": [{"name": "", "url": "ftp://x", "rate_share": "900"}],
        "/admin/rollouts/incidentsource/add/": [{"path": "//", "labels": "a\na"}],
        "/admin/rollouts/checklistitem/add/": [{"rollout": rich.rollout().pk, "kind": "issue", "title": "X"}],
        f"/admin/rollouts/checklistitem/{item}/change/": [{"title": ""}],
        f"/admin/rollouts/phase/{phase}/change/": [{"final_soak": "soon", "actors": "ann", "groups": "a b"}],
        f"/admin/rollouts/rollout/{rich.rollout().pk}/change/": [{"owners": "a b", "timeline": "{"}],
        "/admin/auth/user/add/": [{"username": "a b", "password1": "1", "password2": "2"}],
        "/admin/login/": [{"username": "mia", "password": "wrong"}],
    }  # fmt: skip
    for name in ("root", "vic"):
        client = signed_in(rich, name)
        for address, bodies in forms.items():
            for body in bodies:
                answer = client.post(address, body, **GERMAN)
                assert answer.status_code < 500, address
                left += [(address, name, words) for words in left_on(answer, own)]
    for address in ("/nowhere/", "/rollouts/nobody/", "/audit/?since=never", "/?q=%00", "/rollouts/haiku/do/abandon/"):
        left += [(address, words) for words in left_on(signed_in(rich, "vic").get(address, **GERMAN), own)]
    assert not left, told(left)


def test_every_verb_has_its_words():
    """Verbs of the history, as they stand in the code."""
    verbs = set()
    for path in ROOT.glob("rollouts/**/*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) in (
                "recorded",
                "close",
            ):
                verbs |= {
                    one.value
                    for argument in call.args[:1]
                    for one in ast.walk(argument)
                    if isinstance(one, ast.Constant) and re.fullmatch(r"[a-z]+\.[a-z_]+", str(one.value))
                }
    assert len(verbs) > 30
    unsaid = [verb for verb in verbs if verb in history.sentence(AuditEvent(verb=verb, object_name="x", after={}))]
    assert not unsaid


def test_the_language_of_this_test_finds_what_was_forgotten(wide):
    said = pseudo.wide("{who} has %(n)s of <b>two</b>")
    assert [part for part in ("{who}", "%(n)s", "<b>", "has") if part in said] == ["{who}", "%(n)s", "<b>"]
    page = f'<p title="Not translated">{said}</p><p>Left in English</p><pre>some code here</pre><p>Ours too</p>'
    assert [left.split("   <- ")[0] for left in pseudo.untranslated(page, ["Ours too"])] == [
        "Not translated",
        "Left in English",
    ]
