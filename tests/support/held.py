"""What the workers of a gateway hold: memory and open files, as Linux counts them.

In: a server.  Out: numbers, of each worker or of the one that has most.
Never: asks the gateway itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from servers import Server


def memory_of(server: Server) -> int:
    """Bytes that are resident."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in server.program.workers()]
    return max(pages) * os.sysconf("SC_PAGESIZE")


def files_of(server: Server) -> int:
    """Open files, connections among them."""
    return max(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in server.program.workers())


def sockets_of(server: Server) -> list[int]:
    """Open sockets of each worker, connections to Redis among them."""
    return [_sockets(pid) for pid in server.program.workers()]


def _sockets(pid: int) -> int:
    return sum(str(each.readlink()).startswith("socket:") for each in Path(f"/proc/{pid}/fd").iterdir())
