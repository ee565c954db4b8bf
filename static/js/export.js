// Watches an export that is being written, and shows the page anew when it is done.

const panel = document.getElementById("export");

async function look() {
  const bar = panel.querySelector("progress");
  const words = panel.querySelector("[role=status]");
  try {
    const answer = await fetch(panel.dataset.url, { headers: { Accept: "application/json" } });
    // Deleting a photograph removes the export, too.
    if (answer.status === 404) return location.reload();
    const { state, done, total } = await answer.json();
    if (state === "ready" || state === "failed") return location.reload();
    bar.max = Math.max(total, 1);
    bar.value = done;
    if (state === "running") words.textContent = `Being written: ${done} of ${total}. You may leave this page.`;
  } catch {
    // The next look may find the site again.
  }
  setTimeout(look, 1500);
}

if (panel) setTimeout(look, 800);
