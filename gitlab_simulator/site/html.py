"""HTML in small pieces. Everything that is not a ``Safe`` piece is escaped, so that no title can become a tag."""

from __future__ import annotations

from html import escape
from typing import Any


class Safe(str):
    """HTML that is right as it is."""


def text(value: Any) -> str:
    """A piece as HTML: escaped unless it is Safe; lists are joined; None and False are nothing."""
    if isinstance(value, Safe):
        return value
    if value is None or value is False:
        return ""
    if isinstance(value, list | tuple):
        return "".join(text(piece) for piece in value)
    return escape(str(value))


def tag(name: str, /, *pieces: Any, **attributes: Any) -> Safe:
    """``tag("a", "here", href="/")``; ``class_`` is class; True is a bare attribute, None and False are left out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in ("input", "meta", "link", "br"):
        return Safe(f"<{name}{written}>")
    return Safe(f"<{name}{written}>{text(pieces)}</{name}>")


def form(deed: str, hidden: dict[str, Any], *pieces: Any, back: str = "/", class_: str = "inline") -> Safe:
    """A form that posts one deed and comes back to the page it was on."""
    fields = [tag("input", type="hidden", name=key, value=value) for key, value in {**hidden, "back": back}.items()]
    return tag("form", fields, pieces, method="post", action=f"/simulator/{deed}", class_=class_)


def button(words: str, *, label: str | None = None, class_: str = "") -> Safe:
    return tag("button", words, type="submit", class_=class_ or None, aria_label=label, title=label)


def field(name: str, label: str, **attributes: Any) -> Safe:
    """An input whose label is for screen readers; the placeholder shows the same words."""
    attributes.setdefault("placeholder", label)
    return tag("input", name=name, aria_label=label, autocomplete="off", **attributes)


def choice(name: str, label: str, options: dict[str, str]) -> Safe:
    return tag(
        "select", [tag("option", words, value=value) for value, words in options.items()], name=name, aria_label=label
    )


def page(title: str, *pieces: Any) -> bytes:
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · simulated GitLab"),
        tag("link", rel="icon", href="data:,"),
        tag("link", rel="stylesheet", href="/simulator/style.css"),
    ]
    bar = tag(
        "header",
        tag("a", "Simulated GitLab", href="/", class_="brand"),
        tag("span", "A toy for trying the portal: it is not GitLab, and nothing here is real.", class_="muted"),
        class_="bar",
    )
    body = tag("body", bar, tag("main", pieces))
    return ("<!doctype html>" + tag("html", tag("head", head), body, lang="en")).encode()
