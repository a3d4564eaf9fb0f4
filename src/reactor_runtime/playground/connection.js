/** One peer connection: signalling, the tracks, the data channel. It is used once; `session.js` opens the next. */

import { signalling } from "./api.js";
import { sleep } from "./dom.js";

const CONNECT_TIMEOUT = 15_000;
const PING_INTERVAL = 5_000;

/** The server was reached over HTTP, but no media path to it was found. */
export class NoMediaPath extends Error {}

/**
 * Events: `track` {name, kind, track}, `message` {scope, type, data}, `closed` once, when the peer is gone.
 * `lastHeard` is when the last message came, `disconnectedSince` since when ICE hears nothing; null: never, or it does.
 */
export class Connection extends EventTarget {
  #channel = null;
  #closed = false;
  #ping = 0;

  constructor() {
    super();
    this.peer = null;
    this.inputs = []; // {name, kind, sender} of each track that the model takes
    this.lastHeard = null;
    this.disconnectedSince = null;
  }

  /** Opens a connection to the session in `descriptor`; resolves when commands can be sent. */
  async open(descriptor, signal) {
    try {
      await this.#open(descriptor, signal);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async #open(descriptor, signal) {
    const routes = signalling(descriptor.session_id, signal);
    const [iceServers, id] = await Promise.all([routes.iceServers(), routes.connect()]);
    const peer = (this.peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" }));
    const tracks = descriptor.capabilities?.tracks ?? [];
    const outputs = tracks.filter((track) => track.direction === "recvonly");
    const inputs = tracks.filter((track) => track.direction === "sendonly");
    const offered = [...outputs, ...inputs].map((track) => ({ track, transceiver: peer.addTransceiver(track.kind, { direction: track.direction }) }));
    this.inputs = offered.filter(({ track }) => track.direction === "sendonly").map(({ track, transceiver }) => ({ name: track.name, kind: track.kind, sender: transceiver.sender }));

    peer.addEventListener("track", ({ track, transceiver, receiver }) => {
      const known = offered.find((item) => item.transceiver === transceiver)?.track;
      if (!known) return;
      if (known.kind === "video" && "jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      this.#emit("track", { name: known.name, kind: known.kind, track });
    });
    peer.addEventListener("connectionstatechange", () => this.#watch(peer.connectionState));
    const opened = this.#openChannel(peer);
    const trickle = this.#trickle(peer, (batch, final) => routes.candidates(id, batch, final));

    // A browser asks for one channel of sound unless told otherwise; the server sends as many as a track has.
    const { type, sdp: wanted } = await peer.createOffer();
    await peer.setLocalDescription({ type, sdp: wanted.replace(/^(a=fmtp:\d+ minptime=.*)$/gm, "$1;stereo=1") });
    const mapping = offered.map(({ track, transceiver }) => ({
      mid: transceiver.mid,
      name: track.name,
      kind: track.kind,
      direction: track.direction,
    }));
    await routes.offer(id, peer.localDescription.sdp, mapping);
    trickle.start();

    let sdp = null;
    while ((sdp = await routes.answer(id)) === null) await sleep(150, signal);
    if (this.#closed) throw new Error("the connection closed while it was being set up");
    if (!sdp.includes("a=candidate:")) {
      throw new NoMediaPath("The server has no network address to send video from. WebRTC leaves the loopback interface out, so connect its machine to any network.");
    }
    await peer.setRemoteDescription({ type: "answer", sdp });

    const timeout = sleep(CONNECT_TIMEOUT, signal).then(() => {
      throw new NoMediaPath("The server answers, but no media path to it was found. A firewall may block UDP.");
    });
    await Promise.race([opened, timeout]);
  }

  #openChannel(peer) {
    const channel = (this.#channel = peer.createDataChannel("data", { ordered: true }));
    channel.addEventListener("message", ({ data }) => this.#receive(data));
    channel.addEventListener("close", () => this.close());
    const opened = new Promise((resolve, reject) => {
      channel.addEventListener("open", resolve, { once: true });
      this.addEventListener("closed", () => reject(new NoMediaPath("The connection was closed before it was ready.")), { once: true });
    });
    opened.then(
      () => {
        this.subscribe();
        this.#ping = setInterval(() => this.send("runtime", { type: "ping" }), PING_INTERVAL);
      },
      () => {},
    );
    return opened;
  }

  /** Collects candidates and sends them in batches, none before `start()`: the server must have seen the offer. */
  #trickle(peer, post) {
    let started = false;
    let waiting = [];
    let final = false;
    let timer = 0;
    const flush = () => {
      timer = 0;
      const batch = waiting;
      waiting = [];
      if (batch.length || final) post(batch, final).catch(() => {}); // the answerer learns our address from our checks too
    };
    const schedule = () => {
      if (started && !timer) timer = setTimeout(flush, 20);
    };
    peer.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) {
        waiting.push({ candidate: candidate.candidate, sdp_mid: candidate.sdpMid, sdp_mline_index: candidate.sdpMLineIndex });
      } else if (!candidate) final = true;
      schedule();
    });
    return {
      start() {
        started = true;
        schedule();
      },
    };
  }

  #watch(state) {
    if (state === "disconnected") this.disconnectedSince ??= performance.now();
    else this.disconnectedSince = null;
    if (state === "failed" || state === "closed") this.close();
  }

  #receive(text) {
    if (this.#closed) return; // what had come by then is delivered all the same
    this.lastHeard = performance.now();
    let envelope;
    try {
      envelope = JSON.parse(text);
    } catch {
      return;
    }
    const { scope, data } = envelope ?? {};
    if (scope === "application") this.#emit("message", { scope, ...readPayload(data) });
    else if (data?.type) this.#emit("message", { scope, type: data.type, data: data.data ?? {} });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  get ready() {
    return this.#channel?.readyState === "open";
  }

  /** How many bytes wait to leave. */
  get backlog() {
    return this.#channel?.bufferedAmount ?? 0;
  }

  /** Sends one message; false when there is no open channel. */
  send(scope, data) {
    if (!this.ready) return false;
    try {
      this.#channel.send(JSON.stringify({ scope, data }));
      return true;
    } catch {
      return false;
    }
  }

  /** Asks for state, statistics and the session's changes; the server answers with how they are now. */
  subscribe() {
    this.send("runtime", { type: "subscribe", data: { topics: ["state", "stats", "session"] } });
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ping);
    this.peer?.close();
    this.#emit("closed");
  }
}

/** What a model says is `{type, data}`, unless it makes up its own messages: those may be any JSON value. */
function readPayload(payload) {
  const { type, data, ...rest } = Object(payload);
  if (typeof type === "string" && !Object.keys(rest).length) return { type, data: data ?? {} };
  return { type: typeof type === "string" ? type : "message", data: payload };
}
