/** The viewer's camera, for a video input of the model: a preview beside the button. */

import { Device } from "./device.js";
import { h } from "./dom.js";

const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

export class Camera extends Device {
  constructor(name, changed) {
    const preview = h("video", { class: "camera-preview", autoplay: true, playsinline: true, "aria-label": "Your camera", hidden: true });
    preview.muted = true;
    super(name, changed, { noun: "camera", kind: "videoinput", constraints: PICTURE, shared: () => "The model sees this.", extras: [preview] });
    this.preview = preview;
  }

  started(stream) {
    this.preview.srcObject = stream;
    this.preview.hidden = false;
    this.preview.toggleAttribute("data-mirrored", this.track.getSettings().facingMode !== "environment");
  }

  stopped() {
    this.preview.srcObject = null;
    this.preview.hidden = true;
  }
}
