"""Requests leave no reference cycles behind: what waits for the garbage collector makes it stop a worker, and so all
pushes that are on their way, for some milliseconds each time."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from client import HOST
from servers import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from servers import Server, StartServer

REQUESTS = 2_000
"""A dozen objects of each would be found: the collector looks after 10,000."""
PUSH = b"# TYPE a gauge\na 1\nb 2\n"
COUNTS = """
import gc

def note(phase, info):
    if phase == "stop":
        with open({path!r}, "a") as file:
            print(info["collected"], file=file)

gc.callbacks.append(note)
"""
"""Python runs it at its start; gunicorn's master, all workers and their collectors have it then."""


class Watched:
    """A gateway of one worker, and what its garbage collector finds."""

    def __init__(self, server: Server, found: Path) -> None:
        self.server = server
        self._found = found

    def collected(self) -> int:
        """How many objects it has found so far."""
        return sum(map(int, self._found.read_text().split()))

    def ask(self, request_line: str, body: bytes, headers: Mapping[str, str], times: int) -> int:
        """Ask so many times over one connection, as long as it lasts; returns the last status."""
        method, path = request_line.split()
        status = 0
        with closing(http.client.HTTPConnection(HOST, self.server.port)) as connection:
            for _ in range(times):
                connection.request(method, path, body or None, dict(headers))
                answer = connection.getresponse()
                answer.read()
                status = answer.status
        return status


@pytest.fixture
def watched(gateway: StartServer, tmp_path: Path) -> Watched:
    found = tmp_path / "collected"
    found.write_text("")
    (tmp_path / "sitecustomize.py").write_text(COUNTS.format(path=str(found)))
    server = gateway("--workers=1", environ={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert found.read_text(), "the collector is not watched"
    assert server.put("job/j", PUSH).status == 200
    return Watched(server, found)


@pytest.mark.parametrize(
    ("request_line", "body", "headers", "status"),
    [
        pytest.param("PUT /metrics/job/j", PUSH, {}, 200, id="pushes"),
        pytest.param("PUT /metrics/job/j", PUSH, {"Connection": "close"}, 200, id="a connection each"),
        pytest.param("PUT /metrics/job/j", b"a{b} 1\n", {}, 400, id="refused pushes"),
        pytest.param("PUT /metrics/job/k", b"# TYPE a counter\na 1\n", {}, 400, id="clashes"),
        pytest.param("GET /metrics", b"", {}, 200, id="scrapes"),
        pytest.param("GET /api/v1/metrics", b"", {}, 200, id="the API"),
    ],
)
def test_the_garbage_collector_finds_nothing_of(
    watched: Watched, request_line: str, body: bytes, headers: Mapping[str, str], status: int
) -> None:
    before = watched.collected()
    assert watched.ask(request_line, body, headers, REQUESTS) == status
    assert watched.collected() - before < REQUESTS
