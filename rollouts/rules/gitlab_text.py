"""What people and plans wrote, as it may stand in a text for GitLab: read there as words, and never as a command.

GitLab runs lines that begin with ``/`` as whoever posted them, which is the portal's token; it sends mail to whom a
text mentions, and an HTML comment hides what follows. Sources: GitLab lib/gitlab/quick_actions/extractor.rb (a command
begins its line; every CR is dropped before the lines are looked at), lib/banzai (mentions are found after Markdown and
its entities are read), doc/user/markdown.md.
"""

from __future__ import annotations

import re

from .phrases import invalid

#: After an @ nobody sees it, and no name begins with it.
_NO_NAME = "\u200b"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\n\r\v\f\x1c-\x1e\x85\u2028\u2029"
_INVISIBLE = re.compile(rf"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f{_BIDI}\ufeff]")
_LINE_BREAK = re.compile(rf"[{_BREAKS}]")
_MARKUP = re.compile(r"[\\`*\[\]|]")
_COMMAND = re.compile(r"^(\s*)/")


def inline(text: str) -> str:
    """As a part of a line of Markdown: one line, nothing in it formats, mentions, hides or closes anything."""
    line = " ".join(_seen(text).split())
    return _COMMAND.sub(r"\1\\/", _MARKUP.sub(r"\\\g<0>", _without_html(line)).replace("@", f"@{_NO_NAME}"))


def quoted(text: str) -> str:
    """As a quote: each line of it is one of the quote, also an empty one, and is only words."""
    return "\n".join(f"> {inline(line)}".rstrip() for line in _seen(text).strip().splitlines())


def title(text: str) -> str:
    """As the title of an issue, which is plain text but for mentions: one line, 255 characters at most."""
    return " ".join(_seen(text).split()).replace("@", f"@{_NO_NAME}")[:255]


def document(text: str) -> str:
    """Markdown that somebody wrote as such (a template's description): it keeps its form, commands nothing, mentions
    nobody and hides nothing."""
    return without_commands(_without_html(_seen(text)).replace("@", f"@{_NO_NAME}"))


def without_commands(text: str) -> str:
    """The last look before a text is sent: no line of it begins with ``/``, blanks before it or not."""
    return "\n".join(_COMMAND.sub(r"\1\\/", line) for line in text.splitlines())


def one_line(value: str) -> str:
    """A title that people write. Raises ValueError where it is more than a line, or not what it looks like."""
    if _LINE_BREAK.search(value):
        raise invalid("a title is one line: take the line breaks out.")
    if hidden := _INVISIBLE.search(value):
        raise invalid(
            "a title can't have the invisible character {code}: it would look like another. Type it anew.",
            code=f"U+{ord(hidden[0]):04X}",
        )
    return value


def _seen(text: str) -> str:
    """Without what nobody sees; every kind of line break is one."""
    return _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text.replace("\r\n", "\n")))


def _without_html(text: str) -> str:
    """No tag, no comment and no entity: ``&#64;`` would be an @ again."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
