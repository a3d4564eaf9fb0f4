/** How a file is shown: a thumbnail when it is an image, its name, its size, how much of it has gone, and a button that takes it away. */

import { h, icon, setFileName, setText } from "./dom.js";
import { humaneSize } from "./uploads.js";

export class FileLine {
  #shown = null;

  /** `label` says for whom the file is; `parts` are the elements, in their order. */
  constructor(label, remove) {
    this.image = h("img", { class: "upload-image", alt: "", hidden: true, onerror: () => (this.image.hidden = true) });
    this.name = h("span", { class: "upload-name" });
    this.note = h("span", { class: "upload-note", role: "status" });
    this.bar = h("progress", { class: "upload-progress", max: 1, "aria-label": `Upload of ${label}`, hidden: true });
    this.button = h("button", { class: "field-reset", type: "button", title: "Take the file away", "aria-label": `Clear ${label}`, hidden: true, onclick: remove }, icon("close"));
    this.parts = [this.image, h("div", { class: "upload-text" }, this.name, this.note), this.button, this.bar];
  }

  /** `upload` is an `Upload`, or null; `reference` is shown without one; `none` is said when there is neither. */
  show(upload, reference, none = "") {
    const { name, size } = upload?.file ?? reference ?? {};
    this.#picture(upload?.file ?? null);
    setFileName(this.name, name ?? "No file");
    const percent = upload?.sending ? ` · ${Math.floor(100 * upload.part)} %` : "";
    setText(this.note, name === undefined ? none : humaneSize(size) + percent);
    this.bar.value = upload?.part ?? 0;
    this.bar.hidden = !upload?.sending;
  }

  #picture(file) {
    if (file === this.#shown) return;
    this.#shown = file;
    if (this.image.src) URL.revokeObjectURL(this.image.src);
    this.image.hidden = !file?.type.startsWith("image/");
    if (this.image.hidden) this.image.removeAttribute("src");
    else this.image.src = URL.createObjectURL(file);
  }

  /** It is no longer on the page. */
  release() {
    this.#picture(null);
  }
}
