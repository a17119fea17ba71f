// Follows one interview's event stream and opens its scorecard at the end.
const live = document.getElementById("live");
const steps = [...live.querySelectorAll("[data-step]")];
const bar = document.getElementById("progress");
const left = document.getElementById("left");
const connection = document.getElementById("connection");
const ROLES = {asr: "speech recognition", diarizer: "speakers", assessor: "assessor"};
const STAGES = {download: "waiting for the download", transcription: "transcribing", diarization: "finding who speaks", assessment: "assessing"};
let endsAt = null;

function duration(seconds) {
  if (seconds < 60) return `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} seconds`;
  return `about ${Math.ceil(seconds / 60)} minutes`;
}

function note(event) {
  if (event.status === "queued" && event.queue_position) return `place ${event.queue_position} in the queue`;
  if (event.download) return event.detail;
  if (event.loading) return event.loading.roles.map((role) => ROLES[role] ?? role).join(", ");
  if (event.stage) return `${STAGES[event.stage] ?? event.stage}${event.percent == null ? "" : `, ${event.percent} % done`}`;
  return "";
}

function show(event) {
  const now = steps.findIndex((step) => step.dataset.step === event.status);
  steps.forEach((step, n) => {
    step.classList.toggle("now", n === now);
    step.classList.toggle("done", n < now);
    if (n === now) step.setAttribute("aria-current", "step"); else step.removeAttribute("aria-current");
  });
  const text = note(event);
  if (now >= 0 && text) steps[now].querySelector("span").textContent = text;
  if (event.percent != null) bar.value = event.percent; else if (now < 2) bar.removeAttribute("value");
  if (event.expected_s != null) endsAt = Date.parse(event.at) + 1000 * event.expected_s;
}

function tick() {
  const seconds = endsAt === null ? null : (endsAt - Date.now()) / 1000;
  left.textContent = seconds === null ? "" : seconds > 0 ? `${duration(seconds)} left` : "It takes longer than expected.";
}

function receive(message) {
  const event = JSON.parse(message.data);
  connection.textContent = "";
  show(event);
  tick();
  if (event.terminal) {
    source.close();
    location.reload();
  }
}

const source = new EventSource(live.dataset.events);
source.addEventListener("status", receive);
source.addEventListener("progress", receive);
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) location.reload();  // the stream's token has ended
  else connection.textContent = "The connection is lost. Trying again; nothing is lost meanwhile.";
};
setInterval(tick, 1000);
