// Shows the page of a training run anew while it goes on, without moving what is being read.

async function look() {
  const shown = document.getElementById("run");
  try {
    const answer = await fetch(location.href);
    // Signed out, or the run is gone: the page itself says which.
    if (!answer.ok || answer.redirected) return location.reload();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("run");
    if (!next) return location.reload();
    keepPlaces(shown, next);
    shown.replaceWith(next);
    if (!("unfinished" in next.dataset)) return;
  } catch {
    // The next look may find the site again.
  }
  setTimeout(look, document.hidden ? 10000 : 2000);
}

function keepPlaces(shown, next) {
  const log = shown.querySelector(".training-log");
  const atEnd = log && log.scrollTop + log.clientHeight > log.scrollHeight - 8;
  const focused = shown.contains(document.activeElement) && document.activeElement.tagName === "BUTTON";
  requestAnimationFrame(() => {
    const fresh = next.querySelector(".training-log");
    if (fresh && log) fresh.scrollTop = atEnd ? fresh.scrollHeight : log.scrollTop;
    if (focused) next.querySelector("button")?.focus();
  });
}

const log = document.querySelector(".training-log");
if (log) log.scrollTop = log.scrollHeight;
setTimeout(look, 2000);
