"""What the workers of a gateway hold: memory and open files, as Linux counts them.

In: a server.  Out: numbers, those of the worker that has most.
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
