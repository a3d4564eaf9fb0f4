"""Viewers over WebRTC, on libwebrtc's bindings. Nothing outside this folder knows which stack is in use."""

from reactor_runtime.transport.webrtc.transport import IceServer, WebRtcSettings, WebRtcTransport

__all__ = ["IceServer", "WebRtcSettings", "WebRtcTransport"]
