/** Files that go to no control: dropped on the picture, or, for a model that hears of files, sent with a button. */

import { h, humanise, icon, setText } from "./dom.js";
import { discardUpload } from "./api.js";
import { acceptDrops, guardPage, humaneSize, sendFile } from "./uploads.js";

/** Events: `told` {code, title, detail, tone, lasting}, for a banner; `sent` {name}. */
export class Letterbox extends EventTarget {
  #target = null; // {command, argument}: the only one that takes a file
  #hearsFiles = false;
  #abort = null;

  /** `toCommand(target, files)` gives files to a command; `announce(reference)` tells the model of one, false: it could not. */
  constructor(stage, { toCommand, announce }) {
    super();
    this.label = h("p", { class: "drop-label" });
    this.input = h("input", { type: "file", tabindex: "-1", "aria-hidden": "true", hidden: true, "data-file": "", onchange: () => this.#chosen(announce) });
    const button = h("button", { class: "button", type: "button", onclick: () => this.input.click() }, icon("upload"), "Choose…");
    const text = h("div", { class: "card-text" }, h("h3", { class: "card-title" }, "Send a file"), h("p", { class: "field-hint" }, "The model takes it by itself. Or drop one on the picture."));
    this.element = h("section", { class: "section", hidden: true }, h("h2", { class: "section-title" }, "Files"), h("div", { class: "card card-action" }, h("div", { class: "card-row" }, text, button, this.input)));
    stage.append(h("div", { class: "drop", "aria-hidden": "true" }, icon("upload"), this.label));
    acceptDrops(stage, {
      wanted: () => Boolean(this.#target) || this.#hearsFiles,
      take: (files) => (this.#target ? toCommand(this.#target, files) : this.#send(files, announce)),
    });
    guardPage();
  }

  prepare({ commands, hearsFiles }) {
    const targets = commands.flatMap((command) =>
      command.arguments.filter(({ kind }) => kind === "upload" || kind === "uploads").map((argument) => ({ command: command.name, argument: argument.name })),
    );
    this.#target = targets.length === 1 ? targets[0] : null;
    this.#hearsFiles = hearsFiles;
    this.element.hidden = !hearsFiles;
    const [command] = commands.filter(({ name }) => name === this.#target?.command);
    setText(this.label, command ? `Drop for ${humanise(command.setter ? this.#target.argument : command.name)}` : "Drop to send");
  }

  #chosen(announce) {
    const files = [...this.input.files];
    this.input.value = "";
    if (files.length) this.#send(files, announce);
  }

  /** Sends the first. */
  async #send([file, ...others], announce) {
    this.#abort?.abort();
    const { signal } = (this.#abort = new AbortController());
    const tell = (code, title, detail, tone) => this.dispatchEvent(new CustomEvent("told", { detail: { code, title, detail, tone, lasting: code === "sending" } }));
    const progress = (part) => tell("sending", `Sending ${file.name}`, `${Math.floor(100 * part)} % of ${humaneSize(file.size)}`, "good");
    progress(0);
    try {
      const reference = await sendFile(file, { signal, onProgress: progress });
      if (!announce(reference)) {
        discardUpload(reference.upload_id);
        throw new Error("There is no connection.");
      }
      const size = humaneSize(file.size);
      if (others.length) tell("sent", `${file.name} was sent`, `${size}. ${others.length} left out: send one at a time.`, "warn");
      else tell("sent", `${file.name} was sent`, size, "good");
      this.dispatchEvent(new CustomEvent("sent", { detail: { name: file.name } }));
    } catch (error) {
      if (!signal.aborted) tell("not_sent", `${file.name} was not sent`, error.message, "warn");
    }
  }
}
