/** The messages the model sends, and what happened to the session: newest first. The same one again is counted, not listed. */

import { byId, h, icon, setText } from "./dom.js";

const KEPT = 200;

export class Log {
  #waiting = []; // oldest first, not yet on the page
  #newest = null; // the last message: {type, text, tone, at, times, element, when, badge}
  #repeated = new Set(); // what to count anew on the page
  #count = 0;
  #drawing = false;

  constructor() {
    this.list = byId("log-list");
    this.empty = byId("log-empty");
    setText(this.empty, "Nothing yet.");
    byId("log-clear").addEventListener("click", () => this.clear());
    byId("log").addEventListener("toggle", () => this.#measure());
    new ResizeObserver(() => this.#measure()).observe(this.list);
  }

  /** Says which messages the model can send, and opens the log when there are any. */
  expect(messages) {
    if (messages.length) setText(this.empty, `Nothing yet. This model can send ${messages.map(({ name }) => name).join(", ")}.`);
    if (messages.length && !this.#count) byId("log").open = matchMedia("(min-height: 820px) and (min-width: 900px)").matches;
  }

  /** `tone` is message | event | bad. */
  add(type, data, tone = "message") {
    const text = typeof data === "string" ? data : JSON.stringify(data);
    const newest = this.#newest;
    this.#count += 1;
    if (newest?.type === type && newest.text === text && newest.tone === tone) {
      newest.times += 1;
      newest.at = new Date();
      if (newest.element) this.#repeated.add(newest);
    } else {
      this.#newest = { type, text, tone, at: new Date(), times: 1 };
      this.#waiting.push(this.#newest);
      if (this.#waiting.length > KEPT) this.#waiting.shift();
    }
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => this.#draw(), 100);
  }

  clear() {
    this.#waiting = [];
    this.#newest = null;
    this.#repeated.clear();
    this.#count = 0;
    this.list.replaceChildren();
    this.#counted();
  }

  #draw() {
    this.#drawing = false;
    const fresh = this.#waiting;
    this.#waiting = [];
    for (const entry of fresh) this.#build(entry);
    for (const entry of [...fresh, ...this.#repeated]) this.#refresh(entry);
    this.#repeated.clear();
    this.list.prepend(...fresh.reverse().map(({ element }) => element));
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
    this.#counted();
    this.#measure(fresh.map(({ element }) => element));
  }

  #build(entry) {
    const { type, text, tone } = entry;
    const data = h("span", { class: "log-data" }, text === "{}" ? "" : text);
    entry.when = h("time", {});
    entry.badge = h("span", { class: "log-times" });
    const more = h("button", { class: "field-reset log-more", type: "button", "aria-expanded": "false", "aria-label": `Show all of ${type}`, hidden: true }, icon("chevron"));
    entry.element = h("li", { class: "log-entry", "data-tone": tone, "data-type": type }, entry.when, h("span", { class: "log-type" }, type, entry.badge), data, more);
    entry.element.addEventListener("click", (event) => {
      const selecting = !getSelection().isCollapsed && !event.target.closest("button");
      if (!more.hidden && !selecting) more.setAttribute("aria-expanded", String(entry.element.toggleAttribute("data-open")));
    });
  }

  #refresh({ at, times, when, badge }) {
    setText(when, at.toLocaleTimeString([], { hour12: false }));
    setText(badge, times > 1 ? `×${times}` : "");
  }

  /** A line that does not fit can be opened. */
  #measure(elements = [...this.list.children]) {
    const measured = elements.map((element) => {
      const data = element.querySelector(".log-data");
      return [element, element.hasAttribute("data-open") || data.scrollWidth > data.clientWidth || data.scrollHeight > data.clientHeight];
    });
    for (const [element, cut] of measured) {
      element.querySelector(".log-more").hidden = !cut;
      element.toggleAttribute("data-cut", cut);
    }
  }

  #counted() {
    setText(byId("log-count"), this.#count ? String(this.#count) : "");
    this.empty.hidden = this.#count > 0;
    byId("log-clear").hidden = this.#count === 0;
  }
}
