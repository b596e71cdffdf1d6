"""What do the answers that hold all groups cost the worker that gives them, and the pushes besides?

`/api/v1/metrics` and the protobuf scrape of very many groups. One worker, so that every push meets it. A client reads
the answer as fast as it comes, others push a hundred times a second (open loop). Memory is the worker's resident set:
with an empty store, with its view loaded, and the most while it answers.

    python bench/large_api.py [smoke|quick|full]
"""

import http.client
import threading
import time
from typing import NamedTuple

from lab import Lab, Server, fill
from processes import resident
from question import Findings, Plot, Question, Size
from scrape_million import longest_push, pushing

PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
PATHS = {"JSON": ("/api/v1/metrics", "*/*"), "protobuf": ("/metrics", PROTOBUF)}
MEGABYTE = 1 << 20
COLUMNS = (
    "answer",
    "MB",
    "first byte, ms",
    "whole, s",
    "worker, MB: empty",
    "loaded",
    "most",
    "longest push, ms: idle",
    "meanwhile",
)


class Plan(NamedTuple):
    """How much of it."""

    groups: int
    seconds: float
    """Of pushes, which an answer comes into; and of pushes without."""


class Answer(NamedTuple):
    """How one answer came."""

    first: float
    whole: float
    size: int


def measure(lab: Lab, plan: Plan) -> Findings:
    """Ask for each."""
    rows, figures = [], {}
    with lab.pgw(workers=1) as server:
        [worker] = server.fronts()
        empty = resident(worker)
        fill(server, plan.groups)
        read(server, "/metrics", "*/*")
        idle = longest_push(server, plan.seconds)
        for name, (path, accept) in PATHS.items():
            loaded, most = resident(worker), Most(worker)
            longest: list[float] = []
            with pushing(server, plan.seconds, longest):
                answer = read(server, path, accept)
            memory = [empty, loaded, most.stop()]
            figures[name] = answer._asdict() | {"memory": memory, "idle": idle, "meanwhile": longest}
            rows.append(row_of(name, answer, memory, (idle, *longest)))
    bars = {
        f"{name}: {what}": 1000 * seconds
        for name, each in figures.items()
        for what, seconds in (("idle", idle), ("meanwhile", each["meanwhile"][0]))
    }
    return Findings(COLUMNS, rows, Plot("", "milliseconds of the longest push", bars=bars), figures)


def row_of(name: str, answer: Answer, memory: list[int], pushes: tuple[float, ...]) -> list[str]:
    """One row."""
    return [
        name,
        f"{answer.size / MEGABYTE:,.1f}",
        f"{answer.first * 1000:,.0f}",
        f"{answer.whole:,.2f}",
        *(f"{value / MEGABYTE:,.0f}" for value in memory),
        *(f"{value * 1000:,.1f}" for value in pushes),
    ]


def read(server: Server, path: str, accept: str) -> Answer:
    """Read an answer whole."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Accept": accept})
    answer = connection.getresponse()
    size = len(answer.read(1))
    first = time.perf_counter() - begun
    while part := answer.read(MEGABYTE):
        size += len(part)
    connection.close()
    return Answer(first, time.perf_counter() - begun, size)


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


QUESTION = Question(
    "large_api",
    "Answers that hold all groups: memory of the worker, and the longest push meanwhile",
    {Size.SMOKE: Plan(20, 0.1), Size.QUICK: Plan(10_000, 5), Size.FULL: Plan(100_000, 60)},
    measure,
)

if __name__ == "__main__":
    QUESTION.run()
