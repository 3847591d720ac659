"""The tokens of ``static/tokens.css``: what each colour is in each theme, and how far two of them are apart."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django.conf import settings

THEMES = ("light", "dark")
ROOT = re.compile(r":root \{(.*?)\}", re.S)
TOKEN = re.compile(r"--([\w-]+):\s*([^;]+);")


@cache
def declared() -> dict[str, dict[str, str]]:
    """By theme; the dark one is the light one with its colours changed."""
    light, dark = ROOT.findall((Path(settings.ROOT) / "static" / "tokens.css").read_text())[:2]
    colours = dict(TOKEN.findall(light))
    return {"light": colours, "dark": {**colours, **dict(TOKEN.findall(dark))}}


def as_css() -> str:
    """Both themes as classes, so that one page can show them side by side."""
    blocks = []
    for theme, colours in declared().items():
        words = " ".join(f"--{name}: {value};" for name, value in colours.items())
        blocks.append(f".in-{theme} {{ color-scheme: {theme}; {words} background: var(--paper); color: var(--ink) }}")
    return "\n".join(blocks)


def contrast(one: str, other: str) -> float:
    """As WCAG 2.2 reckons it, from 1 to 21."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    digits = colour.strip().removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    shares = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
