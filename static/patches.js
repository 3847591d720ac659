// What differs between a page as the server told it and as it tells it now; and how to change just that on the page.
// A patch is the smallest part that differs. Ages and hidden fields change by themselves: they are no difference.
"use strict";

const Patches = (() => {
  const twins = new WeakMap(); // a node as it was told: the node on the page
  const AGE = "time[data-ago], time[data-for]";
  const HIDDEN = "input[type=hidden]";
  const STILL = "[data-still]"; // what belongs to this visit: messages, the live line itself
  const KEYED = new Set(["ARTICLE", "LI", "TR"]);

  function pair(told, shown) {
    twins.set(told, shown);
    [...told.children].forEach((child, at) => shown.children[at] && pair(child, shown.children[at]));
  }

  const attributes = (node) => [...node.attributes].map(({ name, value }) => `${name}=${value}`).sort().join(" ");
  const words = (node) =>
    [...node.childNodes].filter((child) => child.nodeType === Node.TEXT_NODE).map((child) => child.data.trim()).join("|");

  // Which one it is: a row is known by its address, so that a row that moves is not taken for the one that was there.
  function key(node) {
    if (node.id) return node.id;
    return KEYED.has(node.tagName) ? node.querySelector("a[href]")?.getAttribute("href") ?? "" : "";
  }
  const alike = (one, other) => one.tagName === other.tagName && key(one) === key(other);

  // Equal signatures: nothing that a reader could notice differs.
  function signer() {
    const known = new WeakMap();
    return function signature(node) {
      if (node.nodeType === Node.TEXT_NODE) return node.data.replace(/\s+/g, " ");
      if (node.nodeType !== Node.ELEMENT_NODE) return "";
      if (node.matches(AGE)) return "<time>";
      if (node.matches(STILL)) return "<still>";
      if (node.matches(HIDDEN)) return `<hidden ${node.name}>`;
      if (!known.has(node)) {
        known.set(node, `<${node.tagName} ${attributes(node)}>${[...node.childNodes].map(signature).join("")}</>`);
      }
      return known.get(node);
    };
  }

  function compare(told, fresh, signature = signer(), found = []) {
    if (signature(told) === signature(fresh)) return found;
    if (!alike(told, fresh) || words(told) !== words(fresh)) {
      found.push(replacing(told, [told], [fresh]));
      return found;
    }
    if (attributes(told) !== attributes(fresh)) found.push(restating(told, fresh));
    const before = [...told.children], after = [...fresh.children];
    if (before.length === after.length && before.every((child, at) => alike(child, after[at]))) {
      before.forEach((child, at) => compare(child, after[at], signature, found));
      return found;
    }
    const same = (one, other) => one && other && signature(one) === signature(other);
    let head = 0, tail = 0;
    while (same(before[head], after[head])) head += 1;
    const left = () => Math.min(before.length, after.length) - head;
    while (tail < left() && same(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
    found.push(replacing(told, before.slice(head, before.length - tail), after.slice(head, after.length - tail), before[head - 1]));
    return found;
  }

  // Instead of `old` (neighbours within `told`, after `previous`) there shall be `fresh`.
  function replacing(told, old, fresh, previous) {
    const shown = old.map((node) => twins.get(node));
    return {
      touches: shown,
      told: old,
      apply() {
        const kept = fresh.map((node) => node.cloneNode(true));
        const placed = fresh.map((node) => document.importNode(node, true));
        const put = (out, into, parent, behind) => {
          if (out.length) out[0].before(...into);
          else if (behind) behind.after(...into);
          else parent.prepend(...into);
          out.forEach((node) => node.remove());
        };
        const swap = (from, to, toldFrom, toldTo) => {
          put(from, to, twins.get(told), previous && twins.get(previous));
          put(toldFrom, toldTo, told, previous);
        };
        swap(shown, placed, old, kept);
        kept.forEach((node, at) => pair(node, placed[at]));
        return { placed, undo: () => swap(placed, shown, kept, old) };
      },
    };
  }

  // The same element with other attributes.
  function restating(told, fresh) {
    const shown = twins.get(told);
    return {
      touches: [shown],
      told: [],
      isOnlyItself: true,
      apply() {
        const was = told.cloneNode(false), stood = shown.cloneNode(false);
        copy(told, fresh, told);
        copy(was, fresh, shown);
        return { placed: [shown], undo: () => { copy(fresh, was, told); copy(shown.cloneNode(false), stood, shown); } };
      },
    };
  }
  // What `to` has, and not what only `from` has; what a script has set besides stays.
  function copy(from, to, on) {
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) on.removeAttribute(name);
    for (const { name, value } of to.attributes) if (on.getAttribute(name) !== value) on.setAttribute(name, value);
  }

  // Ages follow at once; hidden fields, which say what the person has seen, only when all of it is shown.
  function settle(told, fresh, isWhole) {
    if (told.matches(AGE) || (isWhole && told.matches(HIDDEN))) {
      const shown = twins.get(told);
      if (attributes(told) !== attributes(fresh) && told.tagName === fresh.tagName) {
        copy(told, fresh, shown);
        copy(told.cloneNode(false), fresh, told);
      }
      return;
    }
    const before = [...told.children], after = [...fresh.children];
    if (before.length === after.length) before.forEach((child, at) => settle(child, after[at], isWhole));
  }

  return { pair, compare, settle, shown: (told) => twins.get(told) };
})();
