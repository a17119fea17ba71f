// Copies the note, plays quotes from the reader's own file, and searches the transcript.
const player = document.getElementById("player");
const listen = document.getElementById("listen");
const search = document.getElementById("search");
const found = document.getElementById("found");
const lines = [...document.querySelectorAll(".transcript > li")];

for (const button of document.querySelectorAll("[data-copy]")) {
  button.onclick = async () => {
    const said = button.nextElementSibling;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The browser does not allow it. Select the text and copy it.";
    }
  };
}

listen.onchange = () => {
  if (!listen.files.length) return;
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(listen.files[0]);
  player.hidden = false;
};

document.addEventListener("click", (event) => {
  const start = event.target.closest("[data-start]")?.dataset.start;
  if (start === undefined || player.hidden) return;
  player.currentTime = Number(start);
  player.play();
});

search.oninput = () => {
  const wanted = search.value.trim().toLowerCase();
  const hits = lines.filter((line) => {
    const hit = line.querySelector(".words")?.textContent.toLowerCase().includes(wanted);
    line.classList.toggle("miss", Boolean(wanted) && !hit);
    return hit;
  });
  found.textContent = wanted ? `${hits.length} of ${lines.length}` : "";
};
