// Saves a person's ratings of an interview and shows the page with them.
const form = document.getElementById("review");
const status = form.querySelector("[role=status]");

function collect() {
  const values = new FormData(form);
  const scores = {};
  for (const field of document.querySelectorAll("[data-competency]")) {
    const slug = field.dataset.competency;
    const score = values.get(`score-${slug}`);
    if (score === null) continue;
    scores[slug] = {score: score === "none" ? null : Number(score), reason: values.get(`reason-${slug}`).trim() || null};
  }
  return {scores, recommendation: values.get("recommendation"), note: values.get("note").trim() || null};
}

form.onsubmit = async (event) => {
  event.preventDefault();
  status.className = "muted";
  status.textContent = "Saving …";
  try {
    const response = await fetch(form.dataset.url, {
      method: "POST", body: JSON.stringify(collect()),
      headers: {"Content-Type": "application/json", "X-Form-Token": form.dataset.token},
    });
    if (response.ok) return location.reload();
    const answer = await response.json().catch(() => null);
    status.textContent = answer?.detail?.message ?? "It was not saved. Reload the page and sign in again.";
  } catch {
    status.textContent = "The connection is lost. Nothing was saved; press the button again.";
  }
  status.className = "message";
};
