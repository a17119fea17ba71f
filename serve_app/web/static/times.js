// Shows every time of the page in the reader's zone, with the zone's name.
const format = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "short"});
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export function localize(root) {
  for (const time of root.querySelectorAll("time")) {
    time.textContent = format.format(new Date(time.dateTime));
    time.title = zone;
  }
}

localize(document);
