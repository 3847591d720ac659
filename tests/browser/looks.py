"""What a page that looks right must not have: text cut off, squeezed or over other text, anything out of the window,
targets too small to hit, findings of axe."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe

#: Run in the page: measures all of it at once.
MISFITS = Path(__file__).with_name("looks.js").read_text()


def misfits(page) -> list[str]:
    """What does not fit at the present width."""
    return page.evaluate(MISFITS)


def axe(page, *rules: str) -> list[str]:
    """What axe finds, one line for each place; all of its rules, or only these.

    Without ``preload``, for which it copies imported style sheets into the page: the page's policy refuses that, rightly.
    """
    options = {"preload": False} | ({"runOnly": {"type": "rule", "values": list(rules)}} if rules else {})
    broken = Axe().run(page, options=options).response["violations"]
    return [f"{rule['id']}: {node['html'][:150]}" for rule in broken for node in rule["nodes"]]
