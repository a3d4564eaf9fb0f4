/** The inputs for numbers: a slider with a box for the exact value, and a box alone. What is out of range is not sent. */

import { h, icon } from "./dom.js";
import { Field } from "./field.js";
import { sensibleStep } from "./schema.js";

/** Why an argument cannot be `value`; "" when it can. */
function rangeProblem({ kind, min, max, aboveMin, belowMax }, value) {
  if (kind === "integer" && !Number.isInteger(value)) return "This must be a whole number.";
  if (aboveMin ? value <= min : value < min) return `This must be ${aboveMin ? "greater than" : "at least"} ${min}.`;
  if (belowMax ? value >= max : value > max) return `This must be ${belowMax ? "less than" : "at most"} ${max}.`;
  return "";
}

/** At most four decimals, and no trailing zeros. */
const tidy = (value) => String(Number(Number(value).toFixed(4)));

/** Calls `take` when Enter is pressed in a box and when it is left with an entry not yet taken: a `change` follows Enter. */
function onEntry(box, take) {
  let taken = true;
  const enter = () => {
    taken = true;
    take();
  };
  box.addEventListener("input", () => (taken = false));
  box.addEventListener("change", () => taken || enter());
  box.addEventListener("keydown", ({ key }) => key === "Enter" && enter());
}

const exactly = (value) => Number(value.toPrecision(10)); // 0.1 + 0.2 is 0.3 to a person

export class SliderField extends Field {
  kind = "slider";

  get initial() {
    return this.argument.fallback ?? (this.argument.nullable ? null : this.low);
  }

  makeControl() {
    const { argument } = this;
    this.step = sensibleStep(argument);
    // An end that the value may not quite be is a step away.
    this.low = argument.aboveMin ? exactly(argument.min + this.step) : argument.min;
    this.high = argument.belowMax ? exactly(argument.max - this.step) : argument.max;
    this.primary = h("input", { ...this.hooks, type: "range", class: "slider", min: this.low, max: this.high, step: this.step });
    this.box = h("input", { type: "number", class: "input number-box", step: argument.kind === "integer" ? 1 : "any", "data-box": argument.name, "aria-label": `${argument.label}, exact value`, inputmode: argument.min < 0 ? undefined : argument.kind === "integer" ? "numeric" : "decimal" });
    this.inputs = this.judged = [this.primary, this.box];
    this.side.append(this.box);
    this.writeControl(this.low);
    this.primary.addEventListener("input", () => this.move(Number(this.primary.value), true));
    this.primary.addEventListener("change", () => this.move(Number(this.primary.value), false));
    this.primary.addEventListener("pointerdown", () => (this.dragging = true));
    for (const end of ["pointerup", "pointercancel", "blur"]) this.primary.addEventListener(end, () => (this.dragging = false));
    onEntry(this.box, () => this.type());
    this.box.addEventListener("keydown", (event) => this.nudge(event));
    return this.primary;
  }

  get fraction() {
    const { low, high, exact } = this;
    return high > low ? Math.min(1, Math.max(0, (exact - low) / (high - low))) : 0;
  }

  move(value, live) {
    if (!live && value === this.sent) return;
    this.sent = value;
    this.exact = value;
    this.refused = "";
    this.box.value = tidy(value);
    this.changed();
  }

  /** A value typed into the box; one that is out of range stays there to be mended, and the slider where it is. */
  type() {
    if (this.box.value === "" || !Number.isFinite(this.box.valueAsNumber)) {
      this.refused = "";
      return this.write(this.exact);
    }
    const value = this.box.valueAsNumber;
    this.refused = rangeProblem(this.argument, value);
    if (!this.refused) this.primary.value = this.exact = value;
    this.changed();
  }

  nudge(event) {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || this.argument.kind === "integer") return;
    event.preventDefault();
    const next = exactly(this.exact + direction * this.step * (event.shiftKey ? 10 : 1));
    this.move(Math.min(this.high, Math.max(this.low, next)), true);
  }

  get busy() {
    return this.dragging || super.busy || (document.activeElement === this.box && this.box.value !== tidy(this.exact));
  }

  readControl() {
    return this.refused ? { problem: this.refused } : { value: this.exact };
  }

  writeControl(value) {
    this.exact = this.sent = value;
    this.refused = "";
    this.primary.value = value;
    this.box.value = tidy(value);
  }

  refresh() {
    super.refresh();
    this.primary.style.setProperty("--fill-at", this.fraction);
  }
}

export class NumberField extends Field {
  kind = "number";

  makeControl() {
    const { argument } = this;
    const { min, max, aboveMin, belowMax } = argument;
    const bounded = min !== undefined && max !== undefined;
    const limits = [min !== undefined && `${aboveMin ? "above" : "from"} ${min}`, max !== undefined && `${belowMax ? "below" : "to"} ${max}`].filter(Boolean).join(" ");
    this.primary = h("input", { ...this.hooks, type: "number", class: "input", step: argument.kind === "integer" ? 1 : "any", placeholder: limits || undefined });
    onEntry(this.primary, () => this.changed());
    this.inputs = [this.primary];
    if (argument.kind !== "integer" || !bounded) return this.primary;
    this.inputs.push(h("button", { class: "button button-icon", type: "button", title: "Random value", "aria-label": `Random ${argument.label}`, onclick: () => this.random() }, icon("dice")));
    return h("div", { class: "input-row" }, ...this.inputs);
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
    const value = this.primary.valueAsNumber;
    const problem = rangeProblem(this.argument, value);
    return problem ? { problem } : { value };
  }

  writeControl(value) {
    this.primary.value = this.committed = String(value);
  }
}
