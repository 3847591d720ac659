// The portfolio by keyboard, and filters that answer when they are chosen; the page works without it.
const names = () => [...document.querySelectorAll(".row .name, .tile .name")];

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key !== "j" && event.key !== "k") return;
  const rows = names();
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement);
  const next = event.key === "j" ? at + 1 : Math.max(at, 1) - 1;
  const row = rows[Math.min(next, rows.length - 1)];
  row.focus();
  row.scrollIntoView({ block: "nearest" });
});

// The form may be another one after a live change: what it does is said to the page.
const hideNeedless = () => document.querySelectorAll("[data-filters] [data-needless]").forEach((button) => { button.hidden = true; });
hideNeedless();
document.addEventListener("live:changed", hideNeedless);
document.addEventListener("change", ({ target }) => {
  const isOnSheet = target.closest(".filters")?.matches(":popover-open"); // a phone's: several are chosen, then shown
  if (target.matches("[data-filters] select") && !isOnSheet) target.form.requestSubmit();
});
// An address says only what was chosen.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.matches("[data-filters]")) return;
  for (const [name, value] of [...formData]) if (value === "" || (name === "sort" && value === "urgency")) formData.delete(name);
});
