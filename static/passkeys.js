// Asks the browser for a passkey: to make one, or to answer the portal's challenge by one. Its answer goes with the form.
"use strict";

const ask = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }),
  get: (options) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) }),
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const { answer } = form.elements, failed = form.querySelector("[data-failed]");
  form.addEventListener("submit", async (event) => {
    if (answer.value) return;
    event.preventDefault();
    failed.hidden = true;
    try {
      answer.value = JSON.stringify(await ask[form.dataset.passkey](JSON.parse(form.dataset.options)));
      form.requestSubmit();
    } catch {  // nobody touched it in time, there is none, or the browser knows nothing of it
      failed.hidden = false;
    }
  });
}
