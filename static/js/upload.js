// Sends photographs one by one as they are dropped, pasted, chosen or taken, and shows each result in place.

const AT_ONCE = 2;
// Without an answer nobody knows whether the photograph was stored: sending it again may store it twice.
const LOST = "The connection was lost; look in your history before sending it again.";
const SLOW = "The site took too long to answer; look in your history before sending it again.";
const PREVIEW = /^image\/(jpeg|png|webp|gif|avif|bmp)$/;

const form = document.getElementById("upload");
const input = document.getElementById("photos");
const queue = document.getElementById("queue");
const blueprint = document.getElementById("job");
const announcer = document.getElementById("announce");
const refusal = document.getElementById("refused");
const veil = document.getElementById("veil");
const maxMegabytes = Number(form.dataset.maxMb);
const maxFiles = Number(form.dataset.maxFiles);

const waiting = [];
let sending = 0;
let heldUntil = 0;
let clock = null;

input.required = false;

function announce(sentence) {
  announcer.textContent = sentence;
}

function add(files) {
  const photographs = [...files];
  if (!photographs.length) return;
  refusal.hidden = true;
  if (photographs.length > maxFiles) {
    return refuse(`At most ${maxFiles} photographs can be sent at once, and these were ${photographs.length}. None was sent.`);
  }
  const choice = { consent: document.getElementById("consent").checked, labelSets: ticked() };
  if (choice.labelSets?.length === 0) return refuse("Choose what to read them under first. None was sent.");
  const first = photographs.map((file) => enqueue(file, choice))[0];
  if (photographs.length > 1) announce(`${photographs.length} photographs are being sent.`);
  first.item.scrollIntoView({ block: "nearest", behavior: "smooth" });
  work();
}

// Null where the page does not ask, since there is only one.
function ticked() {
  const boxes = [...form.querySelectorAll("[name=label_sets]")];
  return boxes.length ? boxes.filter((box) => box.checked).map((box) => box.value) : null;
}

function refuse(sentence) {
  refusal.hidden = false;
  refusal.lastElementChild.textContent = sentence;
  refusal.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

function enqueue(file, choice) {
  const item = blueprint.content.firstElementChild.cloneNode(true);
  const job = { file, choice, item, request: null, part: (query) => item.querySelector(query) };
  const name = file.name || "Picture";
  job.part(".job-name").textContent = name;
  job.part("progress").setAttribute("aria-label", `Progress of ${name}`);
  job.part("[data-dismiss]").setAttribute("aria-label", `Remove ${name}`);
  job.part("[data-dismiss]").addEventListener("click", () => dismiss(job));
  job.part("[data-retry]").addEventListener("click", () => retry(job));
  preview(job);
  queue.prepend(item);
  waiting.push(job);
  return job;
}

function preview(job) {
  if (!PREVIEW.test(job.file.type)) return;
  const image = new Image();
  image.alt = "";
  job.preview = image.src = URL.createObjectURL(job.file);
  image.decode().then(
    () => job.part(".job-picture")?.replaceChildren(image),
    () => {},
  );
}

function forget(job) {
  if (job.preview) URL.revokeObjectURL(job.preview);
  job.preview = null;
}

function dismiss(job) {
  const place = waiting.indexOf(job);
  if (place >= 0) waiting.splice(place, 1);
  job.request?.abort();
  forget(job);
  job.item.remove();
  input.focus();
}

function retry(job) {
  job.item.classList.remove("failed");
  job.part("[data-retry]").hidden = true;
  say(job, "Waiting");
  waiting.push(job);
  work();
}

function say(job, sentence) {
  job.part(".job-state").textContent = sentence;
}

function work() {
  const pause = heldUntil - Date.now();
  if (pause > 0) return;
  while (sending < AT_ONCE && waiting.length) send(waiting.shift());
}

function send(job) {
  if (job.file.size > maxMegabytes * 1e6) {
    return fail(job, `This is larger than ${maxMegabytes} MB, the most that is accepted.`, { final: true });
  }
  const body = new FormData();
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  if (job.choice.consent) body.append("consent", "on");
  for (const slug of job.choice.labelSets ?? []) body.append("label_sets", slug);
  body.append("photos", job.file, job.file.name || "picture.jpg");

  const request = new XMLHttpRequest();
  job.request = request;
  request.open("POST", form.action);
  request.setRequestHeader("Accept", "application/json");
  request.responseType = "json";
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) progress(job, event.loaded / event.total);
  });
  request.addEventListener("loadend", () => {
    sending -= 1;
    job.request = null;
    work();
  });
  request.addEventListener("load", () => answered(job, request));
  request.addEventListener("error", () => fail(job, LOST));
  request.addEventListener("timeout", () => fail(job, SLOW));
  request.timeout = 120_000;
  sending += 1;
  say(job, "Sending");
  request.send(body);
}

