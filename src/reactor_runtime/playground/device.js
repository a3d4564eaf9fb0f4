/** A device of the viewer's that a model takes: a card with a button that shares it. What it is, subclasses know. */

import { h, humanise, icon, setText } from "./dom.js";

/**
 * A subclass has `traits`: `noun`; `kind`, "audioinput" or "videoinput"; `constraints`, of any such device; `shared(track)`,
 * what to say while the model gets it; and `extras`, elements of its own. `started(stream)` and `stopped()` are its to fill.
 */
export class Device {
  #sender = null;
  #track = null;
  #attempt = 0; // what an earlier press of the button led to is no longer wanted
  #changed;
  #traits;

  constructor(name, changed, traits) {
    this.#changed = changed;
    this.#traits = traits;
    const { noun, extras } = traits;
    this.label = h("span", {}, `Share ${noun}`);
    this.button = h("button", { class: "button", type: "button", "data-input": name, "aria-pressed": "false", disabled: true, onclick: () => this.toggle() }, icon(noun), this.label);
    this.hint = h("p", { class: "field-hint" });
    this.select = h("select", { class: "input select", "aria-label": `Which ${noun}`, hidden: true, onchange: () => this.share() });
    this.error = h("p", { class: "field-error", role: "alert", hidden: true });
    const title = humanise(name);
    const text = h("div", { class: "card-text" }, h("h3", { class: "card-title", title: name }, title), this.hint);
    this.element = h("section", { class: "card card-action card-device", "data-card": name, "aria-label": title }, h("div", { class: "card-row" }, text, this.button), ...extras, this.select, this.error);
    this.show();
  }

  get noun() {
    return this.#traits.noun;
  }

  get shared() {
    return this.#track !== null;
  }

  get track() {
    return this.#track;
  }

  get problem() {
    return this.error.textContent;
  }

  /** Where it goes from now on; null while there is no connection. */
  attach(sender) {
    this.#sender = sender;
    if (this.#track) this.#send();
    this.show();
  }

  toggle() {
    return this.shared ? this.stop() : this.share();
  }

  /** Asks for the device that is chosen, or for any. */
  async share() {
    const { kind, constraints, noun } = this.#traits;
    const attempt = ++this.#attempt;
    const refusals = refusalsOf(noun);
    if (!navigator.mediaDevices?.getUserMedia) return this.stop(refusals.insecure);
    const device = this.select.value;
    const wanted = device ? { ...constraints, deviceId: { exact: device } } : constraints;
    this.#track?.stop(); // a phone opens one at a time
    try {
      const stream = await navigator.mediaDevices.getUserMedia(kind === "videoinput" ? { video: wanted } : { audio: wanted });
      const [track] = stream.getTracks();
      if (attempt !== this.#attempt) return track.stop();
      track.addEventListener("ended", () => track === this.#track && this.stop(`The ${noun} stopped.`));
      this.#track = track;
      this.started(stream);
      this.#send();
      this.#say("");
      await this.list();
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error.name === "OverconstrainedError") this.select.replaceChildren();
      this.stop(refusals[error.name] ?? `The ${noun} cannot be opened: ${error.message}`);
    }
  }

  stop(problem = "") {
    this.#attempt += 1;
    this.#track?.stop();
    this.#track = null;
    this.stopped();
    this.#send();
    this.#say(problem);
  }

  /** The devices to choose from: their names are told only once one was allowed. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const found = devices.filter((device) => device.kind === this.#traits.kind && device.deviceId);
    const current = this.#track?.getSettings().deviceId ?? this.select.value;
    const options = found.map(({ deviceId, label }, index) => h("option", { value: deviceId }, label || `${humanise(this.noun)} ${index + 1}`));
    this.select.replaceChildren(...options);
    if (found.some(({ deviceId }) => deviceId === current)) this.select.value = current;
    this.show();
  }

  started() {}

  stopped() {}

  #send() {
    this.#sender?.replaceTrack(this.#track).catch(() => {}); // the connection closed: the next one attaches it again
  }

  #say(problem) {
    setText(this.error, problem);
    this.show();
    this.#changed();
  }

  /** Says how things stand. */
  show() {
    this.button.disabled = !this.shared && !this.#sender;
    this.button.setAttribute("aria-pressed", String(this.shared));
    setText(this.label, `${this.shared ? "Stop" : "Share"} ${this.noun}`);
    setText(this.hint, this.shared ? this.#traits.shared(this.#track) : "Off. Nothing is sent until you share it.");
    this.select.hidden = this.select.options.length < 2;
    this.error.hidden = !this.problem;
  }
}

function refusalsOf(noun) {
  return {
    insecure: `Browsers give the ${noun} to secure pages only. Open this page on localhost or over https.`,
    NotAllowedError: `The ${noun} was refused. Allow it in the browser's settings for this site, then try again.`,
    NotFoundError: `No ${noun} was found.`,
    OverconstrainedError: `That ${noun} is no longer there.`,
    NotReadableError: `The ${noun} cannot be opened. Another program may be using it.`,
  };
}
