"""The map is of this house: its picture is what the code imports, and all that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.docs.picture import PICTURE, ROOT, draw, floors, uses

NAMING = [ROOT / "docs/architecture.md", ROOT / "docs/glossary.md"]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("gitlab_simulator/*.md")])
#: Where a path of these documents may begin.
ROOTS = ("", "rollouts/", "tests/", "docs/")


def test_the_picture_is_what_imports_what():
    assert PICTURE.read_text() == draw(uses(), floors()), "run make map"


def test_a_room_that_moves_changes_the_picture():
    used = uses()
    used["audit"].add("calendars")
    assert draw(used, floors()) != PICTURE.read_text()


def test_what_documents_link_to_is_there():
    links = [(path, link) for path in DOCUMENTS for link in re.findall(r"\]\(([^)#\s]+)", path.read_text())]
    assert len(links) > 50
    missing = [(path.name, link) for path, link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


def test_each_file_and_name_in_the_map_and_glossary_is_there():
    looked_at, missing = 0, []
    for document in NAMING:
        for words in re.findall(r"`([^`\n]+)`", document.read_text()):
            looked_at += 1
            if not _is_there(words):
                missing.append(f"{document.name}: {words}")
    assert looked_at > 100
    assert missing == []


def test_a_name_that_there_is_not_is_found():
    for words in ("services/plains.py", "services.plans.aply", "Rolout", "models.Rollout.stait", "make mapp"):
        assert not _is_there(words), words


def _is_there(words: str) -> bool:
    """A file, a module's name, a class or its part, a command, a setting, an address, or a piece of the files named."""
    words = words.removeprefix("GET ").removeprefix("POST ").rstrip("…")
    if words.startswith("manage.py "):
        return (ROOT / f"rollouts/management/commands/{words.split()[1]}.py").is_file()
    if words.startswith("make "):
        return bool(re.search(rf"^{words.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE))
    if "/" in words or (ROOT / words).is_file() or words.endswith((".py", ".md", ".css")):
        return _is_path(words)
    parts = words.removesuffix("()").split(".")
    if all(part.isidentifier() for part in parts):
        return parts[-1] in _names() and all(part in _names() or part in _modules() for part in parts[:-1])
    return words in _text()


def _is_path(words: str) -> bool:
    if words.startswith("/"):  # an address: its last fixed part stands in some urls
        return words == "/" or words.strip("/").split("/")[-1].strip("<>") in _text()
    path, _, name = words.partition(":")
    found = next((ROOT / root / path for root in ROOTS if (ROOT / root / path).exists()), None)
    if found is None:
        return any(list((ROOT / root).glob(path)) for root in ROOTS) if "*" in path else False
    return not name or name in found.read_text()


@cache
def _trees() -> list[tuple[Path, ast.Module]]:
    folders = ("rollouts", "config", "gitlab_simulator", "tests")
    return [(path, ast.parse(path.read_text())) for folder in folders for path in (ROOT / folder).rglob("*.py")]


@cache
def _modules() -> frozenset[str]:
    return frozenset(part for path, _ in _trees() for part in path.relative_to(ROOT).with_suffix("").parts)


@cache
def _names() -> frozenset[str]:
    """Everything that is defined or assigned in the code, and the modules."""
    names = set(_modules())
    for _, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
    return frozenset(names)


@cache
def _text() -> str:
    """What is no name in Python: keys of plans, blocks of templates, tokens of the style sheet."""
    folders = {"templates": "*.html", "static": "*.css", "rollouts": "*.y*ml", "config": "*.py"}
    texts = [path.read_text() for folder, files in folders.items() for path in (ROOT / folder).rglob(files)]
    return "\n".join([*texts, *(path.read_text() for path, _ in _trees())])
