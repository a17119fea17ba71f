// Uploads one recording as a demo, and opens its page.
import {measure, megabytes, onDrop} from "./recordings.js";

const form = document.getElementById("demo");
const drop = document.getElementById("drop");
const input = document.getElementById("file");
const chosen = document.getElementById("chosen");
const notice = document.getElementById("notice");
const sent = document.getElementById("sent");
const send = document.getElementById("send");
const maxBytes = Number(form.dataset.maxBytes);
const maxSeconds = Number(form.dataset.maxSeconds);
let file = null;

async function choose(recording) {
  file = null;
  notice.textContent = chosen.textContent = "";
  if (recording.size > maxBytes) {
    notice.textContent = `The file has ${megabytes(recording.size)}; a demo takes ${megabytes(maxBytes)}. Choose a shorter one.`;
    return;
  }
  const seconds = await measure(recording);
  if (seconds > maxSeconds) {
    notice.textContent = `The recording has ${Math.ceil(seconds / 60)} minutes; a demo takes ${maxSeconds / 60}. Choose a shorter one.`;
    return;
  }
  file = recording;
  chosen.textContent = `${recording.name}, ${megabytes(recording.size)}`;
}

function upload() {
  const body = new FormData(form);
  body.set("file", file);
  const request = new XMLHttpRequest();
  request.open("POST", `/v1/demo/${form.dataset.product}/jobs`);
  request.responseType = "json";
  request.upload.onprogress = (event) => { sent.value = event.loaded / event.total; };
  request.onload = () => {
    if (request.status === 202) {
      const {job_id: id, token} = request.response;
      location.assign(`/try/${id}?token=${encodeURIComponent(token)}`);
    } else refuse(request.response?.detail?.message ?? "The answer could not be read. Try again.");
  };
  request.onerror = () => refuse("The connection was lost. Try again.");
  notice.textContent = "";
  sent.hidden = false;
  send.disabled = true;
  request.send(body);
}

function refuse(text) {
  notice.textContent = text;
  sent.hidden = true;
  send.disabled = false;
}

onDrop(drop, ([first]) => { if (first) choose(first); });
input.onchange = () => { if (input.files.length) choose(input.files[0]); };
document.getElementById("sample").onclick = async () => {
  try {
    const answer = await fetch("/try/sample.ogg");
    if (!answer.ok) throw new Error(answer.status);
    await choose(new File([await answer.blob()], "sample interview.ogg", {type: "audio/ogg"}));
  } catch {
    notice.textContent = "The sample could not be read. Try again, or choose a recording of your own.";
  }
};
form.onsubmit = (event) => {
  event.preventDefault();
  if (file) upload();
  else if (!notice.textContent) notice.textContent = "Choose a recording first.";
};
