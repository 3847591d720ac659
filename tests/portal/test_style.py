"""Colours can be told apart in both themes; nothing says something by colour that high contrast takes away."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from rollouts.portal.style import tokens
from rollouts.portal.style.samples import samples

#: Text, on what it stands.
TEXT = {
    "ink": ("paper", "card", "accent-soft", "go-soft", "wait-soft", "stop-soft"),
    "muted": ("paper", "card"),
    "accent": ("card", "paper"),
    "accent-ink": ("accent",),
    "accent-deep": ("accent-soft",),
    "go-ink": ("go-soft", "card"),
    "wait-ink": ("wait-soft", "card"),
    "stop-ink": ("stop-soft", "card"),
    "card": ("go", "wait"),
}
#: What charts, tracks and marks are drawn in, each on card and paper.
SHAPES = ("accent", "go", "wait", "stop", "go-ink", "wait-ink", "stop-ink", "rest", "line-strong", "ink", "muted")
#: Grounds and grids, which say nothing that the shapes and words on them do not.
GROUNDS = ("card", "paper", "line", "accent-soft", "go-soft", "wait-soft", "stop-soft")
#: A colour written out: as digits, by a function, or by one of the names that people use.
LITERAL = re.compile(
    r"#[0-9a-f]{3,8}\b(?=[^{}]*[;}])|\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\("
    r"|(?<=[:\s])(?:white|black|red|green|blue|gr[ae]y|silver|orange|yellow|purple)(?=[\s;,)])",
    re.I,
)
DRAWN = re.compile(r"(?:stroke|fill):\s*var\(--([\w-]+)\)")


@pytest.mark.parametrize("theme", tokens.THEMES)
def test_text_and_shapes_stand_out_from_their_ground(theme):
    told = tokens.declared()[theme]
    weak = [
        (words, ground, round(tokens.contrast(told[words], told[ground]), 2))
        for words, grounds in TEXT.items()
        for ground in grounds
        if tokens.contrast(told[words], told[ground]) < 4.5
    ]
    weak += [
        (shape, ground, round(tokens.contrast(told[shape], told[ground]), 2))
        for shape in SHAPES
        for ground in ("card", "paper")
        if tokens.contrast(told[shape], told[ground]) < 3
    ]
    assert not weak


def test_charts_are_drawn_in_these_colours_only(settings):
    drawn = {
        (path.name, token)
        for path in (settings.ROOT / "static").glob("*.css")
        for token in DRAWN.findall(path.read_text())
    }
    assert drawn
    assert {(name, token) for name, token in drawn if token not in (*SHAPES, *GROUNDS)} == set()


def test_no_colour_stands_outside_the_tokens(settings):
    """The simulator's sheet, which is on its own, has its tokens at its top."""
    sheets = {path.name: path.read_text() for path in (settings.ROOT / "static").glob("*.css")}
    assert LITERAL.search(sheets.pop("tokens.css"))
    simulator = (settings.ROOT / "gitlab_simulator" / "site" / "style.css").read_text()
    sheets["simulator"] = re.sub(r"^\s*--[\w-]+:[^;]*;", "", simulator, flags=re.M)
    found = {name: LITERAL.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.S)) for name, text in sheets.items()}
    assert {name: colours for name, colours in found.items() if colours} == {}


def test_motion_and_high_contrast_are_minded(settings):
    told = {path.name: path.read_text() for path in (settings.ROOT / "static").glob("*.css")}
    assert "forced-colors: active" in told["components.css"]
    for name, text in told.items():
        for moving in re.finditer(r"(?:animation|transition):(?!\s*none)", text):
            media = text[: moving.start()].rpartition("@media")[2]
            assert media.startswith(" (prefers-reduced-motion: no-preference)"), (name, media[:80])


def test_the_style_page_shows_every_component_and_only_with_debug(world, settings):
    client = Client()
    client.force_login(world.people["vic"])
    assert client.get("/style/").status_code == 404
    assert client.get("/style/tokens.css").status_code == 404
    settings.DEBUG = True
    page = client.get("/style/").content.decode()
    for sample in samples():
        assert page.count(sample.template) == len(tokens.THEMES)
    assert ".in-dark { color-scheme: dark; --paper: #141413;" in client.get("/style/tokens.css").content.decode()


def rules(sheet: str) -> list[tuple[str, str, str]]:
    """Where it holds (media, layer), its selectors, what it declares: each rule of a sheet."""
    found, heads, text = [], [], ""
    for character in re.sub(r"/\*.*?\*/", "", sheet, flags=re.S):
        if character == "{":
            heads.append(" ".join(text.split()))
            text = ""
        elif character == "}":
            head = heads.pop()
            if not head.startswith("@") and text.strip():
                found.append((" ".join(heads), head, " ".join(text.split())))
            text = ""
        else:
            text += character
    return found


def test_a_sheet_is_about_one_thing_and_says_nothing_twice(settings):
    sheets = {path.name: path.read_text() for path in (settings.ROOT / "static").glob("*.css")}
    assert {name: text.count("\n") for name, text in sheets.items() if text.count("\n") > 430} == {}
    every = [(rule, name) for name, text in sheets.items() for rule in rules(text)]
    assert len(every) > 700
    places = [(name, *rule[:2]) for rule, name in every]
    assert [place for place in set(places) if places.count(place) > 1] == []
    said = [rule for rule, _ in every]
    assert [rule for rule in set(said) if said.count(rule) > 1] == []
