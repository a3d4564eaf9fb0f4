/** The playground: joins the session, shows what the model makes, and lets the person steer it. */

import { Controls } from "./controls.js";
import { byId, setIcon, setText } from "./dom.js";
import { Letterbox } from "./letterbox.js";
import { Inputs } from "./inputs.js";
import { Log } from "./log.js";
import { ReceiptLine, Receipts } from "./receipts.js";
import { readSchema } from "./schema.js";
import { Session } from "./session.js";
import { Banner, Overlay, Stage } from "./stage.js";
import { Stats } from "./stats.js";
import { bindThemeButton } from "./theme.js";

const session = new Session();
const stage = new Stage();
const overlay = new Overlay();
const banner = new Banner();
const stats = new Stats();
const log = new Log();
const receipts = new Receipts();
const receiptLine = new ReceiptLine({
  line: byId("last-receipt"),
  command: byId("receipt-command"),
  status: byId("receipt-status"),
  facts: byId("receipt-facts"),
});
const inputs = new Inputs();
const letterbox = new Letterbox(byId("stage"), {
  toCommand(target, files) {
    const { taken, runs } = controls.takeFiles(target, files);
    if (!runs) return;
    const title = taken.length === 1 ? `${taken[0].name} is in the form` : taken.length ? `${taken.length} files are in the form` : "The form takes no more files";
    const left = files.length - taken.length;
    const detail = `Press Run under ${runs} to use ${taken.length === 1 ? "it" : taken.length ? "them" : "those that are in it"}.`;
    banner.show({ code: "in_form", title, detail: left ? `${left} left out. ${detail}` : detail, tone: left ? "warn" : "good" });
  },
  announce: (reference) => session.connection?.send("runtime", { type: "fileUploaded", data: reference }) ?? false,
});
const controls = new Controls(byId("commands"), {
  send(command, args) {
    if (!session.connection?.ready) return false;
    return session.command(receipts.open(command, args).id, command, args);
  },
  backlog: () => session.connection?.backlog ?? 0,
  lead: inputs.element,
  tail: letterbox.element,
});
const HINT_AFTER = 800; // a model that needs no input has shown something by then
let viewers = 0; // 0: not told yet
let left = false;
let status = {};
let hinting = 0;

session.addEventListener("status", ({ detail }) => {
  status = detail;
  byId("connection").dataset.state = status.connection;
  byId("connection").dataset.busy = String(status.busy);
  setText(byId("connection-text"), status.label);
  overlay.show(status);
  clearTimeout(hinting);
  hinting = setTimeout(showHint, HINT_AFTER);
  left = status.connection === "ended" || (status.connection === "failed" && !status.joined);
  setText(byId("leave").querySelector("span"), left ? "Join" : "Leave");
  setIcon(byId("leave"), left ? "play" : "door");
  byId("stop").disabled = status.connection !== "connected";
  if (status.connection === "ended") banner.hide();
  if (left) inputs.stop();
});

function showHint() {
  if (status.waiting) overlay.show({ ...status, ...inputs.hint });
}

inputs.addEventListener("change", showHint);

session.addEventListener("connection", ({ detail: connection }) => {
  viewers = 0;
  stats.watch(connection?.peer ?? null);
  receipts.forget();
  controls.setOffline(!connection);
  inputs.attach(connection?.inputs ?? []);
});

session.addEventListener("schema", ({ detail: openapi }) => {
  const model = readSchema(openapi);
  if (model.title) {
    setText(byId("model-name"), model.title);
    document.title = `${model.title} · Reactor`;
  }
  stage.prepare(model.tracks.filter((track) => track.kind === "video" && track.direction === "out").map((track) => track.name));
  inputs.prepare(model.tracks.filter((track) => track.direction === "in"));
  controls.render(model);
  letterbox.prepare(model);
  log.expect(model.messages);
});

session.addEventListener("track", ({ detail }) => stage.attach(detail));

stage.addEventListener("frame", ({ detail: { track, arrivedAt, presentedAt } }) => {
  session.noteFrame();
  stats.frame(track);
  receipts.framePresented(track, arrivedAt, presentedAt);
});

receipts.addEventListener("change", ({ detail: record }) => {
  receiptLine.show(record);
  controls.showReceipt(record);
});
receipts.addEventListener("latency", ({ detail }) => stats.latency(detail));

