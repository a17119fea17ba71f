// What the pages that upload recordings share: size and length of a file, and the place to drop files on.
export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

/* Seconds, as far as the browser can tell; null where it cannot. */
export function measure(file) {
  return new Promise((resolve) => {
    const media = document.createElement(file.type.startsWith("video/") ? "video" : "audio");
    const done = (seconds) => { URL.revokeObjectURL(media.src); resolve(seconds); };
    media.preload = "metadata";
    media.onloadedmetadata = () => done(Number.isFinite(media.duration) ? media.duration : null);
    media.onerror = () => done(null);
    media.src = URL.createObjectURL(file);
  });
}

export function onDrop(place, take) {
  place.ondragover = (event) => { event.preventDefault(); place.classList.add("over"); };
  place.ondragleave = () => place.classList.remove("over");
  place.ondrop = (event) => {
    event.preventDefault();
    place.classList.remove("over");
    take([...event.dataTransfer.files]);
  };
}
