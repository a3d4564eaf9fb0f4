"""The parent of the service's processes: it starts them, watches them, and starts them again."""

from reactor_runtime.supervisor.listener import ListenError, listen
from reactor_runtime.supervisor.supervisor import Commands, Supervisor

__all__ = ["Commands", "ListenError", "Supervisor", "listen"]