const ON_RUNTIME_MESSAGE = {
  receipt: (data) => receipts.receive(data),
  state: (data) => controls.applyState(data),
  stats: (data) => session.connection && stats.server(data), // one that was on its way when the session ended is not shown
  session(data) {
    viewers = data.viewers ?? viewers;
    if (session.connection && Number.isFinite(data.viewers)) stats.viewers(data.viewers);
    if (data.state === "CREATED") controls.forget(); // the model went, which not each page is told as a fault
    if (data.state) log.add("session", `${data.state.toLowerCase()}, ${viewers} ${viewers === 1 ? "viewer" : "viewers"}`, "event");
  },
  sessionEnded(data) {
    log.add("session ended", data.reason ?? "", "event");
    controls.forget();
  },
  error(data) {
    log.add(data.code ?? "error", faultOf(data), "bad");
    if (!data.code?.startsWith("model_")) showWarning(data);
  },
};

session.addEventListener("message", ({ detail: { scope, type, data } }) => {
  if (scope === "application") log.add(type, data);
  else ON_RUNTIME_MESSAGE[type]?.(data);
});

const FAULTS = {
  model_crashed: "The model stopped",
  model_killed: "The model was killed",
  model_hung: "The model stopped responding",
};
const WARNINGS = {
  frame_rejected: "The model made a frame that cannot be shown",
  rate_limited: "Too many commands",
  invalid_message: "The server did not understand a message",
  message_too_large: "A message was too large",
  unknown_upload: "A file did not reach the model",
  file_failed: "A file did not reach the model",
  no_session: "The session ended before this page joined it",
};

/** `"ValueError: wrong shape"`, or the server's own words. */
function faultOf({ exception, message }) {
  const text = exception?.message ?? message ?? "";
  if (!exception?.type || text.startsWith(exception.type)) return text;
  return text ? `${exception.type}: ${text}` : exception.type;
}

function showWarning(data) {
  banner.show({ code: data.code, title: WARNINGS[data.code] ?? "Something went wrong", detail: faultOf(data), tone: "warn" });
}

letterbox.addEventListener("told", ({ detail }) => banner.show(detail));
letterbox.addEventListener("sent", ({ detail }) => log.add("file sent", detail.name, "event"));

session.addEventListener("crash", ({ detail: fault }) => {
  controls.forget();
  const title = FAULTS[fault.code] ?? "The model stopped";
  const again = fault.attempt >= fault.allowed ? "" : fault.attempt > 1 ? ` Restarting (fault ${fault.attempt} of ${fault.allowed})…` : " Restarting…";
  banner.show({ code: fault.code, title: `${title}.${again}`, detail: faultOf(fault), tone: "bad", lasting: true });
});

session.addEventListener("recovered", () => {
  banner.show({ code: "recovered", title: "The model is back.", detail: "The stream goes on.", tone: "good" });
});

byId("leave").addEventListener("click", () => (left ? session.join() : session.leave()));

/** Others are watching too, or may be: ending their session takes a second click. */
let armed = 0;
const unarmed = [...byId("stop").querySelector("span").childNodes];
byId("stop").addEventListener("click", async () => {
  const button = byId("stop");
  const label = button.querySelector("span");
  const disarm = () => {
    clearTimeout(armed);
    armed = 0;
    button.removeAttribute("data-armed");
    label.replaceChildren(...unarmed);
  };
  if (viewers !== 1 && !armed) {
    setText(label, viewers ? `Stop for all ${viewers}?` : "Stop for all?");
    button.setAttribute("data-armed", "");
    armed = setTimeout(disarm, 4_000);
    return;
  }
  disarm();
  await session.stop().catch((error) => banner.show({ code: "stop", title: "The session could not be stopped", detail: error.message, tone: "warn" }));
});

bindThemeButton(byId("theme"), (theme) => setIcon(byId("theme"), theme === "dark" ? "sun" : "moon"));
addEventListener("pagehide", () => session.connection?.close());

if ("RTCPeerConnection" in window) session.join();
else overlay.show({ headline: "This browser cannot receive live video", detail: "WebRTC is missing or switched off.", busy: false, action: null, connection: "failed" });
