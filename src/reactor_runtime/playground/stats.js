/** The strip of figures under the video: what this browser measures, beside what the server reports. */

import { byId, setText } from "./dom.js";

const SAMPLE_EVERY = 1_000;
const FRAMES_KEPT_FOR = 6_000;
const FIGURES = ["fps", "latency", "bitrate", "dropped", "viewers"];

/** `server(data)` takes the server's statistics, `frame(track)` counts a presented frame, `watch(peer)` reads the peer's counters. */
export class Stats {
  #peer = null;
  #frames = new Map();
  #before = null;
  #droppedHere = 0;
  #droppedThere = 0; // since this page connected; the server's counter is older, and starts again with each session
  #serverDropped = null;

  constructor() {
    setInterval(() => this.#sample(), SAMPLE_EVERY);
  }

  watch(peer) {
    this.#peer = peer;
    this.#before = null;
    this.#frames.clear();
    this.#droppedHere = 0;
    this.#droppedThere = 0;
    this.#serverDropped = null;
    for (const id of FIGURES) {
      show(id, "–");
      note(id, "");
    }
    show("codec", "–");
    setText(byId("stat-size"), "");
  }

  frame(track) {
    const now = performance.now();
    const times = this.#frames.get(track) ?? [];
    times.push(now);
    while (times[0] < now - FRAMES_KEPT_FOR) times.shift();
    this.#frames.set(track, times);
  }

  server(data) {
    if (Number.isFinite(data.viewers)) this.viewers(data.viewers);
    const videos = Object.values(data.tracks ?? {}).filter((track) => Number.isFinite(track?.fps));
    const sum = (key) => videos.reduce((total, track) => total + (track[key] ?? 0), 0);
    const sent = bitrate(sum("kbps") * 1e3);
    note("fps", videos.length ? `${decimal(videos[0].fps)} sent` : "");
    note("bitrate", videos.length ? `${sent.text} ${sent.unit} sent` : "");
    const dropped = sum("dropped");
    const before = this.#serverDropped ?? dropped;
    this.#droppedThere += dropped < before ? dropped : dropped - before;
    this.#serverDropped = dropped;
    this.#showDropped();
  }

  viewers(count) {
    show("viewers", String(count), count);
    note("viewers", count === 1 ? "only you" : count > 1 ? `you and ${count - 1} more` : "");
  }

  latency({ last, median }) {
    show("latency", String(Math.round(last)), last);
    note("latency", `median ${Math.round(median)}`);
  }

  async #sample() {
    this.#showFps();
    const peer = this.#peer;
    if (!peer || peer.connectionState === "closed") return;
    const reports = await peer.getStats().catch(() => null);
    if (!reports || peer !== this.#peer) return;
    let bytes = 0;
    let dropped = 0;
    let video = null;
    for (const report of reports.values()) {
      if (report.type !== "inbound-rtp") continue;
      bytes += report.bytesReceived ?? 0;
      if (report.kind !== "video") continue;
      dropped += report.framesDropped ?? 0;
      video ??= report;
    }
    this.#droppedHere = dropped;
    this.#showDropped();
    this.#showBitrate(bytes);
    if (video) this.#showVideo(video, reports.get(video.codecId));
  }

  #showFps() {
    const now = performance.now();
    const all = this.#frames.values().next().value ?? [];
    const recent = all.filter((time) => time > now - 2_000);
    const times = recent.length > 2 ? recent : all; // a slow model is counted over a longer time
    if (!this.#peer) return;
    const gap = times.length > 1 ? (times.at(-1) - times[0]) / (times.length - 1) : Infinity;
    const stopped = now - times.at(-1) > Math.max(1_000, 2 * gap);
    const fps = stopped || gap === Infinity ? 0 : 1_000 / gap;
    show("fps", fps ? decimal(fps) : "0", fps);
  }

  #showBitrate(bytes) {
    const now = performance.now();
    const before = this.#before;
    this.#before = { bytes, now };
    if (!before) return;
    const bits = Math.max(0, ((bytes - before.bytes) * 8 * 1000) / (now - before.now));
    const { text, unit } = bitrate(bits);
    show("bitrate", text, bits);
    setText(byId("stat-bitrate-unit"), unit);
  }

  #showDropped() {
    const total = this.#droppedThere + this.#droppedHere;
    show("dropped", String(total), total);
    note("dropped", total ? `${this.#droppedThere} server, ${this.#droppedHere} here` : "");
  }

  #showVideo(report, codec) {
    const name = codec?.mimeType?.split("/")[1];
    if (name) show("codec", name, name);
    if (report.frameWidth) setText(byId("stat-size"), `${report.frameWidth} × ${report.frameHeight}`);
  }
}

const decimal = (value) => (value >= 9.95 ? String(Math.round(value)) : value.toFixed(1));

function bitrate(bits) {
  return bits >= 1e6 ? { text: (bits / 1e6).toFixed(1), unit: "Mb/s" } : { text: String(Math.round(bits / 1e3)), unit: "kb/s" };
}

function show(id, text, raw) {
  const element = byId(`stat-${id}`);
  setText(element, text);
  if (raw === undefined) delete element.dataset.value;
  else element.dataset.value = String(raw);
}

function note(id, text) {
  setText(byId(`stat-${id}-note`), text);
}
