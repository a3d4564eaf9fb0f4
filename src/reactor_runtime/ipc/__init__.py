"""How the processes of one service hold on to each other. Standard library alone: the supervisor lives on this."""

from reactor_runtime.ipc.channel import Channel, ChannelClosed, ChannelFull
from reactor_runtime.ipc.control import BEAT_S, Control, ControlMessage, control_channel

__all__ = ["BEAT_S", "Channel", "ChannelClosed", "ChannelFull", "Control", "ControlMessage", "control_channel"]
