"use strict";

const REFRESH_MS = 2000;
const models = document.getElementById("models");
const queues = document.getElementById("queues");
const notice = document.getElementById("notice");

const element = (tag, text, className = "") =>
  Object.assign(document.createElement(tag), {textContent: text ?? "–", className});

function row(model) {
  const line = document.createElement("tr");
  const state = element("td", "");
  state.append(element("span", model.state, `state ${model.state}`));
  const used = model.last_used_at ? new Date(model.last_used_at).toLocaleTimeString() : null;
  line.append(
    element("td", model.role), element("td", model.name), state, element("td", model.device),
    element("td", model.footprint_mib, "number"), element("td", model.in_flight, "number"),
    element("td", model.load_s_p50?.toFixed(1), "number"), element("td", used),
  );
  return line;
}

async function refresh() {
  try {
    const pool = await (await fetch(models.dataset.source)).json();
    models.replaceChildren(...pool.models.map(row));
    const depths = Object.entries(pool.queue_depths).map(([name, depth]) => `${name}: ${depth}`);
    queues.textContent = depths.join(", ") || "none";
    notice.textContent = pool.degraded ? `Degraded: ${pool.reason ?? "see the logs"}` : "";
  } catch {
    notice.textContent = "The API does not answer. Trying again.";
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();
