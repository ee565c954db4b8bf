// Takes a still with the computer's camera. Phones use their own camera through the file field instead.

const opener = document.getElementById("camera");
const dialog = document.getElementById("camera-dialog");
const view = document.getElementById("camera-view");
const shoot = document.getElementById("camera-shoot");
const trouble = document.getElementById("camera-error");

const WHY = {
  NotAllowedError: "The browser may not use the camera. Allow it for this site, then try again.",
  NotFoundError: "No camera was found on this device.",
  NotReadableError: "Another program is using the camera.",
};

let stream = null;

async function start() {
  trouble.hidden = true;
  shoot.disabled = true;
  dialog.showModal();
  try {
    const found = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } }, audio: false });
    if (!dialog.open) return found.getTracks().forEach((track) => track.stop());
    stream = found;
    view.srcObject = stream;
    await view.play();
    shoot.disabled = false;
    shoot.focus();
  } catch (error) {
    trouble.lastElementChild.textContent = WHY[error.name] ?? "The camera could not be opened.";
    trouble.hidden = false;
  }
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  view.srcObject = null;
}

async function take() {
  const canvas = document.createElement("canvas");
  canvas.width = view.videoWidth;
  canvas.height = view.videoHeight;
  canvas.getContext("2d").drawImage(view, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  dialog.close();
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const file = new File([blob], `camera-${stamp}.jpg`, { type: "image/jpeg" });
  document.dispatchEvent(new CustomEvent("photographs", { detail: [file] }));
}

if (navigator.mediaDevices?.getUserMedia) {
  opener.addEventListener("click", start);
  shoot.addEventListener("click", take);
  dialog.addEventListener("close", stop);
  document.getElementById("camera-close").addEventListener("click", () => dialog.close());
} else {
  opener.hidden = true;
}
