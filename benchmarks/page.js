// The published JavaScript client in a page, timed. All figures are in milliseconds; what counts is what is presented.

const WARM_UP_MS = 3000;
const DEADLINE_MS = 20_000;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function within(promise, what) {
  const late = pause(DEADLINE_MS).then(() => Promise.reject(new Error(`no ${what}`)));
  return Promise.race([promise, late]);
}

/** A video element that plays the track; `presented(now, video)` is called with each picture that has been. */
function play(track, presented) {
  const video = document.body.appendChild(document.createElement("video"));
  Object.assign(video, { muted: true, autoplay: true, playsInline: true, srcObject: new MediaStream([track]) });
  const next = () => {
    presented(performance.now(), video);
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
}

/** A function that reads the low eight bits of the marker in a picture: the right half of the stamp's second row. */
function reader() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  return (video) => {
    const side = Math.floor(video.videoWidth / 20);
    context.drawImage(video, 8 * side, side, 8 * side, side, 0, 0, 8, 1);
    const pixels = context.getImageData(0, 0, 8, 1).data;
    return Array.from({ length: 8 }, (_, bit) => (pixels[4 * bit + 1] > 127 ? 1 << bit : 0)).reduce((a, b) => a | b);
  };
}

async function connected(presented) {
  const { Reactor } = await import("/sdk.js");
  const reactor = new Reactor({ modelName: "bench", local: true });
  let ready;
  const isReady = new Promise((done) => (ready = done));
  reactor.on("statusChanged", (status) => status === "ready" && ready(performance.now()));
  reactor.on("trackReceived", (_name, track) => track.kind === "video" && play(track, presented));
  const began = performance.now();
  await reactor.connect();
  return { reactor, began, ready: (await within(isReady, "connection")) - began };
}

/** From `connect()` to ready, and to the first picture. */
export async function connect() {
  let first;
  const seen = new Promise((done) => (first = done));
  const { reactor, began, ready } = await connected((now) => first(now));
  const first_frame = (await within(seen, "picture")) - began;
  await reactor.disconnect();
  return { ready, first_frame };
}

/** From `sendCommand()` at random moments to the first picture that shows it, `trials` times. */
export async function command(trials) {
  const read = reader();
  let wanted = -1;
  let shown;
  const { reactor } = await connected((now, video) => {
    if (wanted >= 0 && read(video) === wanted) {
      wanted = -1;
      shown(now);
    }
  });
  await pause(WARM_UP_MS);
  const took = [];
  for (let trial = 1; trial <= trials; trial += 1) {
    await pause(150 + 200 * Math.random());
    const marker = 1 + (trial % 255);
    const seen = new Promise((done) => (shown = done));
    const began = performance.now();
    wanted = marker;
    reactor.sendCommand("set_marker", { marker });
    took.push((await within(seen, "picture of a command")) - began);
  }
  await reactor.disconnect();
  return took;
}
