/** What became of each command, and how long it took to be seen. */

import { setText } from "./dom.js";

const KEPT = 400;
const LATENCIES_KEPT = 60;
const FRAME_WITHIN = 5_000; // an applied command whose frame has not come by then is not measured
const LOST = "The connection was lost before the outcome was known.";
const CALM = 250; // ms a pending status must last before it replaces an outcome on the page

/**
 * The ledger. A record: `{seq, id, command, args, sentAt, status, field, reason, frame, track, latency}` where `status`
 * is sent | accepted | applied | rejected | failed and `latency` is in ms, from sending to the first frame that shows it.
 * Events: `change` with the record;   `latency` {last, median}.
 */
export class Receipts extends EventTarget {
  #records = new Map();
  #unseen = [];
  #latencies = [];
  #seq = 0;
  #prefix = Math.random().toString(36).slice(2, 6);

  /** Opens a record; its `id` goes with the command. */
  open(command, args) {
    const seq = (this.#seq += 1);
    const record = { seq, id: `${this.#prefix}-${seq}`, command, args, sentAt: performance.now(), status: "sent", latency: null };
    this.#records.set(record.id, record);
    if (this.#records.size > KEPT) this.#records.delete(this.#records.keys().next().value);
    this.#emit("change", record);
    return record;
  }

  receive({ id, status, field, reason, frame, track }) {
    const record = this.#records.get(id);
    if (!record) return;
    if (status === "accepted" && record.status !== "sent") return; // a late one: the outcome is known
    Object.assign(record, { status, field, reason, frame, track });
    if (status === "applied") this.#unseen.push({ record, heardAt: performance.now() });
    this.#emit("change", record);
  }

  /** What was measured on another connection says nothing about this one, and what it has not told is not told any more. */
  forget() {
    this.#unseen = [];
    this.#latencies = [];
    for (const record of this.#records.values()) {
      if (record.status === "sent" || record.status === "accepted") this.receive({ id: record.id, status: "failed", reason: LOST });
    }
  }

  /** A frame of `track` that arrived at `arrivedAt` was presented at `presentedAt`. */
  framePresented(track, arrivedAt, presentedAt) {
    if (!this.#unseen.length) return;
    const now = performance.now();
    this.#unseen = this.#unseen.filter(({ record, heardAt }) => {
      if (record.track && record.track !== track) return now - heardAt < FRAME_WITHIN;
      if (arrivedAt < heardAt) return now - heardAt < FRAME_WITHIN;
      this.#measured(record, presentedAt - record.sentAt);
      return false;
    });
  }

  #measured(record, latency) {
    record.latency = latency;
    this.#latencies.push(latency);
    if (this.#latencies.length > LATENCIES_KEPT) this.#latencies.shift();
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    this.#emit("latency", { last: latency, median: sorted[Math.floor(sorted.length / 2)] });
    this.#emit("change", record);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** `"brightness: at most 2"`, also where the reason names the field already. */
export const withField = (field, reason) => (!field || reason.startsWith(field) ? reason : `${field}: ${reason}`);

const LABELS = { sent: "Sent", accepted: "Accepted", applied: "Applied", rejected: "Rejected", failed: "Failed" };

/** The line about the last command. Its `data-status` is exact; what it shows is kept from flickering during a drag. */
export class ReceiptLine {
  #record = null;
  #timer = 0;

  constructor({ line, command, status, facts }) {
    Object.assign(this, { line, command, status, facts });
  }

  show(record) {
    if (this.#record && record.seq < this.#record.seq) return;
    this.#record = record;
    Object.assign(this.line.dataset, { status: record.status, name: record.command, id: record.id });
    clearTimeout(this.#timer);
    const pending = record.status === "sent" || record.status === "accepted";
    const calm = pending && this.status.dataset.status === "applied" && this.command.textContent.startsWith(record.command);
    if (calm) this.#timer = setTimeout(() => this.#draw(record), CALM);
    else this.#draw(record);
  }

  #draw(record) {
    setText(this.command, record.command);
    this.command.title = JSON.stringify(record.args);
    this.status.hidden = false;
    this.status.dataset.status = record.status;
    setText(this.status, LABELS[record.status] ?? record.status);
    const facts = [];
    if (record.frame !== undefined && record.frame !== null) facts.push(`frame ${record.frame}`);
    if (record.latency !== null) facts.push(`${Math.round(record.latency)} ms`);
    if (record.reason) facts.push(withField(record.field, record.reason));
    setText(this.facts, facts.join("  ·  "));
    this.facts.title = this.facts.textContent;
  }
}
