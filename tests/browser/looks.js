() => { // run in a page: what does not fit at the present width, one line for each place
  const found = new Set(), root = document.documentElement, width = root.clientWidth;
  const SMALLEST = 24, CHARACTERS = 4, TOUCHING = 3;
  const styles = new Map();
  const style = (node) => styles.get(node) ?? (styles.set(node, getComputedStyle(node)), styles.get(node));
  const say = (what, node) => found.add(`${what}: ${node.outerHTML.replace(/\s+/g, " ").slice(0, 150)}`);
  const isSeen = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length > 0;
  const isHidden = (node) => style(node).clipPath !== "none" || ["clip", "hidden"].includes(style(node).overflowX) && node.clientWidth <= 1;

  // What cuts a node off: the nearest box around it that scrolls or hides; and whether it is drawn for nobody.
  const cutters = new Map();
  function cutter(node) {
    if (!node || node === document.body || node === root) return null;
    if (!cutters.has(node)) {
      const own = style(node).overflowX !== "visible" || style(node).overflowY !== "visible";
      cutters.set(node, isHidden(node) ? "unseen" : own ? node : cutter(node.parentElement));
    }
    return cutters.get(node);
  }
  // What lies over the page on purpose: bars in a fixed place, forms that unfold.
  const lifted = new Map();
  function lift(node) {
    if (!node || node === root) return null;
    if (!lifted.has(node)) lifted.set(node, ["fixed", "sticky"].includes(style(node).position) || (style(node).position === "absolute" && style(node).zIndex !== "auto") ? node : lift(node.parentElement));
    return lifted.get(node);
  }

  if (root.scrollWidth > width) {
    const worst = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > width + 1 && !cutter(node.parentElement));
    say(`wider than the window by ${root.scrollWidth - width} px`, worst.at(-1) ?? document.body);
  }

  const nodes = [...document.querySelectorAll("body *")].filter((node) => isSeen(node) && cutter(node) !== "unseen");
  for (const node of nodes) {
    if (node.closest("svg")) continue;
    const { overflowX, overflowY } = style(node), { left, right, width: wide } = node.getBoundingClientRect();
    const field = ["INPUT", "SELECT", "TEXTAREA", "PROGRESS", "METER"].includes(node.tagName);
    const isCut = ["hidden", "clip"].includes(overflowX) && node.scrollWidth > node.clientWidth + 1 && !field;
    if (isCut && node.textContent.trim()) say("cut off", node);
    const isTall = ["hidden", "clip"].includes(overflowY) && node.scrollHeight > node.clientHeight + 2;
    if (isTall && !isCut && node.textContent.trim()) say("cut off below", node);
    if (wide && !cutter(node.parentElement) && !node.matches(".skip") && (left < -1 || right > width + 1)) say("beyond the window", node);
  }

  for (const svg of document.querySelectorAll("main svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width || style(svg).overflow === "visible") continue;
    for (const text of svg.querySelectorAll("text")) {
      const { left, right, width: wide } = text.getBoundingClientRect();
      if (wide && (left < frame.left - 1 || right > frame.right + 1)) found.add(`cut off in a chart: ${text.textContent.slice(0, 80)}`);
    }
  }

  // Lines of text: where each stands, cut to what is to be seen of it.
  const lines = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const around = text.parentElement, words = text.data.trim();
    if (!words || ["SCRIPT", "STYLE", "TEMPLATE", "OPTION"].includes(around.tagName) || around.closest("svg") || !isSeen(around)) continue;
    const box = cutter(around);
    if (box === "unseen") continue;
    range.selectNodeContents(text);
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 0);
    if (new Set(rects.map((rect) => Math.round(rect.top))).size > 1 && words.length > CHARACTERS) {
      let block = around;
      while (["inline", "contents"].includes(style(block).display)) block = block.parentElement;
      const { paddingLeft, paddingRight, fontSize } = style(block);
      const room = block.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
      if (room < CHARACTERS * 0.5 * parseFloat(fontSize)) say(`no room for ${CHARACTERS} characters`, block);
    }
    const edge = box?.getBoundingClientRect();
    for (const rect of rects) {
      const left = Math.max(rect.left, edge?.left ?? -Infinity), right = Math.min(rect.right, edge?.right ?? Infinity);
      const top = Math.max(rect.top, edge?.top ?? -Infinity), bottom = Math.min(rect.bottom, edge?.bottom ?? Infinity);
      if (right - left > TOUCHING && bottom - top > TOUCHING) lines.push({ left, right, top, bottom, around, over: lift(around) });
    }
  }
  lines.sort((one, other) => one.top - other.top);
  lines.forEach((one, at) => {
    for (let next = at + 1; next < lines.length && lines[next].top < one.bottom - TOUCHING; next += 1) {
      const other = lines[next];
      if (one.around === other.around || one.over !== other.over) continue;
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const down = Math.min(one.bottom, other.bottom) - other.top;
      if (across > TOUCHING && down > TOUCHING) say(`overlaps “${other.around.textContent.trim().slice(0, 40)}”`, one.around);
    }
  });

  // WCAG 2.2, 2.5.8: 24 by 24, or a link in a line of text, or a link or a box to tick with so much room of its own around it.
  const targets = nodes.filter((node) => node.matches("a[href], button, summary, input:not([type=hidden]), select, textarea, [role=button], [role=combobox]") && !node.disabled && !node.closest(".skip"));
  const places = targets.map((node) => {
    const label = node.matches("[type=checkbox], [type=radio]") ? node.closest("label") : null;
    const { left, top, width: wide, height } = (label ?? node).getBoundingClientRect();
    return { node, x: left + wide / 2, y: top + height / 2, wide, height, left, top, isSmall: wide < SMALLEST - 0.5 || height < SMALLEST - 0.5 };
  });
  const isInText = (node) => {
    let block = node.parentElement;
    while (style(block).display === "inline") block = block.parentElement;
    if (style(node).display !== "inline" || ["flex", "grid"].includes(style(block).display)) return false;
    const pressed = [...block.querySelectorAll("a, button, details")];
    const outer = pressed.filter((each) => !pressed.some((other) => other !== each && other.contains(each)));
    const linked = outer.reduce((sum, each) => sum + each.textContent.trim().length, 0);
    return block.textContent.trim().length > linked;
  };
  for (const place of places.filter((each) => each.isSmall)) {
    const { node, x, y } = place, isLink = node.tagName === "A", mayBeSmall = isLink || node.matches("[type=checkbox], [type=radio]");
    if (node.closest("svg") || (isLink && isInText(node))) continue;
    const isAlone = mayBeSmall && !places.some((other) => other.node !== node && !other.node.contains(node) && !node.contains(other.node) && (
      other.isSmall ? Math.hypot(other.x - x, other.y - y) < SMALLEST
        : Math.hypot(Math.max(other.left - x, 0, x - other.left - other.wide), Math.max(other.top - y, 0, y - other.top - other.height)) < SMALLEST / 2));
    if (!isAlone) say(`smaller than ${SMALLEST} × ${SMALLEST} px`, node);
  }
  return [...found];
}
