/** The viewer's camera, sent to the model's video inputs: a card for each, with a button and a preview. */

import { h, humanise, icon, setText } from "./dom.js";

const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };
const INSECURE = "Browsers give the camera to secure pages only. Open this page on localhost or over https.";
const REFUSALS = {
  NotAllowedError: "The camera was refused. Allow it in the browser's settings for this site, then try again.",
  NotFoundError: "No camera was found.",
  OverconstrainedError: "That camera is no longer there.",
  NotReadableError: "The camera cannot be opened. Another program may be using it.",
};

class Camera {
  #sender = null;
  #track = null;
  #attempt = 0; // what an earlier press of the button led to is no longer wanted
  #changed;

  constructor(name, changed) {
    this.#changed = changed;
    this.label = h("span", {}, "Share camera");
    this.button = h("button", { class: "button", type: "button", "data-input": name, "aria-pressed": "false", disabled: true, onclick: () => this.toggle() }, icon("camera"), this.label);
    this.hint = h("p", { class: "field-hint" });
    this.preview = h("video", { class: "camera-preview", autoplay: true, playsinline: true, "aria-label": "Your camera", hidden: true });
    this.preview.muted = true;
    this.select = h("select", { class: "input select", "aria-label": "Which camera", hidden: true, onchange: () => this.share() });
    this.error = h("p", { class: "field-error", role: "alert", hidden: true });
    const title = humanise(name);
    const text = h("div", { class: "card-text" }, h("h3", { class: "card-title", title: name }, title), this.hint);
    this.element = h("section", { class: "card card-action card-camera", "data-card": name, "aria-label": title }, h("div", { class: "card-row" }, text, this.button), this.preview, this.select, this.error);
    this.#show();
  }

  get shared() {
    return this.#track !== null;
  }

  get problem() {
    return this.error.textContent;
  }

  /** Where the picture goes from now on; null while there is no connection. */
  attach(sender) {
    this.#sender = sender;
    if (this.#track) this.#send();
    this.#show();
  }

  toggle() {
    return this.shared ? this.stop() : this.share();
  }

  /** Asks for the camera that is chosen, or for any. */
  async share() {
    const attempt = ++this.#attempt;
    if (!navigator.mediaDevices?.getUserMedia) return this.stop(INSECURE);
    const device = this.select.value;
    const video = device ? { ...PICTURE, deviceId: { exact: device } } : PICTURE;
    this.#track?.stop(); // a phone opens one camera at a time
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video });
      const [track] = stream.getVideoTracks();
      if (attempt !== this.#attempt) return track.stop();
      track.addEventListener("ended", () => track === this.#track && this.stop("The camera stopped."));
      this.#track = track;
      this.preview.srcObject = stream;
      this.#send();
      this.#say("");
      await this.list();
    } catch (error) {
      if (attempt !== this.#attempt) return;
      if (error.name === "OverconstrainedError") this.select.replaceChildren();
      this.stop(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
    }
  }

  stop(problem = "") {
    this.#attempt += 1;
    this.#track?.stop();
    this.#track = null;
    this.preview.srcObject = null;
    this.#send();
    this.#say(problem);
  }

  /** The cameras to choose from: their names are told only once one was allowed. */
  async list() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const cameras = devices.filter((device) => device.kind === "videoinput" && device.deviceId);
    const current = this.#track?.getSettings().deviceId ?? this.select.value;
    const options = cameras.map(({ deviceId, label }, index) => h("option", { value: deviceId }, label || `Camera ${index + 1}`));
    this.select.replaceChildren(...options);
    if (cameras.some(({ deviceId }) => deviceId === current)) this.select.value = current;
    this.#show();
  }

  #send() {
    this.#sender?.replaceTrack(this.#track).catch(() => {}); // the connection closed: the next one attaches it again
  }

  #say(problem) {
    setText(this.error, problem);
    this.#show();
    this.#changed();
  }

  #show() {
    this.button.disabled = !this.shared && !this.#sender;
    this.button.setAttribute("aria-pressed", String(this.shared));
    setText(this.label, this.shared ? "Stop camera" : "Share camera");
    setText(this.hint, this.shared ? "The model sees this." : "Off. Nothing is sent until you share it.");
    this.preview.hidden = !this.shared;
    this.preview.toggleAttribute("data-mirrored", this.#track?.getSettings().facingMode !== "environment");
    this.select.hidden = this.select.options.length < 2;
    this.error.hidden = !this.problem;
  }
}

/** Events: `change` when a camera is shared, stopped or refused. */
export class Cameras extends EventTarget {
  #cameras = new Map();
  #group = h("div", { class: "group" });

  constructor() {
    super();
    this.element = h("section", { class: "section", hidden: true }, h("h2", { class: "section-title" }, "Input"), this.#group);
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#all.forEach((camera) => camera.select.options.length && camera.list()));
  }

  get #all() {
    return [...this.#cameras.values()];
  }

  /** Makes a card for each video input. */
  prepare(names) {
    for (const [name, camera] of this.#cameras) {
      if (names.includes(name)) continue;
      camera.stop();
      camera.element.remove();
      this.#cameras.delete(name);
    }
    for (const name of names) this.#camera(name);
    this.element.hidden = !this.#cameras.size;
  }

  /** `inputs` are the `{name, sender}` of a connection; none: there is no connection. A shared camera goes on in the next one. */
  attach(inputs) {
    for (const { name } of inputs) this.#camera(name);
    for (const [name, camera] of this.#cameras) camera.attach(inputs.find((input) => input.name === name)?.sender ?? null);
    this.element.hidden = !this.#cameras.size;
  }

  stop() {
    for (const camera of this.#all) camera.stop();
  }

  /** What to say over an empty stage, when a camera may be what the model waits for; else null. */
  get hint() {
    const [camera] = this.#all;
    if (!camera || this.#all.some(({ shared }) => shared)) return null;
    const run = () => {
      camera.button.focus({ preventScroll: true }); // the stage's button goes
      camera.share();
    };
    return { headline: "This model looks through your camera", detail: camera.problem, busy: false, action: { label: "Share camera", run } };
  }

  #camera(name) {
    const known = this.#cameras.get(name);
    if (known) return known;
    const camera = new Camera(name, () => this.dispatchEvent(new Event("change")));
    this.#cameras.set(name, camera);
    this.#group.append(camera.element);
    return camera;
  }
}
