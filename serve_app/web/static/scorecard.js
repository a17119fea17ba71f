// Plays quotes from the reader's own file, searches the transcript, and leads from the picture to it.
const player = document.getElementById("player");
const listen = document.getElementById("listen");
const search = document.getElementById("search");
const found = document.getElementById("found");
const lines = [...document.querySelectorAll(".transcript > li")];

listen.onchange = () => {
  if (!listen.files.length) return;
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(listen.files[0]);
  player.hidden = false;
};

document.querySelector(".ribbon").addEventListener("click", (event) => {
  const {target} = event.target.dataset;
  if (target) location.hash = target;
});

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
