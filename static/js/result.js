// A face's card and its box light up together. Works for results that arrive later, too.

function light(result, number) {
  const boxes = result.querySelector(".boxes");
  boxes.classList.toggle("lit", number !== null);
  for (const box of boxes.querySelectorAll("[data-box]")) box.classList.toggle("on", box.dataset.box === number);
  for (const card of result.querySelectorAll("[data-face]")) card.classList.toggle("on", card.dataset.face === number);
}

function pointedAt(event) {
  const part = event.target.closest?.("[data-face], [data-box]");
  const result = part?.closest("[data-result]");
  return result ? { result, number: part.dataset.face ?? part.dataset.box } : null;
}

let lit = null;

function follow(event) {
  const found = pointedAt(event);
  if (lit && (!found || found.result !== lit)) light(lit, null);
  lit = found?.result ?? null;
  if (found) light(found.result, found.number);
}

document.addEventListener("pointerover", follow);
document.addEventListener("focusin", follow);

document.addEventListener("click", (event) => {
  const box = event.target.closest?.("[data-box]");
  const card = box?.closest("[data-result]")?.querySelector(`[data-face="${box.dataset.box}"]`);
  card?.scrollIntoView({ block: "nearest", behavior: "smooth" });
});

// What a user says of a face is kept without leaving the page.
document.addEventListener("submit", async (event) => {
  const part = event.target.closest?.("[data-feedback]");
  if (!part) return;
  event.preventDefault();
  const form = event.target;
  const body = new FormData(form, event.submitter);
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) {
    part.querySelector("[role=alert]").textContent = "That could not be kept. Reload the page and try again.";
    return;
  }
  const { html } = await answer.json();
  part.insertAdjacentHTML("afterend", html);
  const anew = part.nextElementSibling;
  part.remove();
  (anew.querySelector(`button.pill[value="${body.get("said")}"]`) ?? anew.querySelector("summary")).focus();
});

// What drove an answer is computed only when somebody asks.
document.addEventListener("toggle", (event) => {
  const reason = event.target;
  if (!reason.open || !reason.dataset?.why || reason.querySelector("img")) return;
  const picture = Object.assign(new Image(112, 112), { alt: "", src: reason.dataset.why });
  const body = reason.querySelector(".reason-body");
  body.setAttribute("aria-busy", "true");
  picture.addEventListener("load", () => body.removeAttribute("aria-busy"));
  picture.addEventListener("error", () => {
    body.removeAttribute("aria-busy");
    body.textContent = "This can’t be shown: the model that gave this answer is gone.";
  });
  body.prepend(picture);
}, true);
