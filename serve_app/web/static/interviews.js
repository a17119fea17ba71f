// Keeps the list up to date while an interview on it is not over.
import {localize} from "./times.js";

const REFRESH_MS = 4000;

async function refresh() {
  const list = document.getElementById("interviews");
  if (!("live" in list.dataset)) return;
  if (!document.hidden) {
    try {
      const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
      const newer = page.getElementById("interviews");
      if (!newer) return location.reload();  // signed out meanwhile
      localize(newer);
      for (const {value} of list.querySelectorAll(":checked")) {
        const same = newer.querySelector(`[value="${CSS.escape(value)}"]`);
        if (same) same.checked = true;
      }
      list.replaceWith(newer);
    } catch {
      // The next try follows.
    }
  }
  setTimeout(refresh, REFRESH_MS);
}

setTimeout(refresh, REFRESH_MS);
