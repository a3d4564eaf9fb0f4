/** The inspector: a card for each command of the model, made from its schema. */

import { h, humanise } from "./dom.js";
import { createField } from "./fields.js";
import { withField } from "./receipts.js";

const MIN_INTERVAL = 1000 / 30; // no more than 30 commands a second from one control
const BACKLOG_LIMIT = 16_384; // bytes; with more than this waiting to leave, newer values replace older ones here
const ACKNOWLEDGE_WITHIN = 5_000;

/** Sends the first value at once, later ones at most 30 times a second, and always the last one. */
class Throttle {
  #last = -Infinity;
  #timer = 0;
  #value;

  constructor(send, congested) {
    this.send = send;
    this.congested = congested;
  }

  push(value) {
    this.#value = value;
    if (!this.#timer) this.#schedule();
  }

  #schedule() {
    const wait = Math.max(0, this.#last + MIN_INTERVAL - performance.now());
    if (wait === 0 && !this.congested()) this.#flush();
    else this.#timer = setTimeout(() => this.#again(), Math.max(wait, 4));
  }

  #again() {
    this.#timer = 0;
    this.#schedule();
  }

  #flush() {
    this.#last = performance.now();
    this.send(this.#value);
  }
}

export class Controls {
  #root;
  #send;
  #backlog;
  #lead;
  #tail;
  #cards = new Map();
  #state = {};
  #shown = "";

  /** `send(command, args)` returns false when there is no connection; `backlog()` is how many bytes wait to leave; `lead` stands above the commands, `tail` below. */
  constructor(root, { send, backlog, lead, tail }) {
    this.#root = root;
    this.#send = send;
    this.#backlog = backlog;
    this.#lead = lead;
    this.#tail = tail;
    this.showLoading();
  }

