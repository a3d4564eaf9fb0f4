/** Files to the service: a slot first, then the bytes. And files out of what is dragged over the page. */

import { discardUpload, HttpError, reserveUpload, uploadPath } from "./api.js";

/**
 * Sends a file; resolves to the reference that commands take. `onProgress` gets the part that has gone, 0 to 1.
 * Rejects with an `Error` that can be shown as it is, or with an `AbortError`; then nothing of it stays at the service.
 */
export async function sendFile(file, { signal, onProgress }) {
  if (!file.size) throw new Error("This file is empty.");
  const type = file.type || "application/octet-stream";
  const id = await reserveUpload(file.name, file.size, type, signal).catch((error) => {
    throw error instanceof HttpError || error.name === "AbortError" ? error : new Error("The server cannot be reached.");
  });
  try {
    await put(uploadPath(id), file, type, signal, onProgress);
    signal.throwIfAborted();
  } catch (error) {
    discardUpload(id);
    throw error;
  }
  return { upload_id: id, name: file.name, mime_type: type, size: file.size };
}

/** `fetch` does not tell how much of a body has gone. */
function put(path, file, type, signal, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const interrupted = () => reject(new Error("The upload was interrupted."));
    signal.throwIfAborted();
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded / file.size));
    request.addEventListener("abort", () => reject(signal.reason));
    request.addEventListener("error", interrupted);
    request.addEventListener("timeout", interrupted);
    request.addEventListener("load", () => (request.status < 300 ? resolve() : reject(new Error(refusal(request)))));
    request.open("PUT", path);
    request.setRequestHeader("content-type", type);
    request.send(file);
  });
}

function refusal({ status, responseText }) {
  try {
    return JSON.parse(responseText).detail;
  } catch {
    return `The server answered ${status}.`;
  }
}

/**
 * Takes the files that are dropped on `element`: `wanted()` says whether they are, `take(files)` gets them.
 * `element` has the attribute `data-dropping` while one hangs over it.
 */
export function acceptDrops(element, { wanted = () => true, take }) {
  let depth = 0; // each child that is entered and left tells of it too
  const hang = (change) => {
    depth = Math.max(0, depth + change);
    element.toggleAttribute("data-dropping", depth > 0);
  };
  const ours = (event) => event.dataTransfer?.types.includes("Files") && wanted();
  element.addEventListener("dragenter", (event) => ours(event) && hang(1));
  element.addEventListener("dragleave", (event) => ours(event) && hang(-1));
  element.addEventListener("dragover", (event) => {
    if (!ours(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  element.addEventListener("drop", (event) => {
    hang(-depth);
    if (!ours(event)) return;
    event.preventDefault();
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  });
}

/** A file that misses its target must not replace the page. */
export function guardPage() {
  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "none";
    });
  }
}

/** `1_234_567` → `"1.2 MB"` */
export function humaneSize(bytes) {
  const units = ["bytes", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit += 1) value /= 1000;
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
