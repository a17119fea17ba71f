// Keeps the pool up to date: reads this page again, and shows what has changed.
import {localize} from "./times.js";

const REFRESH_MS = 2000;
const connection = document.getElementById("connection");
let shown = "";

async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, {headers: {Accept: "text/html"}});
      if (!answer.ok) throw new Error(answer.status);
      const newer = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("pool");
      if (newer.innerHTML !== shown) {
        shown = newer.innerHTML;
        localize(newer);
        document.getElementById("pool").replaceWith(newer);
      }
      connection.textContent = "";
    } catch {
      connection.textContent = "The server does not answer. Trying again; what you see may be old.";
    }
  }
  setTimeout(refresh, REFRESH_MS);
}

setTimeout(refresh, REFRESH_MS);
