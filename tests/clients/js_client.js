// What a person does with a published JavaScript client, in a page. `play` gives what came of it.

const DEADLINE_MS = 60_000;

async function until(holds, what) {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const value = holds();
    if (value) return value;
    if (performance.now() > deadline) throw new Error(`no ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** A video element that plays a track; `frames` counts what it has presented, `luma` is the brightness of its middle. */
function watch(track) {
  const video = document.body.appendChild(document.createElement("video"));
  Object.assign(video, { muted: true, autoplay: true, playsInline: true, srcObject: new MediaStream([track]) });
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const seen = { frames: 0, luma: -1 };
  const presented = () => {
    seen.frames += 1;
    context.drawImage(video, 0, 0, 1, 1);
    seen.luma = context.getImageData(0, 0, 1, 1).data[1];
    video.requestVideoFrameCallback(presented);
  };
  video.requestVideoFrameCallback(presented);
  return seen;
}

/** A camera that shows one colour, from its first picture on. */
function camera(red, green, blue) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
  const context = canvas.getContext("2d");
  let step = 0;
  const draw = () => {
    context.fillStyle = `rgb(${red} ${green} ${blue})`;
    context.fillRect(0, 0, 320, 240);
    context.fillRect(step++ % 2, 0, 1, 1);
  };
  draw();
  setInterval(draw, 33);
  return canvas.captureStream(30).getVideoTracks()[0];
}

export async function play({ sdk, release, file, colour }) {
  const { Reactor } = await import(sdk);
  const named = release !== "2.2.1";
  const messages = [];
  const tracks = [];
  const told = (type) =>
    until(() => messages.find((message) => message?.type === type), `${type} in ${JSON.stringify(messages)}`);
  const reactor = new Reactor({ modelName: "everything", local: true });
  reactor.on(named ? "message" : "newMessage", (message) => messages.push(message));
  if (named) reactor.on("trackReceived", (name, track) => tracks.push(track));
  else reactor.on("streamChanged", (track) => tracks.push(track));
  await reactor.connect();
  await until(() => reactor.getStatus() === "ready", "connection");
  const picture = watch(await until(() => tracks.find((track) => track.kind === "video"), "video track"));
  const found = { messages };
  await until(() => picture.frames > 20, "frames");
  const sounds = () => tracks.some((track) => track.kind === "audio" && !track.muted);
  if (named) found.audio = await until(sounds, "sound");
  found.greeting = (await told("greeting")).data;
  await reactor.sendCommand("flip", { marker: 41 });
  found.reply = await told("flipped");
  await reactor.sendCommand("set_brightness", { brightness: 0.5 });
  await until(() => picture.luma >= 0 && picture.luma < 70, "dimmed frames");
  await reactor.sendCommand("set_brightness", { brightness: 99 }); // Refused, and no reason to fall over.
  await reactor.sendCommand("announce", { text: "hello" });
  found.announced = (await told("announced")).data;
  if (named) {
    const ref = await reactor.uploadFile(new File([new Uint8Array(file)], "a.bin"));
    await reactor.sendCommand("look", { file: ref });
    found.upload = (await told("looked")).data;
    await reactor.publishTrack("webcam", camera(...colour));
  } else {
    await reactor.publishTrack(camera(...colour));
  }
  found.camera = (await told("saw_camera")).data;
  await reactor.disconnect(true); // To come back.
  tracks.length = 0;
  await reactor.reconnect();
  await until(() => reactor.getStatus() === "ready", "connection again");
  const again = watch(await until(() => tracks.find((track) => track.kind === "video"), "video track again"));
  await until(() => again.frames > 5, "frames again");
  const before = messages.length;
  await reactor.sendCommand("flip", { marker: 42 });
  found.again = await until(() => messages.slice(before).find((message) => message?.type === "flipped"), "reply again");
  await reactor.disconnect();
  return found;
}
