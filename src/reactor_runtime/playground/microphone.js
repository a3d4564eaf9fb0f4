/** The viewer's microphone, for an audio input of the model: how loud it is, and a button that mutes it. */

import { Device } from "./device.js";
import { h, icon, setIcon } from "./dom.js";

const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const QUIETEST_DB = -60;

const heard = (track) => (track.enabled ? "The model hears this." : "Muted. The model hears nothing.");

export class Microphone extends Device {
  #context = null;
  #drawing = 0;

  constructor(name, changed) {
    const level = h("span", { class: "level", role: "meter", "aria-label": "How loud it is", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": "0" });
    const mute = h("button", { class: "button button-icon", type: "button", "data-mute": name, onclick: () => this.mute(this.track.enabled) }, icon("microphone"));
    const row = h("div", { class: "level-row", hidden: true }, level, mute);
    super(name, changed, { noun: "microphone", kind: "audioinput", constraints: SOUND, shared: heard, extras: [row] });
    this.row = row;
    this.level = level;
    this.muteButton = mute;
  }

  mute(muted) {
    this.track.enabled = !muted;
    this.muteButton.setAttribute("aria-pressed", String(muted));
    this.muteButton.setAttribute("aria-label", muted ? "Unmute microphone" : "Mute microphone");
    this.muteButton.title = muted ? "Unmute" : "Mute";
    setIcon(this.muteButton, muted ? "microphone-off" : "microphone");
    this.show();
  }

  started(stream) {
    const muted = !this.row.hidden && this.muteButton.getAttribute("aria-pressed") === "true";
    this.#rest();
    this.row.hidden = false;
    this.mute(muted); // another microphone is no reason to be heard again
    this.#measure(stream);
  }

  stopped() {
    this.#rest();
    this.row.hidden = true;
  }

  #measure(stream) {
    const context = (this.#context = new AudioContext());
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    context.resume().catch(() => {});
    const samples = new Float32Array(analyser.fftSize);
    let shown = 0;
    const draw = () => {
      this.#drawing = requestAnimationFrame(draw);
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      const loud = Math.min(1, Math.max(0, 1 - (10 * Math.log10(power + 1e-12)) / QUIETEST_DB));
      shown = Math.max(loud, shown * 0.92); // up at once, down slowly: the eye follows
      this.level.style.setProperty("--level", shown.toFixed(3));
      this.level.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
    };
    draw();
  }

  #rest() {
    cancelAnimationFrame(this.#drawing);
    this.#context?.close().catch(() => {});
    this.#context = null;
  }
}
