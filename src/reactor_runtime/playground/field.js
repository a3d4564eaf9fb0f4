/** What all inputs share: the label, the mark of the last command, the problem, reset and none. */

import { h, icon } from "./dom.js";

const SETTLE = 700; // ms after the last input during which values from elsewhere wait
let serial = 0;

export class Field {
  kind = "text";
  resettable = true;

  /** `underWay()` tells whether a command with this argument was sent whose outcome is not known. */
  constructor(argument, { command, onChange = () => {}, underWay = () => false, live = false }) {
    this.argument = argument;
    this.underWay = underWay;
    this.live = live;
    this.onChange = onChange;
    this.id = `field-${(serial += 1)}`;
    this.touched = -Infinity;
    this.standing = ""; // what is wrong with what the input holds; what is said about a command does not hide it
    this.said = ""; // of what the person brought and did not get in; until they bring something else, or run the command
    this.hooks = { id: this.id, "data-command": command, "data-argument": argument.name };
  }

  /** What the input shows at first: the default, or something harmless. */
  get initial() {
    return this.argument.fallback;
  }

  build() {
    const { argument } = this;
    this.side = h("div", { class: "field-side" });
    this.mark = h("span", { class: "field-mark", "data-status": "none", "aria-hidden": "true" });
    this.error = h("p", { class: "field-error", id: `${this.id}-error`, role: "alert", hidden: true });
    this.hint = argument.description ? h("p", { class: "field-hint", id: `${this.id}-hint` }, argument.description) : null;
    this.body = h("div", { class: "field-body" });
    this.label = this.makeLabel();
    if (argument.required && argument.fallback === undefined && !this.live) this.label.append(h("span", { class: "field-required", title: "Required" }, "required"));
    this.label.append(this.mark);
    if (argument.fallback !== undefined && this.resettable) this.addReset();
    if (argument.nullable) this.addNone();
    const control = this.makeControl();
    if (control) this.body.append(control);
    const describedBy = [this.hint?.id, this.error.id].filter(Boolean).join(" ");
    this.primary.setAttribute("aria-describedby", describedBy);
    this.element = h("div", { class: `field field-${this.kind}` }, h("div", { class: "field-head" }, this.label, this.side), this.hint, this.body, this.error);
    // At once, not when the input is left: the card would shrink under a button that is being pressed.
    this.element.addEventListener("input", () => this.clearProblem(), { capture: true });
  }

  makeLabel() {
    return h("label", { class: "field-label", for: this.id }, this.argument.label);
  }

  addReset() {
    const { argument } = this;
    const shown = argument.fallback === null ? "none" : JSON.stringify(argument.fallback);
    this.resetButton = h("button", { class: "field-reset", type: "button", title: `Reset to ${shown}`, "aria-label": `Reset ${argument.label} to ${shown}`, hidden: true, onclick: () => this.reset() }, icon("reset"));
    this.label.addEventListener("dblclick", (event) => {
      event.preventDefault();
      this.reset();
    });
    this.label.title = "Double-click to reset";
    this.side.append(this.resetButton);
  }

  addNone() {
    this.none = h("input", { type: "checkbox", "data-none": this.argument.name, onchange: () => this.changed() });
    this.side.append(h("label", { class: "none" }, this.none, "None"));
  }

  reset() {
    this.write(this.argument.fallback);
    this.changed();
    if (document.activeElement === this.resetButton || document.activeElement === document.body) this.primary.focus({ preventScroll: true });
  }

  /** The person changed the value. */
  changed() {
    this.touched = performance.now();
    this.clearProblem();
    this.refresh();
    if (!this.live) return; // a form says what is wrong when its button is pressed, and must not grow under it
    const result = this.read();
    this.standing = result.problem ?? "";
    if (result.problem) this.fail("");
    else if (!result.omit) this.onChange(result.value);
  }

  get busy() {
    return performance.now() - this.touched < SETTLE;
  }

  read() {
    if (this.none?.checked) return { value: null };
    return this.readControl();
  }

  write(value) {
    this.standing = "";
    if (this.none) this.none.checked = value === null || value === undefined;
    if (value !== null && value !== undefined) this.writeControl(value);
    this.refresh();
  }

  refresh() {
    this.element?.toggleAttribute("data-none-set", Boolean(this.none?.checked));
    for (const input of this.inputs ?? [this.primary]) input.disabled = Boolean(this.none?.checked);
    if (!this.resetButton) return;
    const { value, problem } = this.read();
    this.resetButton.hidden = !problem && JSON.stringify(value ?? null) === JSON.stringify(this.argument.fallback);
  }

  /** Whether something of it is on its way, which a command waits for. */
  get sending() {
    return false;
  }

  async ready() {}

  forget() {}

  release() {}

  clearProblem() {
    this.standing = "";
    this.fail("");
  }

  /** Adds to what is said of what the person brought. */
  say(text) {
    this.said = [this.said, text].filter(Boolean).join(" · ");
    this.fail("");
  }

  /** Says what is wrong; "": nothing is, or nothing but what the input holds and what the person brought. */
  fail(text) {
    const shown = text || this.standing || this.said;
    this.error.textContent = shown;
    this.error.hidden = !shown;
    for (const part of this.judged ?? [this.primary]) {
      if (shown) part.setAttribute("aria-invalid", "true");
      else part.removeAttribute("aria-invalid");
    }
  }
}
