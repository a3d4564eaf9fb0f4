/** A file that a person chose, and how far it is on its way to the service. */

import { sendFile } from "./uploads.js";

export class Upload {
  reference = null; // what commands take, once it has arrived in this session
  problem = ""; // why it did not arrive
  part = 0; // of the bytes, 0 to 1
  #abort = null;
  #over = false; // the session that it is sent to, or the connection: whether that one goes on is not known then
  #changed;

  /** `changed()` is called as it gets on. */
  constructor(file, changed) {
    this.file = file;
    this.#changed = changed;
  }

  get sending() {
    return this.#abort !== null;
  }

  /** Sends it; true when it has arrived, false when not, or when it was cancelled. */
  async send() {
    const abort = (this.#abort = new AbortController());
    this.#over = false;
    Object.assign(this, { reference: null, problem: "", part: 0 });
    this.#changed();
    try {
      const reference = await sendFile(this.file, { signal: abort.signal, onProgress: (part) => this.#progress(part) });
      if (this.#over) throw new Error("The session or the connection ended meanwhile.");
      this.reference = reference;
    } catch (error) {
      if (abort.signal.aborted) return false;
      this.problem = error.message;
    }
    this.#abort = null;
    return this.reference !== null;
  }

  cancel() {
    this.#abort?.abort();
    this.#abort = null;
  }

  /** The session may be over: the answer that the file is there may be of before its end. */
  forget() {
    this.#over = true;
  }

  #progress(part) {
    this.part = part;
    this.#changed();
  }
}
