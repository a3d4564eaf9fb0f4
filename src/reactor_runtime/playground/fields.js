/**
 * One input for one argument. `createField(argument, {command, onChange})` returns a `Field`:
 *   `element`  what to put on the page;   `read()` {value} | {omit: true} | {problem};   `write(value)` shows a value, silently;
 *   `busy`     the person is in the middle of using it;   `fail(text)` shows a problem, or clears it with "";
 *   `ready()`  resolves when `read()` has all that it needs;   `forget()` the session is over.
 * `onChange(value)` is called when the person changes it, many times during a drag.
 */

import { h } from "./dom.js";
import { Field } from "./field.js";
import { NumberField, SliderField } from "./number-fields.js";
import { UploadField } from "./upload-field.js";
import { UploadsField } from "./uploads-field.js";

const SEED_RANGE = 100_000; // an integer range this wide is no use as a slider

export function createField(argument, options) {
  const type = FIELD_TYPES.find(({ fits }) => fits(argument)).type;
  const field = new type(argument, options);
  field.build();
  field.write(field.initial);
  return field;
}

class SwitchField extends Field {
  kind = "switch";

  get initial() {
    return this.argument.fallback ?? (this.argument.nullable ? null : false);
  }

  makeControl() {
    this.primary = h("input", { ...this.hooks, type: "checkbox", role: "switch", class: "switch" });
    this.primary.addEventListener("change", () => this.changed());
    this.side.append(this.primary);
    return null;
  }

  readControl() {
    return { value: this.primary.checked };
  }

  writeControl(value) {
    this.primary.checked = value === true;
  }
}

class SegmentsField extends Field {
  kind = "segments";

  makeLabel() {
    return h("span", { class: "field-label", id: `${this.id}-label` }, this.argument.label);
  }

  makeControl() {
    this.inputs = this.argument.values.map((value) => h("input", { type: "radio", name: this.id, value: String(value) }));
    this.inputs.forEach((input) => input.addEventListener("change", () => this.changed()));
    const segments = this.inputs.map((input, index) => h("label", { class: "segment" }, input, h("span", {}, String(this.argument.values[index]))));
    this.primary = h("div", { ...this.hooks, class: "segments", role: "radiogroup", "aria-labelledby": `${this.id}-label` }, ...segments);
    return this.primary;
  }

  readControl() {
    const index = this.inputs.findIndex((input) => input.checked);
    return index < 0 ? { omit: true } : { value: this.argument.values[index] };
  }

  writeControl(value) {
    this.inputs.forEach((input, index) => (input.checked = this.argument.values[index] === value));
  }
}

class SelectField extends Field {
  kind = "select";

  makeControl() {
    const { argument } = this;
    const options = argument.values.map((value, index) => h("option", { value: String(index) }, String(value)));
    if (argument.fallback === undefined) options.unshift(h("option", { value: "" }, "Choose…"));
    this.primary = h("select", { ...this.hooks, class: "input select" }, ...options);
    this.primary.addEventListener("change", () => this.changed());
    return this.primary;
  }

  readControl() {
    return this.primary.value === "" ? { omit: true } : { value: this.argument.values[Number(this.primary.value)] };
  }

  writeControl(value) {
    this.primary.value = String(this.argument.values.indexOf(value));
  }
}

class TextField extends Field {
  kind = "text";
  rows = 3;

  get initial() {
    return this.argument.fallback ?? (this.argument.nullable ? null : "");
  }

  makeControl() {
    const { argument } = this;
    this.primary = argument.long || this.multiline
      ? h("textarea", { ...this.hooks, class: "input textarea", rows: this.rows, spellcheck: "false" })
      : h("input", { ...this.hooks, type: "text", class: "input", spellcheck: "false", autocomplete: "off" });
    this.primary.addEventListener("input", () => {
      this.touched = performance.now();
      this.refresh();
    });
    if (this.live) {
      this.primary.addEventListener("blur", () => this.dirty && this.changed());
      this.primary.addEventListener("keydown", (event) => this.enter(event));
      this.side.append(h("span", { class: "field-key", "aria-hidden": "true" }, this.multiline ? "Ctrl ↵ sends" : "↵ sends"));
    }
    this.counter = argument.maxLength ? h("span", { class: "field-counter", "aria-hidden": "true" }) : null;
    return this.counter ? h("div", { class: "input-counted" }, this.primary, this.counter) : this.primary;
  }

  /** Enter sends; Shift+Enter makes a new line in a long text. */
  enter(event) {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey) return;
    if (this.multiline && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.changed();
  }

  changed() {
    this.committed = this.primary.value;
    super.changed();
  }

  get dirty() {
    return this.primary.value !== this.committed;
  }

  get busy() {
    return super.busy || (document.activeElement === this.primary && this.dirty);
  }

  readControl() {
    const { value } = this.primary;
    const optional = !this.argument.required && (this.argument.fallback ?? null) === null;
    return value === "" && optional && !this.live ? { omit: true } : { value };
  }

  writeControl(value) {
    this.primary.value = this.committed = String(value);
  }

  refresh() {
    super.refresh();
    this.element?.toggleAttribute("data-dirty", this.live && this.dirty && this.primary.value !== "");
    if (!this.counter) return;
    const { length } = this.primary.value;
    const { maxLength } = this.argument;
    this.counter.textContent = `${length}/${maxLength}`;
    this.counter.hidden = length < maxLength * 0.7;
    this.counter.toggleAttribute("data-over", length > maxLength);
  }
}

class JsonField extends TextField {
  kind = "json";
  multiline = true;
  rows = 2;

  get initial() {
    return this.argument.fallback ?? (this.argument.nullable ? null : undefined);
  }

  makeControl() {
    const control = super.makeControl();
    this.primary.placeholder = this.argument.example ? `JSON, such as ${this.argument.example}` : "Any JSON";
    return control;
  }

  readControl() {
    const text = this.primary.value.trim();
    if (text === "") return { omit: true };
    try {
      return { value: JSON.parse(text) };
    } catch (error) {
      return { problem: `This is not JSON: ${error.message}.${this.argument.example ? ` Write it like ${this.argument.example}` : ""}` };
    }
  }

  writeControl(value) {
    this.primary.value = this.committed = JSON.stringify(value);
  }
}

const isNumber = ({ kind }) => kind === "integer" || kind === "number";
const isBounded = ({ min, max }) => min !== undefined && max !== undefined;
const isSeed = ({ kind, min, max }) => kind === "integer" && max - min > SEED_RANGE;
const isShort = ({ values }) => values.length <= 4 && values.join("").length <= 28;

const FIELD_TYPES = [
  { type: UploadField, fits: ({ kind }) => kind === "upload" },
  { type: UploadsField, fits: ({ kind }) => kind === "uploads" },
  { type: SliderField, fits: (argument) => isNumber(argument) && isBounded(argument) && !isSeed(argument) },
  { type: NumberField, fits: isNumber },
  { type: SwitchField, fits: ({ kind }) => kind === "boolean" },
  { type: SegmentsField, fits: (argument) => argument.kind === "enum" && isShort(argument) },
  { type: SelectField, fits: ({ kind }) => kind === "enum" },
  { type: TextField, fits: ({ kind }) => kind === "string" },
  { type: JsonField, fits: () => true },
];
