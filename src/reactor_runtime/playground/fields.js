/**
 * One input for one argument. `createField(argument, {command, onChange})` returns a `Field`:
 *   `element`  what to put on the page;   `read()` {value} | {omit: true} | {problem};   `write(value)` shows a value, silently;
 *   `busy`     the person is in the middle of using it;   `fail(text)` shows a problem, or clears it with "";
 *   `ready()`  resolves when `read()` has all that it needs;   `forget()` the session is over.
 * `onChange(value)` is called when the person changes it, many times during a drag.
 */

import { h, icon } from "./dom.js";
import { Field } from "./field.js";
import { sensibleStep } from "./schema.js";
import { UploadField } from "./upload-field.js";

const SEED_RANGE = 100_000; // an integer range this wide is no use as a slider

export function createField(argument, options) {
  const type = FIELD_TYPES.find(({ fits }) => fits(argument)).type;
  const field = new type(argument, options);
  field.build();
  field.write(field.initial);
  return field;
}

class SliderField extends Field {
  kind = "slider";

  get initial() {
    return this.argument.fallback ?? (this.argument.nullable ? null : this.argument.min);
  }

  makeControl() {
    const { argument } = this;
    this.step = sensibleStep(argument);
    this.primary = h("input", { ...this.hooks, type: "range", class: "slider", min: argument.min, max: argument.max, step: this.step });
    this.box = h("input", { type: "number", class: "input number-box", step: argument.kind === "integer" ? 1 : "any", "data-box": argument.name, "aria-label": `${argument.label}, exact value`, inputmode: argument.min < 0 ? undefined : argument.kind === "integer" ? "numeric" : "decimal" });
    this.inputs = [this.primary, this.box];
    this.side.append(this.box);
    this.writeControl(argument.min);
    this.primary.addEventListener("input", () => this.move(Number(this.primary.value), true));
    this.primary.addEventListener("change", () => this.move(Number(this.primary.value), false));
    this.primary.addEventListener("pointerdown", () => (this.dragging = true));
    for (const end of ["pointerup", "pointercancel", "blur"]) this.primary.addEventListener(end, () => (this.dragging = false));
    this.box.addEventListener("change", () => this.type());
    this.box.addEventListener("keydown", (event) => this.nudge(event));
    return this.primary;
  }

  fraction(value) {
    const { min, max } = this.argument;
    return max > min ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0;
  }

  move(value, live) {
    if (!live && value === this.sent) return;
    this.sent = value;
    this.exact = value;
    this.box.value = tidy(value);
    this.changed();
  }

  /** A value typed into the box may be out of range: the server says so, not we. */
  type() {
    if (this.box.value === "" || !Number.isFinite(this.box.valueAsNumber)) return this.write(this.exact);
    this.exact = this.box.valueAsNumber;
    this.primary.value = this.exact;
    this.changed();
  }

  nudge(event) {
    if (event.key === "Enter") return this.type();
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || this.argument.kind === "integer") return;
    event.preventDefault();
    const next = this.exact + direction * this.step * (event.shiftKey ? 10 : 1);
    this.move(Math.min(this.argument.max, Math.max(this.argument.min, Number(next.toPrecision(10)))), true);
  }

  get busy() {
    return this.dragging || super.busy || (document.activeElement === this.box && this.box.value !== tidy(this.exact));
  }

  readControl() {
    return { value: this.exact };
  }

  writeControl(value) {
    this.exact = this.sent = value;
    this.primary.value = value;
    this.box.value = tidy(value);
  }

  refresh() {
    super.refresh();
    this.primary.style.setProperty("--fill-at", this.fraction(this.exact));
  }
}

/** At most four decimals, and no trailing zeros. */
const tidy = (value) => String(Number(Number(value).toFixed(4)));

class NumberField extends Field {
  kind = "number";

  makeControl() {
    const { argument } = this;
    const bounded = argument.min !== undefined && argument.max !== undefined;
    const limits = [argument.min !== undefined && `from ${argument.min}`, argument.max !== undefined && `to ${argument.max}`].filter(Boolean).join(" ");
    this.primary = h("input", { ...this.hooks, type: "number", class: "input", step: argument.kind === "integer" ? 1 : "any", placeholder: limits || undefined });
    this.primary.addEventListener("change", () => this.changed());
    this.primary.addEventListener("keydown", (event) => event.key === "Enter" && this.live && this.commit());
    this.inputs = [this.primary];
    if (argument.kind !== "integer" || !bounded) return this.primary;
    this.inputs.push(h("button", { class: "button button-icon", type: "button", title: "Random value", "aria-label": `Random ${argument.label}`, onclick: () => this.random() }, icon("dice")));
    return h("div", { class: "input-row" }, ...this.inputs);
  }

  commit() {
    if (this.primary.value !== this.committed) this.changed();
  }

  random() {
    const { min, max } = this.argument;
    this.primary.value = min + Math.floor(Math.random() * (max - min + 1));
    this.changed();
  }

  changed() {
    this.committed = this.primary.value;
    super.changed();
  }

  get busy() {
    return super.busy || (document.activeElement === this.primary && this.primary.value !== this.committed);
  }

  readControl() {
    if (this.primary.validity.badInput) return { problem: "This is not a number." };
    if (this.primary.value === "") return { omit: true };
    return { value: this.primary.valueAsNumber };
  }

  writeControl(value) {
    this.primary.value = this.committed = String(value);
  }
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

  readControl() {
    const text = this.primary.value.trim();
    if (text === "") return { omit: true };
    try {
      return { value: JSON.parse(text) };
    } catch (error) {
      return { problem: `Not valid JSON: ${error.message}` };
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
  { type: SliderField, fits: (argument) => isNumber(argument) && isBounded(argument) && !isSeed(argument) },
  { type: NumberField, fits: isNumber },
  { type: SwitchField, fits: ({ kind }) => kind === "boolean" },
  { type: SegmentsField, fits: (argument) => argument.kind === "enum" && isShort(argument) },
  { type: SelectField, fits: ({ kind }) => kind === "enum" },
  { type: TextField, fits: ({ kind }) => kind === "string" },
  { type: JsonField, fits: () => true },
];
