"""Pushes that come at a constant rate, whether or not those before them were answered.

In: a port, requests, a rate.
Out: the latency of each push, counted from the moment at which it should have been sent.
Never: waits for a slow server before it means to send the next (coordinated omission): a push that finds all
connections busy waits, and its clock runs.

As a program: python bench/open_loop.py PORT RATE SECONDS pushes ten samples and prints the latencies as JSON.

select, because its timeout is in microseconds; that of epoll, and so of asyncio, is in milliseconds.
"""

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence

from payload import VARIANTS, body
from sender import request

CONNECTIONS = 64
GIVE_UP = 4
"""A run may take so many times as long as it should: a server that cannot keep up never gets done."""


def latencies(port: int, requests: Sequence[bytes], rate: float, seconds: float) -> list[float]:
    """Send so many pushes a second, for so long; their latencies in seconds.

    A push that has no answer when the run is given up counts with what it has waited by then.
    """
    generator = _Generator(port)
    try:
        return generator.run(requests, rate, max(1, round(rate * seconds)), seconds * GIVE_UP + 1)
    finally:
        generator.close()


def pushes() -> list[bytes]:
    """Pushes of ten samples into the first group of the bench: the same series with other values."""
    return [request("PUT", "/metrics/job/j0", body(10, variant)) for variant in range(VARIANTS)]


class _Generator:
    def __init__(self, port: int) -> None:
        self._idle = deque(socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS))
        """They take turns, so that all workers get some."""
        for each in self._idle:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._busy: dict[socket.socket, float] = {}
        """The connections that wait for an answer, and when their push should have been sent."""
        self._found: list[float] = []

    def run(self, requests: Sequence[bytes], rate: float, total: int, patience: float) -> list[float]:
        """Send all and wait for the answers."""
        begun, due = time.perf_counter(), 0
        waiting: deque[float] = deque()
        while len(self._found) < total and (now := time.perf_counter()) - begun < patience:
            while due < total and begun + due / rate <= now:
                waiting.append(begun + due / rate)
                due += 1
            while waiting and self._idle:
                self._send(requests[due % len(requests)], waiting.popleft())
            next_at = begun + due / rate if due < total else now + 1
            self._receive(max(0.0, next_at - time.perf_counter()))
        now = time.perf_counter()
        unanswered = [*self._busy.values(), *waiting, *(begun + number / rate for number in range(due, total))]
        return self._found + [max(0.0, now - intended) for intended in unanswered]

    def close(self) -> None:
        """Hang up."""
        for each in (*self._idle, *self._busy):
            each.close()

    def _send(self, request: bytes, intended: float) -> None:
        connection = self._idle.popleft()
        connection.sendall(request)
        self._busy[connection] = intended

    def _receive(self, timeout: float) -> None:
        readable, _, _ = select.select(self._busy, [], [], timeout)
        for connection in readable:
            answer = connection.recv(1 << 16)
            if not answer.startswith(b"HTTP/1.1 2") or not answer.endswith(b"\r\n\r\n"):
                sys.exit(f"a push was answered with {answer[:300]!r}")
            self._found.append(time.perf_counter() - self._busy.pop(connection))
            self._idle.append(connection)


if __name__ == "__main__":
    port, rate, seconds = sys.argv[1:]
    print(json.dumps(latencies(int(port), pushes(), float(rate), float(seconds))))
