// Copies the text of the element that `data-copy` names, and says so beside the button.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const said = button.nextElementSibling;
  try {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    said.textContent = "Copied.";
  } catch {
    said.textContent = "The browser does not allow it. Select the text and copy it.";
  }
});
