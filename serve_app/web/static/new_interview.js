// The form of a new interview: a queue of recordings, the price of each, and their upload with progress.
import {measure, megabytes, onDrop} from "./recordings.js";
import {newKey} from "./request_key.js";

const form = document.getElementById("new-interview");
const drop = document.getElementById("drop");
const files = document.getElementById("files");
const queue = document.getElementById("queue");
const notice = document.getElementById("notice");
const send = document.getElementById("send");
const template = document.getElementById("file-row");
const {token, product, consent} = form.dataset;
const maxBytes = Number(form.dataset.maxBytes);
const rows = new Map();

async function quote(row) {
  const seconds = await measure(row.file);
  if (row.state !== "waiting") return;
  if (!seconds) return say(row, "The price is known after the upload.");
  const body = new FormData();
  body.set("duration_s", seconds);
  const response = await fetch(`/interviews/quote?product=${product}`, {method: "POST", body, headers: {"X-Form-Token": token}});
  const answer = await response.json().catch(() => null);
  if (row.state !== "waiting") return;
  if (!response.ok) return fail(row, answer?.detail?.message ?? "The price could not be asked for.");
  const minutes = Math.max(1, Math.round(answer.expected_s / 60));
  say(row, `${answer.credits} credits, about ${minutes} min of work${answer.cold ? ", models are loaded first" : ""}.`);
}

const say = (row, text) => { row.status.textContent = text; };

function fail(row, text) {
  row.state = "failed";
  row.bar.hidden = true;
  row.status.className = "status message";
  say(row, text);
}

function add(file) {
  const element = template.content.firstElementChild.cloneNode(true);
  const row = {
    file, element, state: "waiting", key: newKey(), status: element.querySelector(".status"),
    bar: element.querySelector("progress"), label: element.querySelector(".label"),
  };
  element.querySelector(".name").textContent = file.name;
  element.querySelector(".size").textContent = megabytes(file.size);
  row.label.value = file.name.replace(/\.[^.]+$/, "").replace(/[_-]+/g, " ");
  row.bar.setAttribute("aria-label", `Upload of ${file.name}`);
  element.querySelector(".remove").onclick = () => {
    row.request?.abort();
    rows.delete(element);
    element.remove();
  };
  rows.set(element, row);
  queue.append(element);
  if (file.size > maxBytes) fail(row, `The file has ${megabytes(file.size)}; the limit is ${megabytes(maxBytes)}. Compress it.`);
  else quote(row).catch(() => say(row, "The price is known after the upload."));
}

function upload(row) {
  return new Promise((resolve) => {
    const body = new FormData();
    for (const name of ["role_title", "job_description", "rubric_id", "num_speakers", "candidate"]) {
      const value = form.elements.namedItem(name)?.value;  // without a saved rubric there is no such field
      if (value) body.set(name, value);
    }
    if (row.label.value.trim()) body.set("label", row.label.value.trim());
    body.set("file", row.file);
    const request = row.request = new XMLHttpRequest();
    request.open("POST", `/interviews?product=${product}&consent=${consent}`);
    request.setRequestHeader("X-Form-Token", token);
    request.setRequestHeader("Idempotency-Key", row.key);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      row.bar.value = event.loaded / event.total;
      say(row, event.loaded < event.total ? `${megabytes(event.loaded)} of ${megabytes(event.total)} sent` : "Checking the recording …");
    };
    request.onload = () => {
      if (request.status === 202) accepted(row, request.response.job_id);
      else fail(row, request.response?.detail?.message ?? "The answer could not be read. Try again.");
      resolve();
    };
    request.onerror = () => { fail(row, "The connection was lost. Try again: nothing is charged twice."); resolve(); };
    request.onabort = resolve;
    row.state = "sending";
    row.status.className = "status muted";
    row.bar.hidden = false;
    request.send(body);
  });
}

function accepted(row, jobId) {
  row.state = "accepted";
  row.url = `/interviews/${jobId}`;
  row.bar.hidden = true;
  row.element.querySelector(".remove").hidden = true;
  const link = Object.assign(document.createElement("a"), {href: row.url, textContent: "Accepted: follow it"});
  row.status.replaceChildren(link);
}

onDrop(drop, (dropped) => dropped.forEach(add));
files.onchange = () => { [...files.files].forEach(add); files.value = ""; };

form.onsubmit = async (event) => {
  event.preventDefault();
  notice.textContent = "";
  const open = [...rows.values()].filter((row) => row.state !== "accepted" && row.file.size <= maxBytes);
  if (!open.length) { notice.textContent = "Choose a recording first."; return; }
  send.disabled = true;
  for (const row of open) await upload(row);
  send.disabled = false;
  const all = [...rows.values()];
  if (all.length && all.every((row) => row.state === "accepted")) location.assign(all.length === 1 ? all[0].url : "/interviews");
  else send.textContent = "Send the rest again";
};
window.onbeforeunload = (event) => { if ([...rows.values()].some((row) => row.state === "sending")) event.preventDefault(); };