  showLoading() {
    const bones = Array.from({ length: 5 }, (_, index) => h("div", { class: `bone bone-${index % 3}` }));
    this.#root.replaceChildren(
      h("div", { class: "bones", "aria-hidden": "true" }, ...bones),
      h("p", { class: "empty" }, "The controls appear here once the model has loaded."),
    );
  }

  /** Shows the commands of `model`, as read by `readSchema`. An unchanged schema leaves the controls as they are. */
  render(model) {
    const fingerprint = JSON.stringify([model.description, model.commands]);
    if (fingerprint === this.#shown) return;
    this.#shown = fingerprint;
    this.#cards.clear();
    const setters = model.commands.filter((command) => command.setter).map((command) => this.#setterCard(command));
    const actions = model.commands.filter((command) => !command.setter).map((command) => this.#actionCard(command));
    this.#root.replaceChildren(
      ...[
        model.description && h("p", { class: "about" }, model.description),
        this.#lead,
        setters.length && section("Parameters", "group group-joined", setters),
        actions.length && section("Actions", "group", actions),
        this.#tail,
        !model.commands.length && !model.hearsFiles && h("p", { class: "empty" }, "This model takes no commands. Sit back and watch."),
      ].filter(Boolean),
    );
    const state = this.#state;
    this.#state = {};
    this.applyState(state);
  }

  /** A single live control. */
  #setterCard(command) {
    const [argument] = command.arguments;
    const described = { ...argument, description: argument.description || command.summary };
    const throttle = new Throttle(
      (value) => this.#dispatch(card, { [argument.name]: value }),
      () => this.#backlog() > BACKLOG_LIMIT,
    );
    const field = createField(described, { command: command.name, live: true, onChange: (value) => throttle.push(value), underWay: () => !card.settled });
    const element = h("section", { class: "card", "data-card": command.name, "aria-label": command.label }, field.element);
    const card = this.#register(command, element, [field]);
    return element;
  }

  /** A form with a button. */
  #actionCard(command) {
    const fields = command.arguments.map((argument) => createField(argument, { command: command.name, underWay: () => !card.settled }));
    const button = h("button", { class: "button", type: "submit", "data-command": command.name, "aria-label": `Run ${command.label}` }, "Run");
    const problem = h("p", { class: "field-error", role: "alert", hidden: true });
    const mark = h("span", { class: "field-mark", "data-status": "none", "aria-hidden": "true" });
    const head = h(
      "div",
      { class: "card-text" },
      h("h3", { class: "card-title", title: command.name }, humanise(command.name), mark),
      command.summary ? h("p", { class: "field-hint" }, command.summary) : null,
    );
    const element = h("form", { class: "card card-action", "data-card": command.name, novalidate: true, "aria-label": command.label });
    if (fields.length) element.append(head, ...fields.map((field) => field.element), problem, h("div", { class: "card-foot" }, button));
    else element.append(h("div", { class: "card-row" }, head, button), problem);
    const card = this.#register(command, element, fields, { problem, mark, button });
    element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(card);
    });
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element.requestSubmit();
    });
    return element;
  }

  #register(command, element, fields, extra = {}) {
    const card = { command, element, fields, sentAt: -Infinity, lastSeq: 0, settled: true, timer: 0, ...extra };
    this.#cards.set(command.name, card);
    return card;
  }

  async #submit(card) {
    if (card.waiting) return;
    card.waiting = true;
    do await Promise.all(card.fields.map((field) => field.ready()));
    while (card.fields.some((field) => field.sending)); // another file was chosen meanwhile
    card.waiting = false;
    const args = {};
    let firstBad = null;
    for (const field of card.fields) {
      const { value, omit, problem = omit && field.argument.required ? "This is required." : "" } = field.read();
      field.fail(problem);
      if (problem) firstBad ??= field;
      else if (!omit) args[field.argument.name] = value;
    }
    if (firstBad) return firstBad.primary.focus();
    this.#dispatch(card, args);
  }

  #dispatch(card, args) {
    const sent = this.#send(card.command.name, args);
    if (!sent) return this.#complain(card, null, "Not sent: there is no connection.");
    clearTimeout(card.timer); // what was waiting to be shown is older than this
    card.sentAt = performance.now();
    card.settled = false;
  }

  /**
   * Gives files to an argument, which takes the first so many. A command with a button waits for it: returns those that
   * were taken, and what the button runs, "" when there is none.
   */
  takeFiles({ command, argument }, files) {
    const card = this.#cards.get(command);
    const field = card.fields.find((candidate) => candidate.argument.name === argument);
    card.element.scrollIntoView({ block: "nearest" });
    const taken = files.slice(0, field.room);
    field.take(files);
    card.button?.focus({ preventScroll: true });
    return { taken, runs: card.button ? card.command.label : "" };
  }

  /** The session is over: files that were sent to it are no longer there, and the next tells its state anew. */
  forget() {
    this.#state = {};
    for (const card of this.#cards.values()) {
      clearTimeout(card.timer);
      for (const field of card.fields) field.forget();
    }
  }

  /** Follows a command through its life: `record` is one of `Receipts`. */
  showReceipt(record) {
    const card = this.#cards.get(record.command);
    if (!card || record.seq < card.lastSeq) return;
    card.lastSeq = record.seq;
    card.settled = !["sent", "accepted"].includes(record.status);
    const mark = card.mark ?? card.fields[0].mark;
    mark.dataset.status = record.status;
    if (record.status === "rejected" || record.status === "failed") this.#complain(card, record.field, record.reason);
    else this.#complain(card, null, "");
    if (record.status === "applied") for (const field of card.fields) field.release();
  }

  #complain(card, field, text) {
    const name = /^[^.[\]/]+/.exec(field ?? "")?.[0];
    const target = card.fields.find((candidate) => candidate.argument.name === name) ?? (card.problem ? null : card.fields[0]);
    for (const other of card.fields) other.fail("");
    if (card.problem) showProblem(card.problem, "");
    if (!text) return;
    const message = withField(field, text);
    if (target) target.fail(message);
    else showProblem(card.problem, message);
  }

  /** Moves the controls to the live state, except one that the person is using: that one follows when it is let go. */
  applyState(state) {
    const before = this.#state;
    this.#state = { ...before, ...state };
    for (const card of this.#cards.values()) {
      const name = card.fields[0]?.argument.name;
      // A value that has not moved must not undo what the person is about to mend after a rejection.
      const moved = card.command.setter && name in state && !(name in before && same(before[name], state[name]));
      if (moved) this.#follow(card);
    }
  }

  #follow(card) {
    const [field] = card.fields;
    const value = this.#state[field.argument.name];
    const unacknowledged = !card.settled && performance.now() - card.sentAt < ACKNOWLEDGE_WITHIN;
    clearTimeout(card.timer);
    if (same(field.read().value, value)) return; // nor is it to be looked at later, when the person may have typed what is to be mended
    if (field.busy || unacknowledged) card.timer = setTimeout(() => this.#follow(card), 250);
    else {
      field.write(value);
      field.release();
      field.fail("");
      field.mark.dataset.status = "none";
    }
  }

  /** Without a connection the controls are dimmed, but keep what was typed. */
  setOffline(offline) {
    this.#root.dataset.offline = String(offline);
    if (offline) this.forget(); // the server may be another by the time it is back
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function showProblem(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

function section(title, className, children) {
  return h("section", { class: "section" }, h("h2", { class: "section-title" }, title), h("div", { class: className }, ...children));
}
