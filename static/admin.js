// Names for the search boxes that select2 draws in place of a list, whenever it does: it gives them none of their own.
const nameBoxes = () => document.querySelectorAll(".select2-container").forEach((box) => {
  const label = box.previousElementSibling?.labels?.[0]?.textContent.replace(":", "").trim();
  if (label) box.querySelectorAll("[role=combobox], [role=textbox]").forEach((part) => part.setAttribute("aria-label", label));
});
if (document.querySelector(".admin-autocomplete")) {
  new MutationObserver(nameBoxes).observe(document.querySelector("#content"), { childList: true, subtree: true });
  nameBoxes();
}

// Django calls its marks of yes and no True and False in every language.
for (const { dataset, innerHTML } of document.querySelectorAll("template[data-alt]")) {
  document.querySelectorAll(`img[alt="${dataset.alt}"]`).forEach((mark) => { mark.alt = innerHTML; });
}
