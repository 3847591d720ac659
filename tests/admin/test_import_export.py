"""AI models and templates as files: what a file would change is shown first, what was exported comes in without a change."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rollouts.models import AIModel, AuditEvent, PlanTemplate

pytestmark = pytest.mark.django_db
MODELS = "/admin/rollouts/aimodel/"
TEMPLATES = "/admin/rollouts/plantemplate/"
CATALOGUE = """
models:
  - name: Claude Haiku 4.5
    gitlab_identifier: claude_haiku_4_5
    provider: Anthropic
    params: {model: claude-haiku-4-5}
    deprecation: {deprecation_date: '2030-03-01', removal_version: '21.0'}
"""
FEATURES = """
configurable_unit_primitives:
  - feature_setting: code_completions
    default_models: [claude_haiku_4_5]
"""
SHEET = """
ai_models:
  - slug: qwen
    name: Qwen
    quota_requests_per_minute: 500
    default_for: [chat, completion]
"""


def text(response):
    return response.content.decode()


def look(client, *files, path=MODELS, **more):
    uploads = [SimpleUploadedFile(name, content.encode()) for name, content in files]
    return client.post(f"{path}import/", {"files": uploads, "look": "", **more})


def take(client, *files, path=MODELS):
    names, texts = zip(*files, strict=True)
    return client.post(f"{path}import/", {"source": names, "text": texts, "import": ""}, follow=True)


@pytest.mark.parametrize("path", [MODELS, TEMPLATES])
@pytest.mark.parametrize(("name", "status"), [("vic", 403), ("mia", 403), ("alice", 403), ("root", 200)])
def test_only_admins_import(client_of, name, status, path):
    client, count = client_of(name), AuditEvent.objects.count()
    assert client.get(f"{path}import/").status_code == status
    if status == 403:
        assert take(client, ("x.yaml", SHEET), path=path).status_code == 403
    assert AuditEvent.objects.count() == count


def test_a_catalogue_is_looked_at_before_it_is_taken(client_of):
    root, count = client_of("root"), AuditEvent.objects.count()
    page = text(look(root, ("models.yml", CATALOGUE), ("unit_primitives.yml", FEATURES)))
    assert "1 new, 0 changed, 0 as they were" in page
    assert "code_completions" in page
    assert AuditEvent.objects.count() == count
    assert not AIModel.objects.filter(catalogue_identifier="claude_haiku_4_5").exists()

    page = text(take(root, ("models.yml", CATALOGUE), ("unit_primitives.yml", FEATURES)))
    assert "1 is new, 0 changed, 0 as they were." in page
    model = AIModel.objects.get(catalogue_identifier="claude_haiku_4_5")
    assert (model.default_for, str(model.deprecated_on)) == (["code_completions"], "2030-03-01")
    (event,) = AuditEvent.objects.order_by("pk")[count:]
    assert (event.verb, event.actor, event.source) == ("model.import", "root", "admin")


@pytest.mark.parametrize("way", ["csv", "yaml"])
def test_what_is_exported_comes_in_without_a_change(client_of, way):
    root = client_of("root")
    take(root, ("sheet.yaml", SHEET))
    take(root, ("models.yml", CATALOGUE))
    qwen = AIModel.objects.get(slug="qwen")
    root.post(f"{MODELS}{qwen.pk}/change/", {
        "name": '=HYPERLINK("x"), "Qwen"', "description": "two\nlines; with ümläuts", "default_for": "chat\ncompletion"})  # fmt: skip
    exported = text(client_of("mia").get(f"{MODELS}export.{way}"))
    count = AuditEvent.objects.count()
    assert "0 new, 0 changed, 2 as they were" in text(look(root, (f"ai_models.{way}", exported)))
    assert "Nothing: everything is as the files say." in text(look(root, (f"ai_models.{way}", exported)))
    take(root, (f"ai_models.{way}", exported))
    assert AuditEvent.objects.count() == count
    if way == "csv":
        assert "'=HYPERLINK" in exported, "a spreadsheet runs no formula of ours"


def test_a_sheet_changes_only_what_it_mentions(client_of):
    root = client_of("root")
    take(root, ("sheet.yaml", SHEET))
    page = text(look(root, ("quota.csv", "slug,quota_requests_per_minute\nqwen,900\n")))
    assert "<del>500</del>" in page
    assert "<ins>900</ins>" in page
    take(root, ("quota.csv", "slug,quota_requests_per_minute,default_for\nqwen,900,\n"))
    model = AIModel.objects.get(slug="qwen")
    assert (model.name, model.quota_requests_per_minute, model.default_for) == ("Qwen", 900, [])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "slug,quotas\nx,1", "a.csv, line 1: «quotas» is no column."),
        ("a.csv", "name\nx", "a.csv, line 1: the column slug is missing"),
        ("a.csv", "slug,name\nx,y,z", "a.csv, line 2: there are 3 cells for 2 columns"),
        ("a.csv", 'slug,name\nx,"y', "is not CSV"),
        ("a.csv", "slug,name,quota_requests_per_minute\nx,y,many", "a.csv, line 2: quota_requests_per_minute: «many»"),
        ("a.csv", "slug,name\nx,y\nx,z", "a.csv, line 3: «x» is there already, on line 2"),
        ("a.csv", "slug,name\nx/y,z", "a.csv, line 2: slug"),
        ("a.csv", "slug,name\nx,\x00", "a control character"),
        ("a.yaml", "ai_models:\n  - slug: x\n    nome: y", "a.yaml, line 3: `nome` is not a key"),
        ("a.yaml", "ai_models:\n  - slug: x", "Line 2: x is new and needs a name"),
        ("a.yaml", "ai_models: &a [*a]", "anchors and aliases"),
        ("a.yaml", "ai_models:\n  - slug: x\n    name: y\n    deprecated_on: soon", "a.yaml, line 4: deprecated_on"),
        ("a.yml", "models:\n  - name: x", "`gitlab_identifier` is missing"),
        ("a.yml", FEATURES, "import it together with the catalogue"),
        ("a.yaml", "nothing", "a.yaml, line 1"),
        ("a.yaml", "x" * 1_100_000, "too large"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_the_cure(client_of, name, content, words):
    root, count = client_of("root"), AuditEvent.objects.count()
    good = ("good.yaml", SHEET)
    response = look(root, (name, content), good)
    assert response.status_code in (409, 422)
    assert words in response.content.decode().replace("&#x27;", "'").replace("&quot;", '"')
    if len(content) < 1_000_000 and "\x00" not in content:
        assert take(root, (name, content), good).status_code in (409, 422)
    assert AuditEvent.objects.count() == count
    assert not AIModel.objects.filter(slug="qwen").exists(), "all files or none"


def test_nothing_chosen_and_binary_files_are_told(client_of):
    root = client_of("root")
    assert "Choose a file" in text(root.post(f"{MODELS}import/", {"look": ""}))
    response = root.post(f"{MODELS}import/", {"files": SimpleUploadedFile("a.csv", b"slug\n\xff\xfe")})
    assert (response.status_code, "a.csv, line 2: this is not UTF-8" in text(response)) == (422, True)


def test_templates_go_out_and_in(client_of):
    root = client_of("root")
    builtin = PlanTemplate.objects.get(slug="code_suggestions")
    document = text(client_of("mia").get(f"{TEMPLATES}{builtin.pk}/export.yaml"))
    assert document == builtin.document
    with zipfile.ZipFile(io.BytesIO(root.get(f"{TEMPLATES}export.zip").content)) as archive:
        assert archive.read("code_suggestions.yaml").decode() == document
    assert "Nothing: everything is as the files say." in text(look(root, ("a.yaml", document), path=TEMPLATES))

    ours = document.replace("template: code_suggestions", "template: ours", 1)
    assert "1 new" in text(look(root, ("ours.yaml", ours), path=TEMPLATES))
    assert not PlanTemplate.objects.filter(slug="ours").exists()
    count = AuditEvent.objects.count()
    take(root, ("ours.yaml", ours.replace("\n", "\r\n")), path=TEMPLATES)
    assert PlanTemplate.objects.get(slug="ours").document == ours
    page = text(look(root, ("ours.yaml", ours.replace("soak: 15m", "soak: 2h")), path=TEMPLATES))
    assert "<ins>+    soak: 2h</ins>" in page
    (event,) = AuditEvent.objects.order_by("pk")[count:]
    assert (event.verb, event.actor) == ("template.save", "root")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("soak: 15m", "soak: 2h"), "comes with the portal"),
        (("steps: [1, 10", "steps: [10, 1"), "steps must rise"),
        (("phases:", "fases:"), "Did you mean"),
    ],
)
def test_a_template_that_is_wrong_or_built_in_is_refused(client_of, change, words):
    root, builtin = client_of("root"), PlanTemplate.objects.get(slug="code_suggestions")
    response = take(root, ("t.yaml", builtin.document.replace(*change)), path=TEMPLATES)
    assert response.status_code in (409, 422)
    assert words in text(response)
    assert PlanTemplate.objects.get(slug="code_suggestions").document == builtin.document
