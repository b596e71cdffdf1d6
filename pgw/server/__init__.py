"""The server: gunicorn, set up from Settings. See application.py for what starts it.

Lives in two kinds of processes: the master, which owns the listening sockets and the private Redis, and the workers,
which are forks of it. What the master must undo at its end therefore looks at the process id first.
"""

from pgw.server.application import Application, configuration, options, run, share_metrics
from pgw.server.sockets import bind

__all__ = ["Application", "bind", "configuration", "options", "run", "share_metrics"]
