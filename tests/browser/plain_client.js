// A viewer in a few lines, as a page of one's own has it: makes `window.viewer`, with `codec` as the only one it takes.
async ({ track, codec }) => {
  const base = "/sessions/local/transport/webrtc/connections";
  const call = async (method, path, body) => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  };
  await call("POST", "/start_session");
  const id = (await call("POST", base, {})).body.connection_id;

  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel("data");
  const transceiver = peer.addTransceiver("video", { direction: "recvonly" });
  if (codec) {
    const known = RTCRtpReceiver.getCapabilities("video").codecs;
    transceiver.setCodecPreferences(known.filter(({ mimeType }) => mimeType === `video/${codec}`));
  }
  const video = document.createElement("video");
  Object.assign(video, { muted: true, autoplay: true });
  video.dataset.track = track;
  document.body.append(video);
  peer.ontrack = event => (video.srcObject = new MediaStream([event.track]));
  peer.onicecandidate = ({ candidate: found }) => {
    const candidate = found?.candidate ?? "";
    const place = { sdp_mid: found?.sdpMid ?? "0", sdp_mline_index: found?.sdpMLineIndex ?? 0 };
    return call("POST", `${base}/${id}/ice_candidates`, { candidates: [{ candidate, ...place }], is_final: !found });
  };

  const negotiate = async method => {
    await peer.setLocalDescription();
    const mapping = [{ mid: transceiver.mid, name: track, kind: "video", direction: "recvonly" }];
    const body = { sdp_offer: peer.localDescription.sdp, track_mapping: mapping };
    const offered = await call(method, `${base}/${id}/sdp_params`, body);
    if (offered.status !== 202) return offered;
    const answered = await call("GET", `${base}/${id}/sdp_params`);
    await peer.setRemoteDescription({ type: "answer", sdp: answered.body.sdp_answer });
    return answered;
  };
  const statistics = async () => {
    const report = await peer.getStats();
    const all = [...report.values()];
    const incoming = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    const transport = all.find(({ type }) => type === "transport");
    return {
      frames: incoming?.framesDecoded ?? 0,
      codec: report.get(incoming?.codecId)?.mimeType,
      ufrag: transport?.iceLocalUsernameFragment,
      states: [peer.connectionState, channel.readyState],
    };
  };
  window.viewer = { peer, channel, negotiate, statistics };
  return (await negotiate("POST")).status;
}
