// The plan that is being written is checked by htmx; an answer that is no check (a sign-in page, a refusal, none) says so.
"use strict";

const prospect = document.getElementById("prospect");
const words = (id) => prospect.replaceChildren(document.getElementById(id).content.cloneNode(true));

document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target, requestConfig } = event.detail;
  if (target !== prospect) return;
  const isCheck = xhr.status === 200 && new URL(xhr.responseURL).pathname === requestConfig.path;
  if (isCheck) return;
  event.detail.shouldSwap = false;
  words(xhr.status === 200 || xhr.status === 403 ? "prospect-out" : "prospect-away");
});
for (const failed of ["htmx:sendError", "htmx:timeout"]) document.body.addEventListener(failed, () => words("prospect-away"));

// Who can't see it hears the gist: what stands in the way, or when it would be complete.
document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target !== prospect) return;
  const gist = prospect.querySelector(".notice") ?? prospect.querySelector(".help, .muted:not(.num)");
  document.getElementById("prospect-said").textContent = gist?.textContent.trim() ?? "";
});
