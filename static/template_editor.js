// The template editor: line numbers beside the text, faulty lines marked, the preview renewed while one writes.
const text = document.querySelector("textarea.code[name=document]");
const pane = document.querySelector("[data-preview]");
if (text && pane) {
  const margin = document.createElement("pre");
  const frame = document.createElement("div");
  margin.className = "line-numbers";
  margin.setAttribute("aria-hidden", "true");
  frame.className = "numbered";
  text.before(frame);
  frame.append(margin, text);

  const number = () => {
    const wrong = new Set((pane.querySelector("[data-wrong]")?.dataset.wrong ?? "").split(" "));
    margin.replaceChildren(...text.value.split("\n").map((_, index) => {
      const line = document.createElement(wrong.has(String(index + 1)) ? "mark" : "span");
      line.textContent = `${index + 1}\n`;
      return line;
    }));
    margin.scrollTop = text.scrollTop;
  };
  text.addEventListener("scroll", () => { margin.scrollTop = text.scrollTop; });

  let waiting = 0;
  let asked = 0;
  const renew = async () => {
    const turn = ++asked;
    const body = new FormData();
    body.set("document", text.value);
    body.set("slug", document.querySelector("[name=slug]")?.value ?? "");
    body.set("stored", pane.dataset.stored ?? "");
    body.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]").value);
    const answer = await fetch(pane.dataset.preview, { method: "POST", body }).catch(() => null);
    if (!answer?.ok || turn !== asked) return;
    pane.querySelector("[data-shown]").innerHTML = await answer.text();
    pane.querySelector("[data-said]").textContent = pane.querySelector("[data-shown] h3")?.textContent ?? "";
    number();
  };
  text.addEventListener("input", () => {
    number();
    clearTimeout(waiting);
    waiting = setTimeout(renew, 500);
  });
  number();
}
