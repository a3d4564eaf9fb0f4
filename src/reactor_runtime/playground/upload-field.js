/** The input for a file: chosen or dropped, sent at once, and shown with its name, its size and, of an image, a thumbnail. */

import { h, icon } from "./dom.js";
import { discardUpload } from "./api.js";
import { Field } from "./field.js";
import { FileLine } from "./file-line.js";
import { Upload } from "./upload.js";
import { acceptDrops } from "./uploads.js";

export class UploadField extends Field {
  kind = "upload";
  resettable = false;
  #upload = null; // what the person chose; its file outlives the session that it was sent to
  #reference = null; // what the model has, or will get
  #usable = false; // whether the reference is one of this session
  #sending = null; // resolves when the upload has ended and is dealt with
  #brought = new Set(); // the ids of what this field has sent to this session

  makeControl() {
    const { argument } = this;
    this.primary = h("button", { ...this.hooks, class: "button", type: "button", onclick: () => this.input.click() }, icon("upload"), "Choose…");
    this.input = h("input", { type: "file", tabindex: "-1", "aria-hidden": "true", hidden: true, "data-file": argument.name, onchange: () => this.#chosen() });
    this.line = new FileLine(argument.label, () => this.clear());
    const [image, text, clear, bar] = this.line.parts;
    const zone = h("div", { class: "upload" }, image, text, clear, this.primary, this.input, bar);
    acceptDrops(zone, { take: (files) => this.take(files) });
    return zone;
  }

  addNone() {}

  #chosen() {
    const files = [...this.input.files];
    this.input.value = ""; // so that choosing the same file again is a change too
    if (files.length) this.take(files);
  }

  /** How many more files it takes; another replaces what it has. */
  get room() {
    return 1;
  }

  /** Sends the first of `files`, and then, live, tells the model. */
  async take([file, ...others]) {
    this.#upload?.cancel();
    this.#upload = new Upload(file, () => this.refresh());
    this.said = "";
    this.say(others.length ? `This takes one file: ${others.length} left out.` : "");
    if (await this.#send()) this.changed();
  }

  #send() {
    this.#sending = this.#run(this.#upload);
    return this.#sending;
  }

  /** False when it did not arrive, which is shown, or another was chosen meanwhile. */
  async #run(upload) {
    this.#usable = false;
    const arrived = await upload.send();
    if (upload !== this.#upload) return false;
    if (arrived) {
      this.#brought.add(upload.reference.upload_id);
      this.#reference = upload.reference;
      this.#usable = true;
      if (!this.live) this.release();
    } else if (this.live) this.#upload = null; // back to what the model has; a form keeps it for another try
    this.refresh();
    this.say(upload.problem);
    return arrived;
  }

  clear() {
    this.said = "";
    if (this.#upload?.sending && this.live) this.#cancel();
    else this.#takeAway();
    this.primary.focus({ preventScroll: true });
  }

  #cancel() {
    this.#upload.cancel();
    this.#upload = null;
    this.refresh();
  }

  #takeAway() {
    if (this.#upload?.sending) this.#cancel();
    this.write(null);
    this.changed();
    if (!this.live) this.release();
  }

  async ready() {
    this.said = "";
    if (this.#upload?.sending) await this.#sending;
    else if (this.#upload && !this.#usable) await this.#send();
  }

  forget() {
    this.#upload?.forget();
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

  get sending() {
    return Boolean(this.#upload?.sending);
  }

  get busy() {
    return this.sending || super.busy;
  }

  read() {
    if (this.#upload && !this.#usable && !this.live) return { problem: this.#upload.problem || "Still on its way." };
    if (this.#reference) return { value: this.#reference };
    if (this.live) return { value: null };
    return this.argument.required ? { problem: "Choose a file." } : { omit: true };
  }

  write(value) {
    if (!value || value.upload_id !== this.#reference?.upload_id) this.#upload = null;
    this.#reference = value ?? null;
    this.#usable = Boolean(value);
    this.refresh();
  }

  refresh() {
    const { sending } = this;
    this.line.show(this.#upload, this.#reference, "Choose one, or drop it here.");
    this.line.button.hidden = !(sending || (this.live ? this.argument.nullable && this.#reference : this.#upload));
    this.element?.toggleAttribute("data-sending", sending);
    this.element?.toggleAttribute("data-held", Boolean(this.#upload ?? this.#reference));
  }
}
