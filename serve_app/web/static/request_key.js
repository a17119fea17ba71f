// A new idempotency key. Repeats of a request carry the same one, so that it is charged once.
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
