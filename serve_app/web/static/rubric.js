// Edits a rubric: competencies are added, moved and removed; what the API refuses is shown beside its field.
const form = document.getElementById("rubric");
const list = document.getElementById("competencies");
const notice = document.getElementById("notice");
const save = document.getElementById("save");
const general = form.querySelector("[data-for=competencies]");

const trimmed = (texts) => texts.map((text) => text.trim()).filter(Boolean);
const slug = (name) => name.toLowerCase().normalize("NFD").replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "").slice(0, 48);

function read(fieldset) {
  const of = (path) => fieldset.querySelector(`[data-path="${path}"]`);
  const text = (path) => of(path).value.trim();
  if (!text("slug")) of("slug").value = slug(text("name"));
  return {
    slug: text("slug"), name: text("name"), description: text("description"), probe: text("probe"),
    anchors: Object.fromEntries([1, 2, 3, 4, 5].map((level) => [level, text(`anchors.${level}`)])),
    points: trimmed(of("points").value.split("\n")), cues: trimmed(of("cues").value.split(",")), of_role: of("of_role").checked,
  };
}

function clear() {
  notice.textContent = general.textContent = "";
  for (const wrong of form.querySelectorAll("label .wrong")) wrong.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function find(path) {
  const [first, number, ...rest] = path.split(".");
  if (first !== "competencies") return form.querySelector(`:scope > label [data-path="${first}"]`);
  const fieldset = list.children[Number(number)];
  const inside = rest[0] === "anchors" ? rest.slice(0, 2).join(".") : rest[0];
  return fieldset?.querySelector(`[data-path="${inside}"]`) ?? null;
}

function show(errors) {
  let first = null;
  for (const {field, message} of errors) {
    const input = find(field);
    const place = input?.closest("label").querySelector(".wrong") ?? general;
    place.textContent = [place.textContent, message].filter(Boolean).join(" ");
    if (!input) continue;
    input.setAttribute("aria-invalid", "true");
    input.closest("details")?.setAttribute("open", "");
    first ??= input;
  }
  const count = errors.length;
  notice.textContent = `Not saved: ${count} ${count === 1 ? "field needs" : "fields need"} a change.`;
  first?.focus();
}

list.addEventListener("click", (event) => {
  const fieldset = event.target.closest("fieldset");
  if (event.target.matches(".remove")) {
    const next = fieldset.nextElementSibling ?? fieldset.previousElementSibling;
    fieldset.remove();
    (next?.querySelector("input") ?? document.getElementById("add")).focus();
  } else if (event.target.matches(".up") && fieldset.previousElementSibling) {
    fieldset.previousElementSibling.before(fieldset);
    event.target.focus();
  }
});
document.getElementById("add")?.addEventListener("click", () => {
  list.append(document.getElementById("empty").content.cloneNode(true));
  list.lastElementChild.querySelector("input").focus();
});

form.onsubmit = async (event) => {
  event.preventDefault();
  clear();
  save.disabled = true;
  const rubric = {name: find("name").value.trim(), competencies: [...list.children].map(read)};
  try {
    const answer = await fetch(`/rubrics/save?rubric_id=${form.dataset.id}`, {
      method: "POST", headers: {"Content-Type": "application/json", "X-Form-Token": form.dataset.token}, body: JSON.stringify(rubric),
    });
    const said = await answer.json();
    if (answer.ok) return location.assign(`/rubrics/${said.rubric_id}`);
    if (said.errors) show(said.errors); else notice.textContent = said.detail.message;
  } catch {
    notice.textContent = "The server does not answer. What you typed is still here; save it again.";
  }
  save.disabled = false;
};
