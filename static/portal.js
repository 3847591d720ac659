// Small comforts; every page works without them.

// Copying takes a script and a page that came by https or from this machine: elsewhere there is no button for it.
if (navigator.clipboard) document.documentElement.classList.add("can-copy");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(text.textContent);
  } catch {
    getSelection().selectAllChildren(text); // the browser refused: by hand, then
    return;
  }
  const said = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = said; }, 1500);
});

// A link may lead to a place on a page: who must sign in first comes to that place too.
if (location.hash) {
  for (const field of document.querySelectorAll(".signin input[name=next]")) if (field.value) field.value += location.hash;
  for (const way of document.querySelectorAll(".signin a[href*='next=']")) way.href += encodeURIComponent(location.hash);
}

document.addEventListener("keydown", (event) => {
  const search = document.querySelector("input[type=search]");
  const writing = event.target.closest("input, textarea, select");
  if (event.key === "/" && search && !writing) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape") {
    document.querySelectorAll("details.action-form[open]").forEach((folded) => {
      folded.open = false;
      folded.querySelector("summary").focus();
    });
  }
});

// Times in the reader's own zone on hover; the page itself says how long ago.
const sayLocalTimes = (part) => part.querySelectorAll("time[datetime]").forEach((time) => {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.valueOf())) time.title = `${moment.toLocaleString()} (${time.title})`;
});
sayLocalTimes(document);
document.addEventListener("live:changed", ({ detail }) => detail.changed.forEach(sayLocalTimes));

// The reader's zone, so that pages show local times; what was chosen by hand stays.
if (!document.cookie.includes("zone=")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) document.cookie = `zone=${encodeURIComponent(zone).replaceAll("%2F", "/")}; path=/; max-age=31536000; samesite=lax`;
}

// The approvals inbox by keyboard: next, previous, approve, reject, open. Cards come and go while the page is open.
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const requests = [...document.querySelectorAll("[data-request]")];
  if (!requests.length) return;
  const at = requests.findIndex((card) => card.contains(document.activeElement));
  const card = requests[at];
  const focusOn = (index) => {
    const next = requests[Math.min(Math.max(index, 0), requests.length - 1)];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  if (event.key === "j") focusOn(at + 1);
  else if (event.key === "k") focusOn(at < 0 ? 0 : at - 1);
  else if (event.key === "a") card?.querySelector("[data-approve]")?.focus();
  else if (event.key === "r" && card?.querySelector("[data-reject]")) {
    event.preventDefault();
    const reject = card.querySelector("[data-reject]");
    reject.parentElement.open = true;
    reject.parentElement.querySelector("textarea").focus();
  } else if (event.key === "o") card?.querySelector("[data-open]")?.click();
});

// A picture that is wider than the screen begins near now, not at its oldest end.
document.querySelectorAll(".scroll").forEach((scroll) => {
  const now = scroll.querySelector("line.today, line.now-line, line.now");
  if (!now || scroll.scrollWidth <= scroll.clientWidth) return;
  scroll.scrollLeft += now.getBoundingClientRect().left - scroll.getBoundingClientRect().left - scroll.clientWidth * 0.7;
});

// A slider shows what it is put at.
document.addEventListener("change", (event) => {
  if (event.target.matches("input[data-submits]")) event.target.form.requestSubmit();
});
