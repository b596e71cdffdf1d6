"""What the workers of a gateway hold: memory and open files, as Linux counts them.

In: a server.  Out: numbers, of each worker or of the one that has most.
Never: asks the gateway itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers import Server

LOCAL, STATE, INODE = 1, 3, 9
"""Columns of /proc/net/tcp; see proc(5)."""
ESTABLISHED = "01"


def memory_of(server: Server) -> int:
    """Bytes that are resident."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in server.program.workers()]
    return max(pages) * os.sysconf("SC_PAGESIZE")


def files_of(server: Server) -> int:
    """Open files, connections among them."""
    return max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.program.workers())


def clients_of(server: Server) -> list[int]:
    """Connections of clients that each worker has; not the sockets that it listens on, which come and go."""
    clients = _client_sockets(server.port)
    return [sum(each in clients for each in _files(pid)) for pid in server.program.workers()]


def _client_sockets(port: int) -> set[str]:
    """What /proc calls the sockets at our end of the connections that clients made to `port`."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    clients = [row for row in rows if row[LOCAL].endswith(f":{port:04X}") and row[STATE] == ESTABLISHED]
    return {f"socket:[{row[INODE]}]" for row in clients}


def _files(pid: int) -> list[str]:
    files = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files.append(str(each.readlink()))
    return files
