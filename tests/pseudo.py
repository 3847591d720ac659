"""A language for tests in which all that is translatable is written in ｗｉｄｅ letters: plain English on a page was not.

Placeholders keep their values as they are, so English that was put into a translated sentence shows as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from django.utils import translation

#: What a translator must leave alone: placeholders, tags, entities.
KEPT = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*(?::\w+)?\}|<[^>]*>|&#?\w+;")
#: Django's date formats are messages as well: single letters.
DATE_FORMAT = re.compile(r"\\?[A-Za-z](?:[ .,:/-]*\\?[A-Za-z])*\.?")
WIDE = {code: code + 0xFEE0 for code in (*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1))}
PLAIN_WORDS = re.compile(r"[A-Za-z][a-z]+(?:['’]\w+)?(?:[,;:]? (?:[A-Za-z][a-z]*(?:['’]\w+)?))+")
SPOKEN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "data-confirm", "data-words")
#: Documents, commands and machines' values: the same in every language.
CODE = ("script", "style", "pre", "code", "kbd", "samp", "textarea")
VOID = ("input", "br", "img", "meta", "link", "hr", "wbr", "path", "line", "rect", "circle", "use")


def wide(text: str) -> str:
    """The text as it stands in this language."""
    if all(len(part.strip("\\.")) <= 1 for part in re.split(r"[ ,:/-]+|\\", text)):
        return text  # a date format
    parts, at = [], 0
    for kept in KEPT.finditer(text):
        parts += [text[at : kept.start()].translate(WIDE), kept[0]]
        at = kept.end()
    return "".join([*parts, text[at:].translate(WIDE)])


def speak_wide(monkeypatch: Any) -> None:
    """Whoever asks for German gets this language instead."""
    translation.gettext("")  # the functions are looked up once
    door = translation._trans
    for name in ("gettext", "pgettext", "ngettext", "npgettext"):
        getattr(door, name)
    monkeypatch.setattr(door, "gettext", lambda text: wide(str(text)))
    monkeypatch.setattr(door, "pgettext", lambda context, text: wide(str(text)))
    monkeypatch.setattr(door, "ngettext", lambda one, many, n: wide(str(one if n == 1 else many)))
    monkeypatch.setattr(door, "npgettext", lambda context, one, many, n: wide(str(one if n == 1 else many)))


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.code: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in CODE:
            self.code.append(tag)
        told = dict(attrs)
        self.texts += [told[name] or "" for name in SPOKEN_ATTRIBUTES if told.get(name)]
        if tag == "input" and told.get("type") in ("submit", "button"):
            self.texts.append(told.get("value") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.code and self.code[-1] == tag:
            self.code.pop()

    def handle_data(self, data: str) -> None:
        if not self.code:
            self.texts.append(data)


def untranslated(page: str, own: list[str]) -> Iterator[str]:
    """Two or more plain words in a row on a page, but what people or GitLab wrote (``own``, longest first)."""
    parser = _Texts()
    parser.feed(page)
    for text in parser.texts:
        said = " ".join(text.split())
        if not PLAIN_WORDS.search(said):
            continue
        for one in own:
            said = said.replace(one, "·")
        if match := PLAIN_WORDS.search(said):
            yield f"{match[0]}   <- {said[:150]}"
