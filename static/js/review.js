// The review page without a page load between faces. What is answered is sent one after the other, while the
// next face, which came with the answer before, shows at once. Without this script the same buttons post a form.

const page = document.querySelector("[data-review]");
const cards = page.querySelector("[data-cards]");
const said = page.querySelector("[data-said]");
const OUT_OF_REACH = "That did not reach the site. The face is here again: answer it once more.";
const SIGNED_OUT = "You are signed out. Sign in again in another tab, then answer once more.";

const all = () => [...cards.children];
const shown = () => all().find((card) => !card.dataset.sent);

function show({ focus = true } = {}) {
  const current = shown();
  for (const card of all()) card.hidden = card !== current;
  page.querySelector("[data-empty]").hidden = Boolean(current) || all().length > 0;
  if (focus && current) current.focus({ preventScroll: true });
}

function tell(sentence, { error = false } = {}) {
  said.textContent = sentence;
  said.toggleAttribute("data-error", error);
}

// The labeler's hand as the site has it, in its order; cards that are on their way stay until they are answered for.
function follow(hand) {
  for (const { item, html } of hand) {
    if (html) cards.insertAdjacentHTML("beforeend", html);
    const card = cards.querySelector(`[data-item="${item}"]`);
    if (card) cards.append(card);
  }
  const held = new Set(hand.map(({ item }) => String(item)));
  for (const card of all()) if (!held.has(card.dataset.item) && !card.dataset.sent) card.remove();
}

async function post(form, body) {
  body.set("have", all().map((card) => card.dataset.item).join(","));
  const answer = await fetch(form.action, {
    method: "POST",
    body,
    headers: { Accept: "application/json" },
    keepalive: true, // the last answer arrives although the tab is closed
  });
  if (answer.redirected) throw new Error(SIGNED_OUT);
  if (!answer.headers.get("Content-Type")?.includes("json") || ![200, 409].includes(answer.status)) throw new Error(OUT_OF_REACH);
  return { kept: answer.ok, ...(await answer.json()) };
}

async function send(form, body, card) {
  try {
    const reply = await post(form, body);
    card?.remove();
    follow(reply.cards);
    page.querySelector("[data-waiting]").textContent = reply.waiting;
    tell(reply.sentence, { error: !reply.kept });
  } catch (error) {
    if (card) delete card.dataset.sent;
    tell(error instanceof TypeError ? OUT_OF_REACH : error.message, { error: true });
  }
  const before = page.querySelector("[data-item]:focus-within");
  show({ focus: before !== shown() });
}

let sending = Promise.resolve();

page.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const body = new FormData(form, event.submitter);
  const card = form.closest("[data-item]");
  if (card?.dataset.sent) return;
  if (card) card.dataset.sent = "yes";
  show();
  sending = sending.then(() => send(form, body, card));
});

// Whoever dictates, or rests a hand on the keyboard, can do without keys.
const keys = page.querySelector("[data-keys]");
keys.checked = localStorage.getItem("review-keys") !== "off";
keys.closest("label").hidden = false;
keys.addEventListener("change", () => localStorage.setItem("review-keys", keys.checked ? "on" : "off"));

// Keys are buttons: each presses the one that bears its name, on the face that shows.
document.addEventListener("keydown", (event) => {
  if (!keys.checked || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "Enter" && event.target.closest("a, button, summary")) return;
  const places = [shown(), page.querySelector(".review-bar"), page.querySelector(".review-help")];
  const button = places.map((place) => place?.querySelector(`[data-key="${CSS.escape(key)}"]`)).find(Boolean);
  if (!button) return;
  event.preventDefault();
  button.click();
});

show();
