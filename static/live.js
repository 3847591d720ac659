// A page that is open follows what happens (docs/decisions, "Live by asking"). htmx asks; here is decided what may move.
// Nothing that the hand is at moves or goes: such a change waits behind a button in a fixed place.
"use strict";

const live = document.getElementById("live");
const PRESSABLE = "a[href], button, summary, input, select, textarea, label, [tabindex='0']";
const SECOND = 1000, WHOLE_AFTER = 60 * SECOND, LONGEST_WAIT = 60 * SECOND, TOLD_FOR = 12 * SECOND;

// Ages tick on every page, by the server's clock.
const { now: told, ago: AGO, units = "" } = document.documentElement.dataset;
const ahead = Date.parse(told) - Date.now(), UNITS = units.split("|");

function lasting(since) {
  const left = Math.max(0, Math.floor((Date.now() + ahead - since) / SECOND)), sizes = [86400, 3600, 60, 1];
  const at = left ? sizes.findIndex((size) => left >= size) : 3;
  return UNITS[at].replace("{n}", Math.floor(left / sizes[at]));
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago], time[data-for]")) {
    const said = time.hasAttribute("data-ago") ? AGO.replace("{length}", lasting(Date.parse(time.dateTime))) : lasting(Date.parse(time.dateTime));
    if (time.textContent !== said) time.textContent = said;
  }
}

// What the hand is at: under the pointer, and in focus.
function hands() {
  const under = [...document.querySelectorAll(":hover")].at(-1)?.closest(PRESSABLE);
  const focused = document.activeElement?.closest(PRESSABLE);
  return [under, focused].filter((node) => node && !live?.contains(node));
}

const isDirty = (field) =>
  field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
    : field.tagName === "SELECT" ? [...field.options].some((option) => option.selected !== option.defaultSelected && option.hasAttribute("selected"))
      : field.type !== "hidden" && field.value !== field.defaultValue;
const fieldsOf = (nodes) => nodes.flatMap((node) => [...node.querySelectorAll("input, select, textarea")]);
const openedIn = (nodes) =>
  nodes.flatMap((node) => [node, ...node.querySelectorAll("details")])
    .filter((node) => node.tagName === "DETAILS" && Patches.shown(node)?.open && !node.open)
    .map(Patches.shown);

// Somebody has opened, filled or marked something in there, or is about to press it.
function isHeld(patch) {
  const at = hands();
  if (patch.isOnlyItself) return at.includes(patch.touches[0]);
  const chosen = getSelection();
  return patch.touches.some((node) => at.some((hand) => node.contains(hand)) || (!chosen.isCollapsed && chosen.containsNode(node, true)))
    || fieldsOf(patch.touches).some(isDirty) || openedIn(patch.told).length > 0;
}

// Apply, and take back if what the hand is at would have moved and scrolling along can't make up for it.
function applyStill(patch) {
  const place = (node) => { const { x, y } = node.getBoundingClientRect(); return { x, y }; };
  const isInView = (node) => { const { top, bottom } = node.getBoundingClientRect(); return bottom > 0 && top < innerHeight; };
  const anchors = hands().filter(isInView);
  const reader = document.elementFromPoint(innerWidth / 2, innerHeight / 4);
  const watched = anchors.length ? anchors : scrollY && reader && !patch.touches.some((node) => node.contains(reader)) ? [reader] : [];
  const before = watched.map(place), scrolled = scrollY;
  const done = patch.apply();
  if (!watched.length) return done;
  const grown = place(watched[0]).y - before[0].y;
  if (grown) scrollBy({ top: grown, behavior: "instant" });
  const stands = watched.every((node, at) => Math.abs(place(node).y - before[at].y) < 1 && Math.abs(place(node).x - before[at].x) < 1);
  if (stands || !anchors.length) return done;
  done.undo();
  scrollTo({ top: scrolled, behavior: "instant" });
  return null;
}

// What was typed and opened in there goes along into what takes its place.
function carry(from, into) {
  const opened = from.flatMap((node) => [...node.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent));
  const typed = fieldsOf(from).filter((field) => field.id && isDirty(field));
  return () => {
    for (const node of into()) {
      for (const summary of node.querySelectorAll("summary")) if (opened.includes(summary.textContent)) summary.parentElement.open = true;
      for (const field of typed) {
        const now = node.querySelector(`#${CSS.escape(field.id)}`);
        if (now) [now.value, now.checked] = [field.value, field.checked];
      }
    }
  };
}

if (live) follow();
setInterval(() => { if (!document.hidden) tick(); }, SECOND);

