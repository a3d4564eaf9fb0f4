/** Being in a session, and staying in it: joining, reconnecting, and waiting for a model that crashed. */

import * as api from "./api.js";
import { Connection, NoMediaPath } from "./connection.js";
import { sleep } from "./dom.js";

const BACKOFF = [500, 1_000, 2_000, 4_000];
const CRASHES_ALLOWED = 5;
const STEADY_AFTER = 20_000; // a model that ran this long is no longer crashing "in a row"
const MEDIA_FAILURES_ALLOWED = 4;
const RECOVERY_CAP = 15 * 60_000;
const SILENCE = 2_000; // the server sends statistics every second
const LOST_AFTER = 8_000;

const WITHOUT_SESSION = ["CREATED", "READY"]; // a session that ends closes its viewers: those who hear this watched a model that died
const AWAITS_FRAME = "Waiting for first frame";
const KEEPS_STOPPING = ["The model keeps stopping", `It failed ${CRASHES_ALLOWED} times in a row. Fix the model, or try once more.`];

/** Retrying will not help; the person must do something. */
class Hopeless extends Error {
  constructor(headline, detail) {
    super(detail);
    this.headline = headline;
  }
}

const isModelFault = (code) => typeof code === "string" && code.startsWith("model_");

/** `"loading for 12 s"` and `"loading (12 s)"` → `"12 s"`; other text is left as it is. */
function progressOf(detail) {
  const text = (detail ?? "").trim();
  const seconds = /^(?:the model is )?loading(?: the model)?(?: for)? \(?(\d+)(?:\.\d+)? ?s\)?\.?$/i.exec(text);
  return seconds ? `${seconds[1]} s` : text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Events:
 *   `status`   {connection, label, headline, detail, busy, action, verbatim, joined}: what to tell; no headline, no overlay.
 *              `connection` is connecting | connected | reconnecting | ended | failed; `action` is {label, run};
 *              `verbatim` says that `detail` is an error as the program gave it, `waiting` that only a frame is missing.
 *   `connection` the `Connection` in use, or null;   `schema` the OpenAPI document;
 *   `track`, `message`: passed on from the connection;   `crash` {code, message, exception, attempt, allowed};   `recovered`.
 */
export class Session extends EventTarget {
  #abort = null;
  #connection = null;
  #everConnected = false;
  #lastFrame = -Infinity;
  #waitingForFrame = false;
  #crashes = 0;
  #modelUp = true;
  #faulty = false; // a fault was reported, and no frame has come since
  #gone = false; // the session that had the fault is over: the next is of a model that was loaded again
  #told = 0; // how often it was told over the connection that the model went
  #running = true; // a session, by what was told over the connection last
  #framesCountFrom = 0; // frames that were on their way when the model died may still arrive
  #steady = 0;
  #recovering = false;
  #endLive = null;
  #hasVideo = true;
  #server; // the id of the server's process: a new one knows nothing of our connection

  get joined() {
    return this.#abort !== null;
  }

  get connection() {
    return this.#connection;
  }

  /** Joins the running session, or starts one. */
  join() {
    this.#cancel();
    this.#crashes = 0;
    this.#abort = new AbortController();
    this.#run(this.#abort.signal);
  }

  leave() {
    this.#finish("You left", "The session goes on without you.", "Join");
  }

  /** Ends the session for everyone. */
  async stop() {
    const stopped = this.#abort;
    await api.stopSession();
    if (this.joined && stopped !== this.#abort) return; // its end was told before the answer, and another has begun
    this.#finish("Session ended", "You stopped it for everyone.", "Start a new session");
  }

  /** Sends a command; false when there is no connection. */
  command(id, type, data) {
    return this.#connection?.send("application", { type, data, id }) ?? false;
  }

  /** Tells the session that a frame was shown, which is how it knows that the stream is back. */
  noteFrame() {
    this.#lastFrame = performance.now();
    if (this.#recovering) return;
    const restartedByOther = this.#faulty && this.#gone && this.#lastFrame > this.#framesCountFrom;
    if (this.#waitingForFrame || restartedByOther) this.#streaming();
  }

  #streaming() {
    this.#waitingForFrame = false;
    this.#modelUp = true;
    this.#gone = false;
    this.#say("connected", "Live");
    if (!this.#faulty) return;
    this.#faulty = false;
    this.#connection?.subscribe(); // the new model's state is not the old one's
    this.#emit("recovered");
    this.#steady = setTimeout(() => (this.#crashes = 0), STEADY_AFTER);
  }

  async #run(signal) {
    let failures = 0;
    let mediaFailures = 0;
    this.#say("connecting", "Connecting", "Connecting…", "", { busy: true });
    while (!signal.aborted) {
      try {
        const descriptor = await this.#enter(signal);
        this.#hasVideo = (descriptor.capabilities?.tracks ?? []).some((track) => track.kind === "video" && track.direction === "recvonly");
        const ended = await this.#live(descriptor, signal, () => {
          failures = 0;
          mediaFailures = 0;
        });
        if (ended) return;
        if (this.#gaveUp) return this.#keepsStopping();
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof Hopeless) return this.#fail(error.headline, error.message, "Try again");
        if (error instanceof NoMediaPath && ++mediaFailures >= MEDIA_FAILURES_ALLOWED) {
          return this.#fail("No connection for video", error.message, "Try again");
        }
      }
      const pause = BACKOFF[Math.min(failures, BACKOFF.length - 1)];
      failures += 1;
      this.#reconnecting(failures, pause);
      await sleep(pause, signal).catch(() => {});
    }
  }

  #reconnecting(attempt, pause) {
    const detail = attempt > 1 ? `Attempt ${attempt}, ${pause < 1000 ? "half a second" : `${pause / 1000} s`} between attempts` : "The connection to the server was lost";
    this.#say("reconnecting", "Reconnecting", "Reconnecting…", detail, { busy: true });
  }

  /** Waits for the model, then starts or joins a session; returns its descriptor. */
  async #enter(signal) {
    for (;;) {
      const { state, detail, pid } = await api.health(signal);
      this.#server = pid;
      const connection = this.#everConnected ? "reconnecting" : "connecting";
      if (state === "CREATED") {
        this.#say(connection, "Loading", "Loading model…", progressOf(detail), { busy: true });
        await sleep(1_000, signal);
      } else if (state === "TERMINATED") {
        this.#loadFailed(detail);
        await sleep(2_000, signal);
      } else if (state === "CLOSING") {
        this.#say(connection, "Waiting", "Waiting for the last session to close…", "", { busy: true });
        await sleep(500, signal);
      } else {
        const descriptor = await this.#ask(() => (state === "READY" ? api.startSession(signal) : api.joinSession(signal)));
        if (!descriptor.retryAfter) return descriptor;
        await sleep(descriptor.retryAfter * 1_000, signal);
      }
    }
  }

  /** Runs one request, turning a refusal for which waiting is no cure into `Hopeless`. */
  async #ask(request) {
    try {
      return await request();
    } catch (error) {
      if (error.code === "viewer_limit" || error.status === 429) throw new Hopeless("The session is full", error.message);
      if (error.status === 503) throw new Hopeless("The server takes no more viewers", error.message);
      if (error.status === 401 || error.status === 403) throw new Hopeless("Not allowed", error.message);
      throw error;
    }
  }

  /** Connects and stays until the connection is gone. True when the session is over, false when it is worth another try. */
  async #live(descriptor, signal, onConnected) {
    if (!this.#everConnected) this.#say("connecting", "Connecting", "Connecting…", "", { busy: true });
    const begun = performance.now();
    const connection = new Connection();
    const here = new AbortController(); // what is asked on account of this connection ends with it
    connection.addEventListener("closed", () => here.abort(), { once: true });
    connection.addEventListener("track", ({ detail }) => this.#emit("track", detail));
    connection.addEventListener("message", ({ detail }) => this.#receive(detail, here.signal));
    const abandon = () => connection.close();
    signal.addEventListener("abort", abandon, { once: true });
    this.#describe(here.signal).catch(() => {});
    try {
      await this.#ask(() => connection.open(descriptor, signal));
      this.#connection = connection;
      this.#everConnected = true;
      this.#modelUp = true;
      this.#running = true;
      onConnected();
      this.#emit("connection", connection);
      this.#awaitFrame(begun);
      return await new Promise((resolve) => {
        this.#endLive = resolve;
        connection.addEventListener("closed", () => resolve(signal.aborted), { once: true });
        if (!connection.ready) resolve(signal.aborted);
        this.#guard(connection, here.signal).then(() => resolve(false), () => {});
      });
    } finally {
      signal.removeEventListener("abort", abandon);
      connection.close();
      if (this.#connection === connection) {
        this.#connection = null;
        this.#emit("connection", null);
      }
    }
  }

  /** Without the schema there are no controls: it is asked for until it comes. */
  async #describe(signal) {
    let schema;
    while (!(schema = await api.schema(signal).catch(() => null))) await sleep(1_000, signal);
    this.#emit("schema", schema);
  }

  /** Resolves when the server is gone, although the peer connection has not noticed it. */
  async #guard(connection, signal) {
    for (;;) {
      await sleep(500, signal);
      if (!connection.ready) return;
      const now = performance.now();
      const silent = connection.lastHeard === null ? 0 : now - connection.lastHeard;
      const cut = connection.disconnectedSince === null ? 0 : now - connection.disconnectedSince;
      if (silent < SILENCE && !cut) continue;
      const health = await api.health(signal).catch(() => null);
      if (!health || health.pid !== this.#server) return;
      if (silent > LOST_AFTER || cut > LOST_AFTER) return; // it answers, but no longer on this connection
    }
  }

  /** Frames count from `begun` on: one that is shown before commands can be sent may be the only one; after a fault, the old model's. */
  #awaitFrame(begun) {
    if (!this.#hasVideo || (this.#lastFrame > begun && !this.#faulty)) return this.#streaming();
    this.#waitingForFrame = true;
    this.#say("connected", "Connected", AWAITS_FRAME, "", { busy: true });
  }

  #receive(message, signal) {
    if (message.scope === "runtime") {
      if (message.type === "error" && isModelFault(message.data.code)) this.#crashed(message.data, signal);
      else if (message.type === "error" && message.data.code === "viewer_limit") this.#fail("The session is full", message.data.message, "Try again");
      else if (message.type === "sessionEnded") this.#ended(message.data.reason);
      else if (message.type === "session") this.#moved(message.data.state, signal);
    }
    this.#emit("message", message);
  }

  #ended(reason) {
    if (/shutting down/i.test(reason ?? "")) return this.#endLive?.(false); // it may be starting again: look for it
    if (this.#gaveUp) return this.#keepsStopping();
    this.#finish("Session ended", reason ? sentence(reason) : "", "Start a new session");
  }

  /** One fault of the model: the server tells each once over a connection. */
  #crashed(error, signal) {
    clearTimeout(this.#steady);
    this.#faulty = true;
    this.#framesCountFrom = performance.now() + 700;
    this.#modelUp = false;
    this.#gone = !this.#running; // that the model went may be told before why
    this.#told += 1;
    this.#crashes += 1;
    this.#emit("crash", { ...error, attempt: this.#crashes, allowed: CRASHES_ALLOWED });
    if (!this.#recovering) this.#recover(signal).catch(() => {});
  }

  /** That a model has loaded again may be told only when a session with it has begun: it is no other loss. */
  #moved(state, signal) {
    const ran = this.#running;
    this.#running = !WITHOUT_SESSION.includes(state);
    if (ran && !this.#running) this.#lost(signal);
  }

  /** The model went. Who joined while it did was not told of the fault. */
  #lost(signal) {
    this.#gone = true;
    this.#told += 1;
    this.#framesCountFrom = Math.max(this.#framesCountFrom, performance.now());
    if (this.#gaveUp) return;
    this.#modelUp = false;
    if (this.#recovering) return;
    this.#faulty = true;
    this.#recover(signal).catch(() => {});
  }

  /** Waits for the model to load again and starts the session anew; the peer connection stays as it is. */
  async #recover(signal) {
    this.#recovering = true;
    const begun = performance.now();
    const say = (headline, detail) => this.#say("connected", "Restarting", headline, detail, { busy: true });
    say("Restarting the model…", "");
    try {
      while (performance.now() - begun < RECOVERY_CAP) {
        await sleep(this.#modelUp ? 250 : 1_000, signal);
        if (this.#gaveUp) {
          return this.#say("failed", "Failed", ...KEEPS_STOPPING, { action: { label: "Restart the model", run: () => this.#restart(signal) } });
        }
        const told = this.#told;
        const health = await api.health(signal).catch(() => null);
        if (!health || told !== this.#told) continue; // the guard decides whether the server is gone; what was told since is newer
        this.#gone ||= WITHOUT_SESSION.includes(health.state);
        if (health.state === "CREATED") say("Restarting the model…", progressOf(health.detail));
        else if (health.state === "TERMINATED") this.#loadFailed(health.detail);
        else if (health.state === "READY") {
          if (this.#modelUp) continue; // the session that was begun is over: why, is still to be told
          this.#modelUp = true; // of its next fault may be heard before the answer is, and its first frame shown
          this.#framesCountFrom = Math.max(this.#framesCountFrom, performance.now());
          const answer = await api.startSession(signal).catch(() => null);
          if (!answer || answer.retryAfter) this.#modelUp = false;
          if (this.#modelUp) say(AWAITS_FRAME, "");
        } else if (this.#gone && (health.state === "WAITING" || health.state === "STREAMING")) {
          if (!this.#modelUp) say(AWAITS_FRAME, "");
          this.#modelUp = true;
          if (this.#lastFrame > this.#framesCountFrom || !this.#hasVideo) return this.#streaming();
        }
      }
      this.#say("failed", "Failed", "The model did not come back", "", { action: { label: "Try again", run: () => this.#restart(signal) } });
    } finally {
      this.#recovering = false;
    }
  }

  get #gaveUp() {
    return this.#faulty && !this.#modelUp && this.#crashes >= CRASHES_ALLOWED;
  }

  /** The connection went too, while the person had yet to decide. */
  #keepsStopping() {
    this.#fail(...KEEPS_STOPPING, "Restart the model");
  }

  #restart(signal) {
    this.#crashes = 0;
    this.#modelUp = false;
    if (!this.#recovering) this.#recover(signal).catch(() => {});
  }

  #loadFailed(detail) {
    this.#say("failed", "Failed", "The model could not be loaded", detail || "The server's log says why.", { verbatim: Boolean(detail) });
  }

  #finish(headline, detail, label) {
    this.#cancel();
    this.#say("ended", "Ended", headline, detail, { action: { label, run: () => this.join() } });
  }

  #fail(headline, detail, label) {
    this.#cancel();
    this.#say("failed", "Failed", headline, detail, { action: { label, run: () => this.join() } });
  }

  #cancel() {
    clearTimeout(this.#steady);
    this.#modelUp = true;
    this.#faulty = false;
    this.#gone = false;
    this.#waitingForFrame = false;
    this.#everConnected = false;
    this.#abort?.abort(new DOMException("left", "AbortError"));
    this.#abort = null;
  }

  #say(connection, label, headline = "", detail = "", { busy = false, action = null, verbatim = false } = {}) {
    const waiting = headline === AWAITS_FRAME;
    this.#emit("status", { connection, label, headline, detail, busy, action, verbatim, waiting, joined: this.joined });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function sentence(text) {
  const trimmed = text.trim().replaceAll("_", " ");
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}
