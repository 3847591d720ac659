"""``python -m tests.translations``: every string that readers see goes into ``locale/*/LC_MESSAGES/django.po``.

Pure Python (Django's own template lexer, ``ast``, polib), so that neither a developer nor CI needs GNU gettext. New
strings come in untranslated, those that are gone go out, and the compiled ``.mo`` beside it is made anew.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polib

ROOT = Path(__file__).resolve().parent.parent
CATALOGUES = sorted(ROOT.glob("locale/*/LC_MESSAGES/django.po"))
#: How many leading arguments are text, and whether the first of them is the context.
SINGULAR = {"_", "say", "later", "worded", "invalid", "gettext", "gettext_lazy", "gettext_noop"}
PLURAL = {"say_n", "ngettext", "ngettext_lazy"}
CONTEXT = {"pgettext", "pgettext_lazy"}
CALL = re.compile(r"""\b(n?p?gettext|_)\(\s*((?:u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*,?\s*)+)""", re.S)
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")


class Message(NamedTuple):
    """What gettext looks up."""

    text: str
    plural: str = ""
    context: str = ""


def in_python(source: str) -> Iterator[Message]:
    """Literals given to ``say``, ``gettext`` and their kin."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        texts = []
        for argument in node.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                break
            texts.append(argument.value)
        if name in SINGULAR and texts:
            yield Message(texts[0])
        elif name in PLURAL and len(texts) > 1:
            yield Message(texts[0], texts[1])
        elif name in CONTEXT and len(texts) > 1:
            yield Message(texts[1], context=texts[0])


def in_template(source: str) -> Iterator[Message]:
    """What ``translate``, ``blocktranslate`` and ``_("…")`` say."""
    from django.utils.translation import templatize

    for name, arguments in CALL.findall(templatize(source)):
        texts = ast.literal_eval(f"({arguments.rstrip().rstrip(',')},)")
        if name == "ngettext":
            yield Message(texts[0], texts[1])
        elif name == "npgettext":
            yield Message(texts[1], texts[2], texts[0])
        elif name == "pgettext":
            yield Message(texts[1], context=texts[0])
        else:
            yield Message(texts[0])


def found() -> dict[Message, list[str]]:
    """Every message of the portal with the files that say it."""
    from django.apps import apps

    from rollouts.models.verbose_names import names_of

    messages: dict[Message, list[str]] = {}
    for path in sorted([*ROOT.glob("rollouts/**/*.py"), *ROOT.glob("templates/**/*.html")]):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("rollouts/migrations/"):
            continue
        for message in (in_template if path.suffix == ".html" else in_python)(path.read_text()):
            places = messages.setdefault(message, [])
            if message.text and place not in places:
                places.append(place)
    for model in apps.get_app_config("rollouts").get_models():
        place = f"{model.__module__.replace('.', '/')}.py"
        for name in names_of(model):
            places = messages.setdefault(Message(name), [])
            if place not in places:
                places.append(place)
    return {message: places for message, places in messages.items() if message.text}


def key(entry: polib.POEntry) -> Message:
    return Message(entry.msgid, entry.msgid_plural or "", entry.msgctxt or "")


def update(path: Path) -> polib.POFile:
    """The catalogue with every message that there is now and none that is gone, written and compiled."""
    catalogue = polib.pofile(str(path), wrapwidth=118)
    kept = {key(entry): entry for entry in catalogue}
    catalogue.clear()
    for message, places in sorted(found().items(), key=lambda item: (item[1][0], item[0])):
        entry = kept.get(message) or polib.POEntry(
            msgid=message.text,
            msgid_plural=message.plural or "",
            msgctxt=message.context or None,
            msgstr_plural={0: "", 1: ""} if message.plural else {},
        )
        entry.occurrences = [(place, "") for place in places]
        catalogue.append(entry)
    catalogue.save()
    catalogue.save_as_mofile(str(path.with_suffix(".mo")))
    return catalogue


if __name__ == "__main__":
    import django

    django.setup()
    for path in CATALOGUES:
        catalogue = update(path)
        print(
            f"{path.relative_to(ROOT)}: {len(catalogue)} messages, {len(catalogue.untranslated_entries())} to translate"
        )
