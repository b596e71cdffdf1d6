"""Hostile requests, many at a time, to a gateway that runs; and is it still well? `make fuzz` sends a million.

In: how many requests, and a seed.
Out: how many were answered with each status.
Never: stops at a refusal; harm is a 5xx, no answer, a lost worker, or a scrape that is not valid.
"""

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from client import HOST
from hostile import Hostile, Request
from servers import Program, Server, pgw_command, unused_port

CONNECTIONS = 32
"""More than the workers can serve at once, so that pushes meet in batches."""
PART = 50_000
"""Requests between two looks at the page."""
PATIENCE = 20
"""Seconds for one answer, on a machine that does other things too."""


class Storm:
    """Many clients of one gateway."""

    def __init__(self, port: int, requests: Iterator[Request]) -> None:
        self._port = port
        self._requests = requests
        self.statuses: Counter[int] = Counter()
        self.harm: list[tuple[int, Request]] = []

    async def run(self) -> None:
        """Send all requests."""
        await asyncio.gather(*(self._client() for _ in range(CONNECTIONS)))

    async def _client(self) -> None:
        connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        for request in self._requests:
            if connection is None:
                connection = await asyncio.open_connection(HOST, self._port)
            status, stays_open = await _ask(request, *connection)
            self.statuses[status] += 1
            if not 200 <= status < 500:
                self.harm.append((status, request))
            if not stays_open:
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()


async def _ask(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bool]:
    """Send a request; returns the status, 0 without an answer, and whether the connection can be used again."""
    writer.write(request.encoded())
    try:
        async with asyncio.timeout(PATIENCE):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if request.method != "HEAD":
                await _skip_body(head, reader)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        return 0, False
    return int(head.split(b" ", 2)[1]), b"connection: close" not in head


async def _skip_body(head: bytes, reader: asyncio.StreamReader) -> None:
    if b"transfer-encoding: chunked" not in head:
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0))
        return
    while (size := int((await reader.readline()).strip(), 16)) > 0:
        await reader.readexactly(size + 2)
    await reader.readline()


def storm(server: Server, number: int, seed: int) -> Counter[int]:
    """Send so many requests; returns how many were answered with each status.

    Raises:
        AssertionError: the gateway was harmed.
    """
    workers = set(server.program.workers())  # those that are up so far: one is enough to be ready
    sent = Storm(server.port, islice(Hostile(seed).requests(), number))
    asyncio.run(sent.run())

    assert sent.harm == [], f"seed {seed}: {sent.harm[:3]}"
    assert workers <= set(server.program.workers()), "a worker was lost"
    assert server.get("/api/v1/metrics").status == 200
    assert server.scrape().families  # which reads it strictly
    return sent.statuses


def main(number: int, seed: int) -> None:
    """Start a gateway, send the requests in parts, and say how they were answered."""
    with tempfile.TemporaryDirectory(prefix="pgw-fuzz-") as directory:
        port = unused_port()
        flags = (f"--web.listen-address={HOST}:{port}", f"--storage.path={directory}/storage", "--log.level=error")
        server = Server(Program([*pgw_command(), *flags, "--workers=2"], Path(directory)), port)
        server.start()
        try:
            for first in range(0, number, PART):
                began = time.monotonic()
                statuses = storm(server, min(PART, number - first), seed + first)
                took = time.monotonic() - began
                print(
                    f"{first + statuses.total():,} requests, the last in {took:.0f} s: {dict(sorted(statuses.items()))}"
                )
                sys.stdout.flush()
            server.stop()
        finally:
            server.destroy()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
