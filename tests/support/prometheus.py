"""A real Prometheus that scrapes a gateway: Debian's.

In: its configuration.
Out: a running server, and what it answers to a query.
Never: talks to anything but loopback.
"""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from client import HOST
from servers import Program, Server, program_path, unused_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def running_prometheus(directory: Path, config: str) -> Iterator[Server]:
    """A Prometheus with this configuration; it takes five seconds until it begins to scrape."""
    path = program_path("prometheus", "prometheus (Debian)")
    file, port = directory / "prometheus.yml", unused_port()
    file.write_text(config)
    flags = (f"--storage.tsdb.path={directory / 'data'}", f"--config.file={file}")
    server = Server(Program([path, f"--web.listen-address={HOST}:{port}", *flags], directory), port)
    try:
        server.start()
        yield server
        assert server.program.end(signal.SIGTERM) == 0
    finally:
        server.destroy()


def ask(prometheus: Server, expression: str, **parameters: float) -> list[dict[str, Any]]:
    """The rows that a query answers."""
    answer = prometheus.get(f"/api/v1/query?{urlencode({'query': expression, **parameters})}")
    assert answer.status == 200, answer
    rows: list[dict[str, Any]] = json.loads(answer.body)["data"]["result"]
    return rows
