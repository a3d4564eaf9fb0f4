/** Where the video is: a tile for each video track, sound, and what is laid over the picture. */

import { byId, h, icon, setIcon, setText } from "./dom.js";

/** Events: `frame` {track, arrivedAt, presentedAt} for every frame that is shown. */
export class Stage extends EventTarget {
  #tiles = new Map();
  #sounds = new Map();
  #muted = true;

  constructor() {
    super();
    this.unmuteButton = byId("unmute");
    this.unmuteButton.addEventListener("click", () => this.setMuted(!this.#muted));
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    this.prepare([]);
  }

  /** Makes an empty tile for each video track to come, so that nothing jumps when it does. */
  prepare(names) {
    for (const [name, tile] of this.#tiles) {
      if (names.length && !names.includes(name)) {
        tile.element.parentElement.remove();
        this.#tiles.delete(name);
      }
    }
    for (const name of names) this.#tile(name);
    this.#anchor();
    this.#arrange();
  }

  /** The button for the sound is in a corner of the first picture, which need not be one of the stage. */
  #anchor() {
    const [first] = this.#tiles.values();
    const place = first?.element ?? byId("stage");
    if (this.unmuteButton.parentElement !== place) place.append(this.unmuteButton);
  }

  attach({ name, kind, track }) {
    if (kind === "audio") this.#attachSound(name, track);
    else this.#attachVideo(name, track);
  }

  #attachVideo(name, track) {
    const tile = this.#tile(name);
    tile.video.srcObject = new MediaStream([track]);
    tile.video.play().catch(() => {}); // refused while the page is hidden; autoplay starts it later
    this.#anchor();
    this.#arrange();
  }

  #attachSound(name, track) {
    const sound = this.#sounds.get(name) ?? h("audio", { autoplay: true, "data-track": name });
    if (!sound.isConnected) byId("stage").append(sound);
    this.#sounds.set(name, sound);
    sound.muted = this.#muted;
    sound.srcObject = new MediaStream([track]);
    sound.play().catch(() => {});
    this.unmuteButton.hidden = false;
  }

  setMuted(muted) {
    this.#muted = muted;
    for (const sound of this.#sounds.values()) {
      sound.muted = muted;
      if (!muted) sound.play().catch(() => {});
    }
    setIcon(this.unmuteButton, muted ? "muted" : "sound");
    setText(this.unmuteButton.querySelector("span"), muted ? "Unmute" : "Mute");
  }

  #tile(name) {
    const known = this.#tiles.get(name);
    if (known) return known;
    const video = h("video", { autoplay: true, playsinline: true, muted: true, "data-track": name, "aria-label": `Video: ${name}` });
    video.muted = true;
    const element = h(
      "figure",
      { class: "tile" },
      video,
      h("figcaption", { class: "tile-name" }, name),
      h("button", { class: "button button-glass button-icon tile-expand", type: "button", title: "Full screen (F)", "aria-label": `Show ${name} full screen`, onclick: () => toggleFullscreen(element, video) }, icon("expand")),
    );
    element.addEventListener("dblclick", (event) => event.target.closest("button") || toggleFullscreen(element, video));
    video.addEventListener("resize", () => {
      if (video.videoWidth) element.style.setProperty("--ratio", video.videoWidth / video.videoHeight);
      this.#arrange();
    });
    this.#count(name, video, element);
    byId("tiles").append(h("div", { class: "cell" }, element));
    const tile = { element, video };
    this.#tiles.set(name, tile);
    return tile;
  }

  #count(name, video, element) {
    const report = (arrivedAt, presentedAt) => {
      element.dataset.live = "true";
      this.dispatchEvent(new CustomEvent("frame", { detail: { track: name, arrivedAt, presentedAt } }));
    };
    if (!("requestVideoFrameCallback" in video)) {
      video.addEventListener("timeupdate", () => report(performance.now(), performance.now())); // coarse, but it tells that video flows
      return;
    }
    const next = (now, { receiveTime, presentationTime }) => {
      video.requestVideoFrameCallback(next);
      report(receiveTime ?? now, Math.max(presentationTime ?? now, receiveTime ?? 0));
    };
    video.requestVideoFrameCallback(next);
  }

  /** As many columns as make the tiles largest. */
  #arrange() {
    const count = Math.max(1, this.#tiles.size);
    const box = byId("tiles").getBoundingClientRect();
    const ratios = [...this.#tiles.values()].map(({ video }) => (video.videoWidth ? video.videoWidth / video.videoHeight : 16 / 9));
    const ratio = ratios.length ? ratios.reduce((sum, value) => sum + value, 0) / ratios.length : 16 / 9;
    let best = { columns: 1, width: 0 };
    for (let columns = 1; columns <= count; columns += 1) {
      const width = Math.min(box.width / columns, (box.height / Math.ceil(count / columns)) * ratio);
      if (width > best.width) best = { columns, width };
    }
    const stage = byId("stage");
    stage.style.setProperty("--columns", best.columns);
    stage.style.setProperty("--rows", Math.ceil(count / best.columns));
    stage.style.setProperty("--stage-ratio", ratio);
    stage.dataset.tiles = String(this.#tiles.size);
  }

  #shortcut(event) {
    if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]") && event.target.type !== "range") return;
    const wanted = document.activeElement?.closest?.(".tile") ?? document.querySelector(".tile:hover") ?? document.querySelector(".tile");
    if (wanted) toggleFullscreen(wanted, wanted.querySelector("video"));
  }
}

function toggleFullscreen(element, video) {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (element.requestFullscreen) element.requestFullscreen().catch(() => {});
  else video.webkitEnterFullscreen?.(); // an iPhone has nothing else
}

/** The state of affairs, laid over the picture when there is something to wait for or to do. */
export class Overlay {
  #action = null;

  constructor() {
    this.element = byId("overlay");
    this.icon = byId("overlay-icon");
    this.button = byId("overlay-action");
    this.button.addEventListener("click", () => this.#action?.());
  }

  show({ headline, detail, busy, action, verbatim, connection }) {
    this.element.hidden = !headline;
    this.icon.toggleAttribute("hidden", connection !== "failed");
    byId("overlay-detail").toggleAttribute("data-verbatim", Boolean(verbatim));
    setText(byId("overlay-title"), headline);
    setText(byId("overlay-detail"), detail);
    byId("overlay-spinner").hidden = !busy;
    this.#action = action?.run ?? null;
    this.button.hidden = !action;
    if (action) setText(this.button, action.label);
  }
}

/** What went wrong, said as it is. A fault of the model stays until it is mended; lesser ones go by themselves. */
export class Banner {
  #timer = 0;
  #code = null;
  #repeats = 1;

  constructor() {
    this.element = byId("banner");
    byId("banner-close").addEventListener("click", () => this.hide());
  }

  show({ code, title, detail, tone, lasting = false }) {
    this.#repeats = !this.element.hidden && code === this.#code ? this.#repeats + 1 : 1;
    this.#code = code;
    this.element.dataset.tone = tone;
    setIcon(this.element, tone === "good" ? "check" : "alert");
    this.element.dataset.code = code ?? "";
    setText(byId("banner-title"), this.#repeats > 1 && !lasting ? `${title} (${this.#repeats} times)` : title);
    setText(byId("banner-detail"), detail ?? "");
    this.element.hidden = false;
    clearTimeout(this.#timer);
    if (!lasting) this.#timer = setTimeout(() => this.hide(), 8_000);
  }

  hide() {
    clearTimeout(this.#timer);
    this.element.hidden = true;
    this.#code = null;
  }
}
