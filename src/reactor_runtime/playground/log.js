/** The messages the model sends, and what happened to the session: newest first. */

import { byId, h, setText } from "./dom.js";

const KEPT = 200;

export class Log {
  #waiting = [];
  #count = 0;
  #drawing = false;

  constructor() {
    this.list = byId("log-list");
    this.empty = byId("log-empty");
    setText(this.empty, "Nothing yet.");
    byId("log-clear").addEventListener("click", () => this.clear());
  }

  /** Says which messages the model can send, and opens the log when there are any. */
  expect(messages) {
    if (messages.length) setText(this.empty, `Nothing yet. This model can send ${messages.map(({ name }) => name).join(", ")}.`);
    if (messages.length && !this.#count) byId("log").open = matchMedia("(min-height: 820px) and (min-width: 900px)").matches;
  }

  /** `tone` is message | event | bad. */
  add(type, data, tone = "message") {
    this.#waiting.push({ type, data, tone, at: new Date() });
    if (this.#waiting.length > KEPT) this.#waiting.shift();
    this.#count += 1;
    if (this.#drawing) return;
    this.#drawing = true;
    setTimeout(() => this.#draw(), 100);
  }

  clear() {
    this.#waiting = [];
    this.#count = 0;
    this.list.replaceChildren();
    this.#counted();
  }

  #draw() {
    this.#drawing = false;
    const entries = this.#waiting.reverse().map(({ type, data, tone, at }) => {
      const text = typeof data === "string" ? data : JSON.stringify(data);
      const time = at.toLocaleTimeString([], { hour12: false });
      return h("li", { class: "log-entry", "data-tone": tone, "data-type": type }, h("time", {}, time), h("span", { class: "log-type" }, type), h("span", { class: "log-data", title: text }, text === "{}" ? "" : text));
    });
    this.#waiting = [];
    this.list.prepend(...entries);
    while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
    this.#counted();
  }

  #counted() {
    setText(byId("log-count"), this.#count ? String(this.#count) : "");
    this.empty.hidden = this.#count > 0;
    byId("log-clear").hidden = this.#count === 0;
  }
}
