// Asks in place before something is deleted. Without it the same question is a page of its own.

const dialog = document.getElementById("confirm-delete");
const question = dialog?.querySelector("form");
const what = dialog?.querySelector("[data-what]");

function ask(action, words, ids = []) {
  question.action = action;
  question.querySelectorAll("[name=ids]").forEach((field) => field.remove());
  for (const id of ids) {
    const field = document.createElement("input");
    Object.assign(field, { type: "hidden", name: "ids", value: id });
    question.append(field);
  }
  what.textContent = words;
  dialog.showModal();
}

if (dialog) {
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="/uploads/"][href$="/delete/"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const title = link.closest("[data-result]")?.querySelector(".result-title")?.textContent.trim();
    ask(link.href, title ? `“${title}”` : "this photograph");
  });
}

// --- several at once, in the history --------------------------------------------------------------------

const selection = document.getElementById("selection");
if (selection) {
  const boxes = [...selection.querySelectorAll("[name=ids]")];
  const words = document.getElementById("selected");
  const remove = document.getElementById("delete-selected");
  const all = document.getElementById("select-all");
  const picked = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const count = (n) => `${n} photograph${n === 1 ? "" : "s"}`;

  const update = () => {
    const n = picked().length;
    words.textContent = n ? `${count(n)} selected` : "Tick photographs to delete several at once.";
    remove.disabled = n === 0;
    remove.parentElement.classList.toggle("picking", n > 0);
    all.textContent = n === boxes.length ? "Select none" : "Select all on this page";
  };
  selection.addEventListener("change", update);
  all.addEventListener("click", () => {
    const on = picked().length !== boxes.length;
    for (const box of boxes) box.checked = on;
    update();
  });
  selection.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(selection.action, count(picked().length), picked());
  });
  update();
}
