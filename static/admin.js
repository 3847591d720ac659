// Names for the search boxes that select2 draws in place of a list: it gives them none of their own.
const name = () => document.querySelectorAll(".select2-container").forEach((box) => {
  const label = box.previousElementSibling?.labels?.[0]?.textContent.replace(":", "").trim();
  if (label) box.querySelectorAll("[role=combobox], [role=textbox]").forEach((part) => part.setAttribute("aria-label", label));
});
window.addEventListener("load", name);
document.addEventListener("formset:added", () => setTimeout(name));
