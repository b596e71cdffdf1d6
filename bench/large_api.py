"""What does `/api/v1/metrics` of very many groups cost the worker that answers it, and the pushes besides?

One worker, so that every push meets it. A client reads the answer as fast as it comes, another pushes all the time.
Memory is the worker's resident set: with an empty store, with its view loaded, and the most while it answers.

    .venv/bin/python bench/large_api.py [GROUPS]
"""

import http.client
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from peers import body, pgw

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
PATHS = {"JSON": ("/api/v1/metrics", "*/*"), "protobuf": ("/metrics", PROTOBUF)}
LOADERS = 4
MEGABYTE = 1 << 20


def main(groups: int) -> None:
    """Print the table."""
    print("| answer | MB | first byte, ms | whole, s | worker, MB: empty | loaded | most | push, ms: idle | busy |")
    print("|---|---|---|---|---|---|---|---|---|")
    with pgw(workers=1) as port:
        worker = worker_of(port)
        empty = resident(worker)
        with ThreadPoolExecutor(LOADERS) as loaders:
            list(loaders.map(lambda first: push(port, range(first, groups, LOADERS)), range(LOADERS)))
        read(port, "/metrics", "*/*")
        idle = 1000 * longest_push(port, lambda: time.sleep(3))
        for name, asked in PATHS.items():
            loaded, most = resident(worker), Most(worker)
            first, whole, size, longest = read_while_pushing(port, *asked)
            answer = f"{name} | {size / MEGABYTE:,.0f} | {first * 1000:,.0f} | {whole:,.1f}"
            memory = " | ".join(f"{value / MEGABYTE:,.0f}" for value in (empty, loaded, most.stop()))
            print(f"| {answer} | {memory} | {idle:,.1f} | {longest * 1000:,.1f} |", flush=True)


def push(port: int, numbers: range) -> None:
    """Push groups one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in numbers:
        put(connection, number)
    connection.close()


def put(connection: http.client.HTTPConnection, number: int) -> None:
    """One push, or the end."""
    connection.request("PUT", f"/metrics/job/j{number}", body())
    answer = connection.getresponse()
    answer.read()
    if answer.status >= 300:
        sys.exit(f"push {number} was answered with {answer.status}")


def read_while_pushing(port: int, path: str, accept: str) -> tuple[float, float, int, float]:
    """What `read` tells, and the seconds of the longest push meanwhile."""
    answers: list[tuple[float, float, int]] = []
    longest = longest_push(port, lambda: answers.append(read(port, path, accept)))
    return *answers[0], longest


def read(port: int, path: str, accept: str) -> tuple[float, float, int]:
    """Seconds to the first byte and to the last, and the bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Accept": accept})
    answer = connection.getresponse()
    size = len(answer.read(1))
    first = time.perf_counter() - begun
    while part := answer.read(MEGABYTE):
        size += len(part)
    connection.close()
    return first, time.perf_counter() - begun, size


def longest_push(port: int, work: Callable[[], object]) -> float:
    """Seconds of the longest of the pushes made while something else goes on."""
    done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        longest = pool.submit(longest_until, port, done)
        work()
        done.set()
        return longest.result()


def longest_until(port: int, done: threading.Event) -> float:
    """Push a hundred times a second until told to stop."""
    connection, longest = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0.0
    while not done.wait(0.01):
        begun = time.perf_counter()
        put(connection, 0)
        longest = max(longest, time.perf_counter() - begun)
    connection.close()
    return longest


class Most:
    """The most memory that a process holds, looked at fifty times a second."""

    def __init__(self, pid: int) -> None:
        self._done = threading.Event()
        self._most = 0
        self._thread = threading.Thread(target=self._look, args=(pid,))
        self._thread.start()

    def _look(self, pid: int) -> None:
        while not self._done.wait(0.02):
            self._most = max(self._most, resident(pid))

    def stop(self) -> int:
        """Look no longer; the most so far, in bytes."""
        self._done.set()
        self._thread.join()
        return self._most


def resident(pid: int) -> int:
    """The bytes that a process holds in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def worker_of(port: int) -> int:
    """The one worker of the gateway that listens on a port."""
    ours = {}
    for path in Path("/proc").glob("[0-9]*"):
        if f":{port}".encode() in (path / "cmdline").read_bytes():
            ours[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    [worker] = [pid for pid, parent in ours.items() if parent in ours]
    return worker


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["100000"]))
