// Builds a request from the form, runs it, and writes it as curl, Python and JavaScript.
const form = document.getElementById("request");
const key = document.getElementById("key");
const status = document.getElementById("status");
const answer = document.getElementById("answer");
const next = document.getElementById("next");
const MAX_SHOWN = 100_000;
const KEY = "RECRUITSCREEN_API_KEY";

function read() {
  const {method, path} = form.dataset;
  const parts = {path: {}, query: new URLSearchParams(), form: {}, json: {}, files: {}};
  for (const field of form.querySelectorAll("[data-place]")) {
    const {place} = field.dataset;
    if (place === "file") parts.files[field.name] = field.files[0] ?? null;
    else if (place === "query") { if (field.value) parts.query.set(field.name, field.value); }
    else if (field.value) parts[place][field.name] = field.value;
  }
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts.path[name] ?? ""));
  const query = parts.query.toString();
  return {method, url: location.origin + filled + (query && `?${query}`), secret: Boolean(key), ...parts};
}

const names = (files) => Object.entries(files).map(([name, file]) => [name, file?.name ?? "interview.ogg"]);
const isEmpty = (object) => !Object.keys(object).length;
const shell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const literal = JSON.stringify;

function curl(request) {
  const lines = [`curl -sS -X ${request.method} ${shell(request.url)}`];
  if (request.secret) lines.push(`-H "Authorization: Bearer $${KEY}"`);
  for (const [name, file] of names(request.files)) lines.push(`-F ${shell(`${name}=@"${file.replace(/["\\]/g, "\\$&")}"`)}`);
  for (const [name, value] of Object.entries(request.form)) lines.push(`--form-string ${shell(`${name}=${value}`)}`);
  if (!isEmpty(request.json)) lines.push("-H 'Content-Type: application/json'", `-d ${shell(literal(request.json))}`);
  return lines.join(" \\\n  ");
}

function python(request) {
  const given = [literal(request.url)];
  if (request.secret) given.push(`headers={"Authorization": "Bearer " + os.environ["${KEY}"]}`);
  const files = names(request.files).map(([name, file]) => `${literal(name)}: open(${literal(file)}, "rb")`);
  if (files.length) given.push(`files={${files.join(", ")}}`);
  if (!isEmpty(request.form)) given.push(`data=${literal(request.form)}`);
  if (!isEmpty(request.json)) given.push(`json=${literal(request.json)}`);
  given.push("timeout=90");
  const head = `${request.secret ? "import os\n\n" : ""}import httpx\n\n`;
  const call = `answer = httpx.${request.method.toLowerCase()}(\n${given.map((line) => `    ${line},\n`).join("")})`;
  return `${head}${call}\nanswer.raise_for_status()\nprint(answer.text)`;
}

function javascript(request) {
  const files = names(request.files);
  const lines = files.length ? ['import {openAsBlob} from "node:fs";', ""] : [];
  const options = [`method: ${literal(request.method)}`];
  const headers = request.secret ? [`Authorization: \`Bearer \${process.env.${KEY}}\``] : [];
  if (!isEmpty(request.form) || files.length) {
    lines.push("const form = new FormData();");
    for (const [name, file] of files) lines.push(`form.set(${literal(name)}, await openAsBlob(${literal(file)}), ${literal(file)});`);
    for (const [name, value] of Object.entries(request.form)) lines.push(`form.set(${literal(name)}, ${literal(value)});`);
    options.push("body: form");
  }
  if (!isEmpty(request.json)) {
    headers.push('"Content-Type": "application/json"');
    options.push(`body: JSON.stringify(${literal(request.json)})`);
  }
  if (headers.length) options.push(`headers: {${headers.join(", ")}}`);
  lines.push(`const answer = await fetch(${literal(request.url)}, {`, ...options.map((option) => `  ${option},`), "});");
  return [...lines, "if (!answer.ok) throw new Error(await answer.text());", "console.log(await answer.text());"].join("\n");
}

function write() {
  const request = read();
  for (const [id, code] of Object.entries({curl, python, javascript})) document.getElementById(id).textContent = code(request);
}

async function send(request) {
  const headers = request.secret ? {Authorization: `Bearer ${key.value.trim()}`} : {};
  let body;
  if (!isEmpty(request.json)) {
    headers["Content-Type"] = "application/json";
    body = literal(request.json);
  } else if (!isEmpty(request.form) || !isEmpty(request.files)) {
    body = new FormData();
    for (const [name, value] of Object.entries({...request.form, ...request.files})) body.set(name, value);
  }
  return fetch(request.url, {method: request.method, headers, body, credentials: "omit"});
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

form.oninput = write;
form.onsubmit = async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const began = performance.now();
  button.disabled = true;
  status.textContent = "Sent. Waiting for the answer …";
  next.hidden = true;
  try {
    const received = await send(read());
    const text = pretty(await received.text());
    const id = received.headers.get("x-request-id");
    status.textContent = `${received.status} after ${Math.round(performance.now() - began)} ms${id ? ` · ${id}` : ""}`;
    answer.textContent = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n…` : text;
    answer.hidden = false;
    const job = received.status === 202 ? text.match(/"job_id": "(job_\w+)"/) : null;
    next.hidden = !job;
    if (job) next.firstElementChild.href = `/interviews/${job[1]}`;
  } catch {
    status.textContent = "The API does not answer. Check the connection and send it again.";
  }
  button.disabled = false;
};
write();
