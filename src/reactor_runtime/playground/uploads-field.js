/** The input for several files: chosen together or one after another, in that order, each sent at once and taken away by itself. */

import { h, icon, setText } from "./dom.js";
import { discardUpload } from "./api.js";
import { Field } from "./field.js";
import { FileLine } from "./file-line.js";
import { Upload } from "./upload.js";
import { acceptDrops } from "./uploads.js";

const files = (count) => (count === 1 ? "one file" : `${count} files`);

export class UploadsField extends Field {
  kind = "upload";
  resettable = false;
  #items = []; // {upload, reference, usable, line, row}: `upload` is null of a file that another person sent
  #brought = new Set(); // the ids of what this field has sent to this session
  #sending = Promise.resolve(); // until all that is under way has ended and is dealt with

  makeControl() {
    const { argument } = this;
    this.primary = h("button", { ...this.hooks, class: "button", type: "button", onclick: () => this.input.click() }, icon("upload"), "Add…");
    this.input = h("input", { type: "file", multiple: true, tabindex: "-1", "aria-hidden": "true", hidden: true, "data-file": argument.name, onchange: () => this.#chosen() });
    this.list = h("ul", { class: "upload-list", "aria-label": argument.label });
    this.note = h("span", { class: "upload-note", role: "status" });
    const zone = h("div", { class: "upload upload-many" }, this.list, h("div", { class: "upload-foot" }, this.note, this.primary, this.input));
    acceptDrops(zone, { take: (chosen) => this.take(chosen) });
    return zone;
  }

  addNone() {}

  #chosen() {
    const chosen = [...this.input.files];
    this.input.value = "";
    if (chosen.length) this.take(chosen);
  }

  /** How many more files it takes. */
  get room() {
    return Math.max(0, (this.argument.maxItems ?? Infinity) - this.#items.length);
  }

  /** Adds files, as many as there is room for, sends them, and then, live, tells the model. */
  async take(chosen) {
    const { room } = this;
    const added = chosen.slice(0, room).map((file) => this.#add(new Upload(file, () => this.refresh()), null));
    this.said = "";
    this.say(chosen.length > room ? `This takes at most ${files(this.argument.maxItems)}: ${chosen.length - room} left out.` : "");
    if (await this.#send(added)) this.changed();
  }

  #add(upload, reference) {
    const item = { upload, reference, usable: upload === null };
    item.line = new FileLine((upload?.file ?? reference).name, () => this.#remove(item));
    item.row = h("li", { class: "upload-row" }, ...item.line.parts);
    this.#items.push(item);
    this.list.append(item.row);
    return item;
  }

  /** True when some of them arrived; those that did not are shown, and, of a form, kept for another try. */
  async #send(items) {
    const sent = Promise.all(items.map((item) => this.#run(item)));
    this.#sending = Promise.all([this.#sending, sent]);
    const arrived = (await sent).some(Boolean);
    if (arrived && !this.live) this.release();
    return arrived;
  }

  async #run(item) {
    item.usable = false;
    const arrived = await item.upload.send();
    if (!this.#items.includes(item)) return false;
    if (arrived) {
      this.#brought.add(item.upload.reference.upload_id);
      item.reference = item.upload.reference;
      item.usable = true;
    } else {
      this.say(`${item.upload.file.name}: ${item.upload.problem}`);
      if (this.live) this.#drop(item);
    }
    this.refresh();
    return arrived;
  }

  #drop(item) {
    item.upload?.cancel();
    item.line.release();
    item.row.remove();
    this.#items = this.#items.filter((other) => other !== item);
  }

  #remove(item) {
    const told = item.usable;
    const next = this.#items[this.#items.indexOf(item) + 1];
    this.#drop(item);
    this.said = "";
    (next?.line.button ?? this.primary).focus({ preventScroll: true });
    if (told || !this.live) this.changed();
    else this.refresh();
    if (!this.live) this.release();
  }

  async ready() {
    this.said = "";
    for (let seen; seen !== this.#sending; await seen) seen = this.#sending; // more may be chosen meanwhile
    await this.#send(this.#items.filter(({ usable }) => !usable));
  }

  forget() {
    for (const item of this.#items) {
      item.upload?.forget();
      item.usable = false;
    }
    this.#brought.clear();
  }

  /** As in `UploadField`: what is named no more is taken back. */
  release() {
    if (this.underWay()) return;
    const named = new Set(this.#items.map(({ reference }) => reference?.upload_id));
    for (const id of this.#brought) {
      if (named.has(id)) continue;
      this.#brought.delete(id);
      discardUpload(id);
    }
  }

  get sending() {
    return this.#items.some(({ upload }) => upload?.sending);
  }

  get busy() {
    return this.sending || super.busy;
  }

  read() {
    const { required, nullable, minItems = 0 } = this.argument;
    const missing = this.#items.find(({ usable }) => !usable);
    if (missing && !this.live) return { problem: `${missing.upload.file.name}: ${missing.upload.problem || "Still on its way."}` };
    const references = this.#items.filter(({ usable }) => usable).map(({ reference }) => reference);
    const least = Math.max(minItems, !this.live && required ? 1 : 0);
    if (!references.length && this.live && nullable) return { value: null };
    if (!references.length && !this.live && !required) return { omit: true };
    return references.length < least ? { problem: `Choose at least ${files(least)}.` } : { value: references };
  }

  write(value) {
    this.standing = "";
    const references = value ?? [];
    const known = new Map(this.#items.map((item) => [item.reference?.upload_id, item]));
    const kept = references.map((reference) => known.get(reference.upload_id));
    for (const item of this.#items) if (!kept.includes(item)) this.#drop(item);
    this.#items = [];
    references.forEach((reference, index) => {
      if (!kept[index]) return this.#add(null, reference);
      kept[index].usable = true;
      this.#items.push(kept[index]);
      this.list.append(kept[index].row);
    });
    this.refresh();
  }

  refresh() {
    const { maxItems } = this.argument;
    for (const { upload, reference, line } of this.#items) {
      line.show(upload, reference);
      line.button.hidden = false;
      if (upload?.problem) setText(line.note, upload.problem);
    }
    const full = this.#items.length >= maxItems;
    setText(this.note, full ? `That is all: at most ${files(maxItems)}.` : this.#items.length ? "Add more, or drop them here." : "Choose files, or drop them here.");
    this.primary.disabled = full;
    this.element?.toggleAttribute("data-sending", this.sending);
  }
}