function follow() {
  const known = document.body.cloneNode(true); // before other scripts have changed it
  Patches.pair(known, document.body);
  const status = live.querySelector("[role=status]"), line = live.querySelector(".line");
  const says = Object.fromEntries([...live.querySelectorAll("template")].map((each) => [each.dataset.says, each.innerHTML.trim()]));
  let version = live.dataset.version, wholeAt = Date.now(), answeredAt = Date.now();
  let latest = null, owed = [], failures = 0, askAgainAt = 0, clearing = 0;

  function announce(text) { status.textContent = text; }

  function show(html, forMs) {
    clearTimeout(clearing);
    line.innerHTML = html;
    line.hidden = !html;
    if (forMs) clearing = setTimeout(() => show(""), forMs);
    tick();
  }
  const escaped = (text) => { const span = document.createElement("span"); span.textContent = text; return span.innerHTML; };

  // Bring the page to what was told last. `isWished`: somebody pressed the button, so nothing is held back.
  function bring(news, isWished = false) {
    document.documentElement.classList.add("is-patched");
    const changed = [];
    let waits = 0;
    for (const patch of Patches.compare(known, latest.body)) {
      if (!isWished && isHeld(patch)) { waits += 1; continue; }
      let placed = [];
      const restore = carry(patch.isOnlyItself ? [] : patch.touches, () => placed);
      const done = isWished ? patch.apply() : applyStill(patch);
      if (!done) { waits += 1; continue; }
      placed = done.placed;
      if (isWished) restore();
      changed.push(...placed);
    }
    Patches.settle(known, latest.body, waits === 0);
    requestAnimationFrame(() => requestAnimationFrame(() => document.documentElement.classList.remove("is-patched")));
    if (changed.length) document.dispatchEvent(new CustomEvent("live:changed", { detail: { changed } }));
    if (news.length || isWished) mark(changed);
    tell(news, waits);
    return changed;
  }

  function mark(nodes) {
    for (const node of nodes.filter((each) => each.isConnected)) {
      node.setAttribute("data-fresh", "");
      setTimeout(() => node.removeAttribute("data-fresh"), 4 * SECOND);
    }
  }

  function tell(news, waits) {
    owed = waits ? [...owed, ...news] : [];
    if (owed.length) {
      const count = owed.length === 1 ? says.one : says.many.replace("{count}", owed.length);
      show(`<button type="button" class="btn small">${count}</button> <span>${escaped(owed.at(-1))}</span>`);
    } else if (news.length) show(`<span>${escaped(news.at(-1))}</span>`, TOLD_FOR);
    else if (line.querySelector("button")) show("");
    if (news.length) announce(news.join(". "));
  }

  line.addEventListener("click", (event) => {
    if (!event.target.closest("button")) return;
    const [first] = bring([], true);
    if (!first) return;
    first.tabIndex = -1;
    first.focus({ preventScroll: false });
  });

  function away(words, isNews) {
    show(`<span>${words}</span> <time datetime="${new Date(answeredAt + ahead).toISOString()}" data-ago></time>`);
    if (isNews) announce(`${line.textContent}`);
  }

  // htmx asks every few seconds; not while nobody looks, and ever more seldom while nobody answers.
  live.addEventListener("htmx:configRequest", (event) => {
    if (document.hidden || Date.now() < askAgainAt) return event.preventDefault();
    event.detail.path = location.pathname + location.search;
    event.detail.headers["Live-Version"] = version;
    if (Date.now() - wholeAt > WHOLE_AFTER) event.detail.headers["Live-Anyway"] = "1";
  });

  live.addEventListener("htmx:afterRequest", (event) => {
    const { xhr } = event.detail, now = xhr.getResponseHeader("Live-Version");
    if (!now) {
      const isOut = xhr.status === 200; // the page to sign in
      failures += 1;
      askAgainAt = Date.now() + Math.min(LONGEST_WAIT, live.dataset.seconds * SECOND * 2 ** failures);
      return away(isOut ? says.out : says.away, failures === 1);
    }
    if (failures) { show(""); announce(says.back); }
    [failures, askAgainAt, answeredAt, version] = [0, 0, Date.now(), now];
    if (xhr.status === 200) {
      latest = new DOMParser().parseFromString(xhr.responseText, "text/html");
      wholeAt = Date.now();
      bring([...latest.querySelectorAll("#live .news li")].map((each) => each.textContent));
    } else if (latest) bring([]); // what was held back
  });

  document.addEventListener("visibilitychange", () => { if (!document.hidden) htmx.trigger(live, "ask"); });
}
