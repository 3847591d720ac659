// Small comforts; every page works without them.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const said = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = said; }, 1500);
});

document.addEventListener("keydown", (event) => {
  const search = document.querySelector("input[type=search]");
  const writing = event.target.closest("input, textarea, select");
  if (event.key === "/" && search && !writing) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape") {
    document.querySelectorAll("details.deed[open]").forEach((deed) => {
      deed.open = false;
      deed.querySelector("summary").focus();
    });
  }
});

// Times in the reader's own zone on hover; the page itself says how long ago.
document.querySelectorAll("time[datetime]").forEach((time) => {
  const moment = new Date(time.dateTime);
  if (!Number.isNaN(moment.valueOf())) time.title = `${moment.toLocaleString()} (${time.title})`;
});
