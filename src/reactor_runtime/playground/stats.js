/** The strip of figures under the video: what this browser measures, beside what the server reports. */

import { byId, setText } from "./dom.js";

const SAMPLE_EVERY = 1_000;
const FRAMES_KEPT_FOR = 6_000;

/** `server(data)` takes the server's statistics, `frame(track)` counts a presented frame, `watch(peer)` reads the peer's counters. */
export class Stats {
  #peer = null;
  #frames = new Map();
  #before = null;
  #server = null;
  #droppedHere = 0;

  constructor() {
    setInterval(() => this.#sample(), SAMPLE_EVERY);
  }

  watch(peer) {
    this.#peer = peer;
    this.#before = null;
    this.#frames.clear();
    if (peer) return;
    for (const id of ["fps", "bitrate", "viewers"]) show(id, "–");
    for (const id of ["fps", "viewers"]) note(id, "");
  }

  frame(track) {
    const now = performance.now();
    const times = this.#frames.get(track) ?? [];
    times.push(now);
    while (times[0] < now - FRAMES_KEPT_FOR) times.shift();
    this.#frames.set(track, times);
  }

  server(data) {
    this.#server = data;
    if (Number.isFinite(data.viewers)) this.viewers(data.viewers);
    const videos = Object.values(data.tracks ?? {}).filter((track) => Number.isFinite(track?.fps));
    note("fps", videos.length ? `${decimal(videos[0].fps)} sent` : "");
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
    const mega = bits >= 1e6;
    show("bitrate", mega ? (bits / 1e6).toFixed(1) : String(Math.round(bits / 1e3)), bits);
    setText(byId("stat-bitrate-unit"), mega ? "Mb/s" : "kb/s");
  }

  #showDropped() {
    const onServer = Object.values(this.#server?.tracks ?? {}).reduce((sum, track) => sum + (track?.dropped ?? 0), 0);
    const total = onServer + this.#droppedHere;
    show("dropped", String(total), total);
    note("dropped", total ? `${onServer} there, ${this.#droppedHere} here` : "");
  }

  #showVideo(report, codec) {
    const name = codec?.mimeType?.split("/")[1];
    if (name) show("codec", name, name);
    if (report.frameWidth) setText(byId("stat-size"), `${report.frameWidth} × ${report.frameHeight}`);
  }
}

const decimal = (value) => (value >= 9.95 ? String(Math.round(value)) : value.toFixed(1));

function show(id, text, raw) {
  const element = byId(`stat-${id}`);
  setText(element, text);
  if (raw === undefined) delete element.dataset.value;
  else element.dataset.value = String(raw);
}

function note(id, text) {
  setText(byId(`stat-${id}-note`), text);
}
