/** What the viewer may share with the model: a card for each of its input tracks. */

import { Camera } from "./camera.js";
import { h } from "./dom.js";
import { Microphone } from "./microphone.js";

const DEVICES = { video: Camera, audio: Microphone };
const SENSES = { camera: "looks", microphone: "listens" };

/** Events: `change` when a device is shared, stopped or refused. */
export class Inputs extends EventTarget {
  #devices = new Map();
  #group = h("div", { class: "group" });

  constructor() {
    super();
    this.element = h("section", { class: "section", hidden: true }, h("h2", { class: "section-title" }, "Input"), this.#group);
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#all.forEach((device) => device.select.options.length && device.list()));
  }

  get #all() {
    return [...this.#devices.values()];
  }

  /** Makes a card for each of the tracks `{name, kind}`. */
  prepare(tracks) {
    for (const [name, device] of this.#devices) {
      if (tracks.some((track) => track.name === name)) continue;
      device.stop();
      device.element.remove();
      this.#devices.delete(name);
    }
    for (const track of tracks) this.#device(track);
    this.element.hidden = !this.#devices.size;
  }

  /** `inputs` are the `{name, kind, sender}` of a connection; none: there is no connection. What is shared goes on in the next one. */
  attach(inputs) {
    for (const input of inputs) this.#device(input);
    for (const [name, device] of this.#devices) device.attach(inputs.find((input) => input.name === name)?.sender ?? null);
    this.element.hidden = !this.#devices.size;
  }

  stop() {
    for (const device of this.#all) device.stop();
  }

  /** What to say over an empty stage, when a device may be what the model waits for; else null. */
  get hint() {
    const [device] = this.#all;
    if (!device || this.#all.some(({ shared }) => shared)) return null;
    const run = () => {
      device.button.focus({ preventScroll: true }); // the stage's button goes
      device.share();
    };
    return { headline: `This model ${SENSES[device.noun]} through your ${device.noun}`, detail: device.problem, busy: false, action: { label: `Share ${device.noun}`, run } };
  }

  #device({ name, kind }) {
    const known = this.#devices.get(name);
    if (known) return known;
    const device = new DEVICES[kind](name, () => this.dispatchEvent(new Event("change")));
    this.#devices.set(name, device);
    this.#group.append(device.element);
    return device;
  }
}
