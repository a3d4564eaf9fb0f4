/** The HTTP side of the service: health, schema, session, signalling, slots for files. */

export class HttpError extends Error {
  constructor(status, body, retryAfter) {
    super(messageOf(body) || `the server answered ${status}`);
    this.status = status;
    this.code = body?.code ?? body?.detail?.code ?? body?.error?.code;
    this.retryAfter = retryAfter;
  }
}

function messageOf(body) {
  const detail = body?.detail ?? body?.message ?? body?.error;
  if (typeof detail === "string") return detail;
  return detail?.message ?? (Array.isArray(detail) ? detail[0]?.msg : undefined);
}

/** Rejects with an `HttpError` on a 4xx or 5xx, and with what `fetch` throws when there is no server. */
async function call(method, path, { body, signal, timeout = 10_000 } = {}) {
  const limit = AbortSignal.timeout(timeout);
  const response = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, limit]) : limit,
    cache: "no-store",
  });
  const text = await response.text();
  let parsed = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    parsed = { detail: text.slice(0, 200) };
  }
  if (!response.ok) throw new HttpError(response.status, parsed, Number(response.headers.get("retry-after")) || null);
  return { status: response.status, body: parsed };
}

/** `{state, detail, model}` */
export const health = async (signal) => (await call("GET", "/health", { signal, timeout: 4_000 })).body;

/** The OpenAPI document, or null until the model has loaded. */
export async function schema(signal) {
  try {
    const { body } = await call("GET", "/schema", { signal });
    return body?.info ? body : null;
  } catch (error) {
    if (error instanceof HttpError) return null;
    throw error;
  }
}

/** Starts a session, or joins the one that someone else just started: `{session_id, capabilities}`, or `{retryAfter}` in seconds. */
export async function startSession(signal) {
  try {
    return (await call("POST", "/start_session", { body: {}, signal })).body;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    if (error.status === 503) return { retryAfter: error.retryAfter ?? 1 };
    if (error.status !== 409 && error.status !== 400) throw error;
  }
  return joinSession(signal);
}

const LIVE = ["WAITING", "STREAMING", "ORPHANED"];

/** The running session; `{retryAfter}` when there is none. */
export async function joinSession(signal) {
  try {
    const { body } = await call("GET", "/session", { signal });
    return !body.state || LIVE.includes(body.state) ? body : { retryAfter: 0.5 };
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return { retryAfter: 0.5 };
    throw error;
  }
}

/** Makes a slot for a file; returns its id. */
export const reserveUpload = async (name, size, type, signal) =>
  (await call("POST", "/sessions/local/uploads", { body: { name, size, mime_type: type }, signal })).body.presigned_id;

/** Takes a slot or a file back. Once it is gone anyway, nothing happens. */
export const discardUpload = (id) => fetch(uploadPath(id), { method: "DELETE", keepalive: true }).catch(() => {});

/** Where the bytes of a slot go. */
export const uploadPath = (id) => `/uploads/${encodeURIComponent(id)}`;

export const stopSession = () => call("POST", "/stop_session", { body: {} });

/** The signalling routes of one session. */
export function signalling(sessionId, signal) {
  const base = `/sessions/${encodeURIComponent(sessionId)}/transport/webrtc`;
  return {
    async iceServers() {
      const { body } = await call("GET", `${base}/ice_servers`, { signal });
      return (body?.ice_servers ?? []).map(({ uris, credentials }) => ({
        urls: uris,
        ...(credentials && { username: credentials.username, credential: credentials.password }),
      }));
    },
    connect: async () => (await call("POST", `${base}/connections`, { body: {}, signal })).body.connection_id,
    offer: (id, sdp, mapping) =>
      call("POST", `${base}/connections/${id}/sdp_params`, {
        body: { sdp_offer: sdp, client_info: { sdk_type: "playground" }, track_mapping: mapping },
        signal,
      }),
    candidates: (id, candidates, isFinal) =>
      call("POST", `${base}/connections/${id}/ice_candidates`, { body: { candidates, is_final: isFinal }, signal }),
    /** The answer, or null when the server has none yet. */
    async answer(id) {
      const { status, body } = await call("GET", `${base}/connections/${id}/sdp_params`, { signal, timeout: 60_000 });
      return status === 200 ? body.sdp_answer : null;
    },
  };
}
