/** The input for a file: chosen or dropped, sent at once, and shown with its name, its size and, of an image, a thumbnail. */

import { h, icon, setText } from "./dom.js";
import { discardUpload } from "./api.js";
import { Field } from "./field.js";
import { acceptDrops, humaneSize, sendFile } from "./uploads.js";

export class UploadField extends Field {
  kind = "upload";
  resettable = false;
  #file = null; // what the person chose; it outlives the session that it was sent to
  #reference = null; // what the model has, or will get
  #usable = false; // whether the reference is one of this session
  #problem = "";
  #sending = null; // {abort, done} while bytes are going
  #brought = new Set(); // the ids of what this field has sent to this session

  makeControl() {
    const { argument } = this;
    this.primary = h("button", { ...this.hooks, class: "button", type: "button", onclick: () => this.input.click() }, icon("upload"), "Choose…");
    this.input = h("input", { type: "file", tabindex: "-1", "aria-hidden": "true", hidden: true, "data-file": argument.name, onchange: () => this.#chosen() });
    this.image = h("img", { class: "upload-image", alt: "", hidden: true, onerror: () => (this.image.hidden = true) });
    this.name = h("span", { class: "upload-name" });
    this.note = h("span", { class: "upload-note", role: "status" });
    this.bar = h("progress", { class: "upload-progress", max: 1, "aria-label": `Upload of ${argument.label}`, hidden: true });
    this.clearButton = h("button", { class: "field-reset", type: "button", title: "Take the file away", "aria-label": `Clear ${argument.label}`, hidden: true, onclick: () => this.clear() }, icon("close"));
    const text = h("div", { class: "upload-text" }, this.name, this.note);
    const zone = h("div", { class: "upload" }, this.image, text, this.clearButton, this.primary, this.input, this.bar);
    acceptDrops(zone, { take: (file) => this.take(file) });
    return zone;
  }

  addNone() {}

  #chosen() {
    const [file] = this.input.files;
    this.input.value = ""; // so that choosing the same file again is a change too
    if (file) this.take(file);
  }

  /** Sends a file, and then, live, tells the model. */
  async take(file) {
    this.#file = file;
    this.#preview(file);
    this.fail("");
    if (await this.#send()) this.changed();
  }

  /** False when it did not arrive, which is shown, or another was chosen meanwhile. */
  #send() {
    this.#sending?.abort.abort();
    const abort = new AbortController();
    const sending = (this.#sending = { abort, done: this.#run(this.#file, abort.signal) });
    this.refresh();
    return sending.done;
  }

  async #run(file, signal) {
    this.bar.value = 0;
    this.#usable = false;
    this.#problem = "";
    try {
      const reference = await sendFile(file, { signal, onProgress: (part) => this.#progress(part) });
      this.#brought.add(reference.upload_id);
      this.#reference = reference;
      this.#usable = true;
      if (!this.live) this.release();
    } catch (error) {
      if (signal.aborted) return false;
      this.#problem = error.message;
    }
    this.#sending = null;
    if (this.#problem && this.live) this.#drop(); // back to what the model has; a form keeps it for another try
    this.refresh();
    this.fail(this.#problem);
    return this.#usable;
  }

  #progress(part) {
    this.bar.value = part;
    this.refresh();
  }

  #drop() {
    this.#file = null;
    this.#preview(null);
  }

  clear() {
    if (this.#sending && this.live) this.#cancel();
    else this.#takeAway();
    this.primary.focus({ preventScroll: true });
  }

  #cancel() {
    this.#sending.abort.abort();
    this.#sending = null;
    this.#drop();
    this.refresh();
  }

  #takeAway() {
    if (this.#sending) this.#cancel();
    this.write(null);
    this.changed();
    if (!this.live) this.release();
  }

  async ready() {
    if (this.#sending) await this.#sending.done;
    else if (this.#file && !this.#usable) await this.#send();
  }

  forget() {
    this.#usable = false;
    this.#brought.clear();
  }

  /** No other file that this field has sent is named any more, by the model's state or by a command that is under way. */
  release() {
    if (this.underWay()) return;
    for (const id of this.#brought) {
      if (id === this.#reference?.upload_id) continue;
      this.#brought.delete(id);
      discardUpload(id);
    }
  }

  get busy() {
    return this.#sending !== null || super.busy;
  }

  read() {
    if (this.#file && !this.#usable && !this.live) return { problem: this.#problem };
    if (this.#reference) return { value: this.#reference };
    if (this.live) return { value: null };
    return this.argument.required ? { problem: "Choose a file." } : { omit: true };
  }

  write(value) {
    if (!value || value.upload_id !== this.#reference?.upload_id) this.#drop();
    this.#reference = value ?? null;
    this.#usable = Boolean(value);
    this.refresh();
  }

  refresh() {
    const { name, size } = this.#file ?? this.#reference ?? {};
    const percent = Math.floor(100 * this.bar.value);
    setText(this.name, name ?? "No file");
    this.name.title = name ?? "";
    setText(this.note, name === undefined ? "Choose one, or drop it here." : humaneSize(size) + (this.#sending ? ` · ${percent} %` : ""));
    this.bar.hidden = !this.#sending;
    this.clearButton.hidden = !(this.#sending || (this.live ? this.argument.nullable && this.#reference : this.#file));
    this.element?.toggleAttribute("data-sending", this.#sending !== null);
  }

  #preview(file) {
    if (this.image.src) URL.revokeObjectURL(this.image.src);
    this.image.hidden = !file?.type.startsWith("image/");
    if (this.image.hidden) this.image.removeAttribute("src");
    else this.image.src = URL.createObjectURL(file);
  }
}
