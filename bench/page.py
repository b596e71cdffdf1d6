"""What does the web page cost with very many groups, and what do pushes feel of it?

One worker, so that the page and the pushes meet in the same process; pushes go on at a steady rate, each timed, before
and while pages are asked for. The first page is asked for twice: whatever a worker puts off until then is in the first.

    .venv/bin/python bench/page.py [GROUPS [PUSHES_PER_SECOND]]
"""

import asyncio
import http.client
import sys
import time
from typing import NamedTuple
from urllib.parse import quote

from lab import Lab
from payload import body

CONNECTIONS = 16
BEFORE_SECONDS = 10.0
PATHS = {
    "first page, the worker's first": "/",
    "first page": "/",
    "search for words": "/?q=" + quote("runner-77 latency"),
    "search by a selector": "/?q=" + quote('bench_latency_seconds{instance=~"runner-7.*7",job!="job-1"}'),
    "failed groups": "/?show=failed",
    "largest first": "/?sort=size",
    "oldest first, page 1000": "/?sort=-age&page=1000",
    "by name, the last page": "/?page=999999",
}


class Asked(NamedTuple):
    """One page: how long it took, how large it was, and the longest push meanwhile."""

    seconds: float
    size: int
    longest_push: float


def path_of(number: int) -> str:
    """Where a group is pushed."""
    return f"/metrics/job/job-{number % 100}/instance/runner-{number}"


async def push(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, pushed: bytes) -> float:
    """Push once; the seconds until the answer."""
    began = time.perf_counter()
    head = f"PUT {path_of(number)} HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(pushed)}\r\n\r\n"
    writer.write(head.encode() + pushed)
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in answer.partition(b"\r\n")[0]:
        sys.exit(f"push {number} was answered with {answer!r}")
    return time.perf_counter() - began


async def load(port: int, groups: int) -> None:
    """Push all groups, over several connections."""
    pushed = body()

    async def some(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in range(first, groups, CONNECTIONS):
            await push(reader, writer, number, pushed)
        writer.close()

    await asyncio.gather(*map(some, range(CONNECTIONS)))


async def push_steadily(port: int, groups: int, rate: float, took: list[float]) -> None:
    """Push at a steady rate, each push on time even if the one before is late, and note how long each took."""
    pushed = body()
    free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    due, number = time.perf_counter(), 0
    running: set[asyncio.Task[None]] = set()

    async def one(number: int, due: float) -> None:
        connection = free.pop()
        await push(*connection, number % groups, pushed)
        took.append(time.perf_counter() - due)
        free.append(connection)

    while True:
        number += 7919  # not in order
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if free:
            task = asyncio.create_task(one(number, max(due, time.perf_counter() - 0.001)))
            running.add(task)
            task.add_done_callback(running.discard)


def ask(port: int, path: str) -> int:
    """Ask for a page, uncompressed; its size."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    read = answer.read()
    if answer.status != 200:
        sys.exit(f"{path} was answered with {answer.status}: {read[:200]!r}")
    connection.close()
    return len(read)


async def measure(port: int, groups: int, rate: float) -> None:
    """Print the table."""
    await load(port, groups)
    ask(port, "/metrics")
    took: list[float] = []
    pushing = asyncio.create_task(push_steadily(port, groups, rate, took))
    await asyncio.sleep(BEFORE_SECONDS)
    print(f"{groups:,} groups, {rate:g} pushes/s; before: longest push {max(took) * 1000:.0f} ms of {len(took)}\n")
    print("| page | time, ms | size, KB | longest push meanwhile, ms |\n|---|---|---|---|")
    for name, path in PATHS.items():
        took.clear()
        began = time.perf_counter()
        size = await asyncio.to_thread(ask, port, path)
        seconds = time.perf_counter() - began
        await asyncio.sleep(0.3)  # for pushes that began meanwhile
        print(f"| {name} | {seconds * 1000:.0f} | {size / 1000:.0f} | {max(took) * 1000:.0f} |", flush=True)
        await asyncio.sleep(1)
    pushing.cancel()


def main(groups: int, rate: float) -> None:
    """Start a gateway and measure."""
    with Lab().pgw(workers=1) as server:
        asyncio.run(measure(server.port, groups, rate))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, float(sys.argv[2]) if len(sys.argv) > 2 else 100.0)
