/** Small helpers for building elements. */

const SVG = "http://www.w3.org/2000/svg";

/** `h("button", { class: "button", onclick, "aria-label": "…" }, "text", child)` */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** One of the icons drawn in index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Of the first icon within `element`. */
export function setIcon(element, name) {
  element.querySelector("use").setAttribute("href", `#icon-${name}`);
}

export const byId = (id) => document.getElementById(id);

/** Shows `text`, and leaves the DOM alone when it is there already. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows a file's name such that one too long for its place is cut in the middle: how it ends tells most. */
export function setFileName(element, name) {
  const letters = [...name];
  const tail = letters.length > 24 ? letters.slice(-12).join("") : "";
  element.title = name;
  if (element.textContent === name) return;
  element.replaceChildren(h("span", { class: "name-head" }, name.slice(0, name.length - tail.length)), h("span", { class: "name-tail" }, tail));
}

/** `"set_guidance_scale"` → `"Guidance scale"` for a field, `"Set guidance scale"` for a command. */
export function humanise(name) {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/[_\-\s]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1).replace(/\b[A-Z][a-z]/g, (pair) => pair.toLowerCase());
}

/** A promise for `ms` from now, rejected when `signal` aborts. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const cancel = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, ms);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}