function progress(job, share) {
  const bar = job.part("progress");
  if (share < 1) {
    bar.value = 100 * share;
    say(job, `Sending, ${Math.round(100 * share)}%`);
  } else {
    bar.removeAttribute("value");
    say(job, "Reading the faces");
  }
}

function answered(job, request) {
  const answer = request.response;
  if (request.status === 201 && answer?.html) return show(job, answer);
  if (request.status === 429) return hold(job, Number(request.getResponseHeader("Retry-After")) || 30);
  const sentence = answer?.error ?? "The site could not read this photograph. Please try again.";
  const final = [400, 413, 415].includes(request.status);
  fail(job, sentence, { final });
}

function hold(job, seconds) {
  heldUntil = Date.now() + 1000 * seconds;
  waiting.unshift(job);
  const bar = job.part("progress");
  bar.value = 0;
  clearTimeout(clock);
  tick();
}

// One clock for all: a hold ends also when the photographs that met it have been removed.
function tick() {
  const left = Math.ceil((heldUntil - Date.now()) / 1000);
  const sentence = left > 0 ? `That was a lot at once. Goes on by itself in ${left} s.` : "Waiting";
  for (const job of waiting) say(job, sentence);
  if (left > 0) clock = setTimeout(tick, 1000);
  else work();
}

function fail(job, sentence, { final = false } = {}) {
  job.item.classList.add("failed");
  say(job, sentence);
  job.part("[data-retry]").hidden = final;
  announce(`${job.file.name}: ${sentence}`);
}

function show(job, answer) {
  const page = new DOMParser().parseFromString(answer.html, "text/html");
  job.item.classList.add("done");
  job.item.replaceChildren(...page.body.childNodes);
  forget(job);
  announce(`${job.file.name}: ${answer.summary}.`);
}

// --- ways in ------------------------------------------------------------------------------------------

function take(chooser) {
  if (chooser.files.length) add(chooser.files);
  chooser.value = "";
}

for (const chooser of [input, document.getElementById("capture")]) {
  chooser.addEventListener("change", () => take(chooser));
  // What was chosen before this script had come.
  take(chooser);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  take(input);
});

document.addEventListener("photographs", (event) => add(event.detail));

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!files.length) return;
  event.preventDefault();
  add(files);
});

// Children fire enter and leave too: only the outermost pair counts.
let depth = 0;
const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

function dragging(on) {
  veil.hidden = !on;
  document.body.classList.toggle("dragging", on);
  if (!on) depth = 0;
}

window.addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth += 1;
  dragging(true);
});
window.addEventListener("dragover", (event) => {
  if (carriesFiles(event)) event.preventDefault();
});
window.addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth -= 1;
  if (depth <= 0) dragging(false);
});
window.addEventListener("drop", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  dragging(false);
  add(event.dataTransfer.files);
});

window.addEventListener("beforeunload", (event) => {
  if (sending || waiting.length) event.preventDefault();
});
