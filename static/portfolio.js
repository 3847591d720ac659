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

const form = document.querySelector("[data-filters]");
if (form) {
  form.querySelector("[data-needless]").hidden = true;
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
  // An address says only what was chosen.
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (value === "" || (name === "sort" && value === "urgency")) formData.delete(name);
  });
}
