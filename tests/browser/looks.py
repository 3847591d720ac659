"""What a page that looks right must not have: text cut off, a page wider than its window, findings of axe."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe

#: Run in the page.
MISFITS = """() => {
  const found = [], wide = document.documentElement;
  if (wide.scrollWidth > wide.clientWidth) {
    const right = (node) => node.getBoundingClientRect().right;
    const worst = [...document.querySelectorAll("body *")].filter((node) => right(node) > wide.clientWidth + 1 && !node.closest(".scroll"));
    found.push(`wider than the window by ${wide.scrollWidth - wide.clientWidth} px: ${worst.at(-1)?.outerHTML.slice(0, 150)}`);
  }
  const scrolls = (node) => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  for (const node of document.querySelectorAll("body *")) {
    const style = getComputedStyle(node);
    if (node.closest("svg") || style.display === "none" || style.clipPath !== "none" || !node.getClientRects().length) continue;
    const isCut = ["hidden", "clip"].includes(style.overflowX) && node.scrollWidth > node.clientWidth + 1 && !["INPUT", "SELECT", "TEXTAREA", "PROGRESS", "METER"].includes(node.tagName);
    if (isCut && node.textContent.trim()) found.push(`cut off: ${node.outerHTML.slice(0, 150)}`);
    const tall = ["hidden", "clip"].includes(style.overflowY) && node.scrollHeight > node.clientHeight + 2;
    if (tall && !isCut && node.textContent.trim()) found.push(`cut off below: ${node.outerHTML.slice(0, 150)}`);
  }
  for (const svg of document.querySelectorAll("main svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width || getComputedStyle(svg).overflow === "visible") continue;
    for (const text of svg.querySelectorAll("text")) {
      const { left, right, width } = text.getBoundingClientRect();
      if (width && (left < frame.left - 1 || right > frame.right + 1)) found.push(`cut off in a chart: ${text.textContent.slice(0, 80)}`);
    }
  }
  return found;
}"""


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
