// Collects corrections of speakers, lines, role and rubric, and asks for another assessment.
import {newKey} from "./request_key.js";

const form = document.getElementById("again");
const opener = document.getElementById("correct");
const transcript = document.querySelector(".transcript");
const status = form.querySelector("[role=status]");
const problem = form.querySelector("[role=alert]");
const ownRubric = form.querySelector(".own-rubric");
const edited = new Map();
const shown = new Map([...form.querySelectorAll("[data-speaker]")].map(({dataset}) => [dataset.speaker, dataset.name]));
const labels = [...shown.keys()];
let sent = {body: "", key: ""};  // a repeat of the same request carries the same key, so that it is charged once

const nameOf = (label) => form.elements.namedItem(`name-${label}`)?.value.trim() || shown.get(label) || label;
const wordsOf = (line) => line.querySelector(".words").textContent;
const squeezed = (text) => text.split(/\s+/).filter(Boolean).join(" ");

function changedLines() {
  const lines = [];
  for (const [line, {text, speaker}] of edited) {
    const change = {line: Number(line.id.slice(2))};
    if (squeezed(text.value) !== squeezed(wordsOf(line))) change.text = squeezed(text.value);
    if (speaker.value !== line.dataset.speaker) change.speaker = speaker.value;
    if ("text" in change || "speaker" in change) lines.push(change);
  }
  return lines;
}

function collect() {
  const request = {speakers: {}, lines: changedLines()};
  for (const label of labels) {
    const field = form.elements.namedItem(`name-${label}`);
    const name = field.value.trim();
    if (name && name !== field.defaultValue) request.speakers[label] = name;
  }
  const candidate = form.querySelector("[name=candidate]:checked");
  if (candidate && !("was" in candidate.dataset)) request.candidate = candidate.value;
  const role = form.elements.role_title;
  if (role.value.trim() && role.value !== role.defaultValue) request.role_title = role.value.trim();
  const rubric = form.elements.rubric.value;
  if (rubric === "product") request.rubric = null;
  else if (rubric === "own") request.rubric = JSON.parse(form.elements.own_rubric.value);
  else if (rubric !== "same") request.rubric_id = rubric;
  return request;
}

function summary() {
  const parts = [];
  const lines = changedLines().length;
  const names = labels.filter((label) => {
    const field = form.elements.namedItem(`name-${label}`);
    return field.value.trim() && field.value.trim() !== field.defaultValue;
  }).length;
  if (lines) parts.push(lines === 1 ? "1 line" : `${lines} lines`);
  if (names) parts.push(names === 1 ? "1 name" : `${names} names`);
  const candidate = form.querySelector("[name=candidate]:checked");
  if (candidate && !("was" in candidate.dataset)) parts.push(`candidate ${nameOf(candidate.value)}`);
  if (form.elements.role_title.value !== form.elements.role_title.defaultValue) parts.push("role");
  if (form.elements.rubric.value !== "same") parts.push("rubric");
  return parts.length ? `Changed: ${parts.join(", ")}.` : "No changes yet.";
}

function edit(line, button) {
  const editor = document.createElement("div");
  editor.className = "editor";
  const number = line.id.slice(2);
  const speaker = document.createElement("select");
  speaker.setAttribute("aria-label", `Speaker of line ${number}`);
  for (const label of labels) speaker.add(new Option(nameOf(label), label, false, label === line.dataset.speaker));
  const text = document.createElement("textarea");
  text.setAttribute("aria-label", `Words of line ${number}`);
  text.value = wordsOf(line);
  text.rows = Math.min(12, 1 + Math.ceil(text.value.length / 60));
  editor.append(speaker, text);
  line.querySelector(".words").hidden = true;
  line.append(editor);
  button.textContent = "Undo";
  edited.set(line, {text, speaker});
  text.focus();
}

function undo(line, button) {
  line.querySelector(".editor").remove();
  line.querySelector(".words").hidden = false;
  button.textContent = "Edit";
  edited.delete(line);
}

function addButtons() {
  for (const line of transcript.querySelectorAll("li[data-speaker]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "plain edit";
    button.textContent = "Edit";
    button.setAttribute("aria-label", `Edit line ${line.id.slice(2)}`);
    line.firstElementChild.append(" ", button);
  }
}

opener.onclick = () => {
  form.hidden = !form.hidden;
  opener.setAttribute("aria-expanded", String(!form.hidden));
  if (!transcript.querySelector(".edit")) addButtons();
  transcript.classList.toggle("correcting", !form.hidden);
};

transcript.addEventListener("click", (event) => {
  const button = event.target.closest(".edit");
  if (!button) return;
  const line = button.closest("li");
  if (edited.has(line)) undo(line, button); else edit(line, button);
  status.textContent = summary();
});

for (const root of [form, transcript]) root.addEventListener("input", () => {
  ownRubric.hidden = form.elements.rubric.value !== "own";
  status.textContent = summary();
});

form.onsubmit = async (event) => {
  event.preventDefault();
  problem.textContent = "";
  let request;
  try {
    request = collect();
  } catch {
    problem.textContent = "Your rubric is not valid JSON.";
    return;
  }
  const body = JSON.stringify(request);
  if (body !== sent.body) sent = {body, key: newKey()};
  try {
    const response = await fetch(form.dataset.url, {
      method: "POST", body,
      headers: {
        "Content-Type": "application/json", "X-Form-Token": form.dataset.token,
        "Idempotency-Key": sent.key,
      },
    });
    const answer = await response.json().catch(() => null);
    if (response.ok) return location.assign(`/interviews/${answer.job_id}`);
    problem.textContent = answer?.detail?.message ?? "It was not accepted. Reload the page and sign in again.";
  } catch {
    problem.textContent = "The connection is lost. Press the button again: nothing is charged twice.";
  }
};
