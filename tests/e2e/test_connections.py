"""How connections come in: all at once, more than a queue of the usual length holds, and to all workers."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from client import HOST
from held import clients_of
from servers import wait_until

if TYPE_CHECKING:
    from servers import Server, StartServer

CLIENTS = 60
"""That keep their connections; on two workers."""
LEAST = 10
"""Of them on each worker: by the rule it would be 24, but for what was accepted while a worker stepped aside."""
AT_ONCE = 400
"""More than the 100 that asyncio lets wait, and than the 128 of older kernels."""
SOON = 0.9
"""Seconds. A client whose first packet is dropped, because the queue is full, sends it again after one."""
PUSH = b"POST /metrics/job/j/client/%d HTTP/1.1\r\nHost: gateway\r\nContent-Length: 4\r\n\r\na 1\n"


@pytest.fixture
def server(gateway: StartServer) -> Server:
    """A gateway with two workers, both of which serve."""
    server = gateway("--workers=2", "--log.level=debug")
    wait_until(lambda: server.program.log.count("accepts connections") == 2, "both workers serve")
    return server


def test_clients_that_come_at_once_and_stay_are_shared_by_the_workers(server: Server) -> None:
    with ExitStack() as clients:
        staying = [clients.enter_context(socket.create_connection((HOST, server.port))) for _ in range(CLIENTS)]
        for number, client in enumerate(staying):
            client.sendall(PUSH % number)
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        shares = clients_of(server)
    assert sum(shares) == CLIENTS
    assert min(shares) >= LEAST, shares


def test_jobs_that_come_all_at_once_are_let_in_though_no_worker_has_time(server: Server) -> None:
    workers = server.program.workers()
    with ExitStack() as clients:
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            address = HOST, server.port
            jobs = [clients.enter_context(socket.create_connection(address, timeout=SOON)) for _ in range(AT_ONCE)]
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
        for number, job in enumerate(jobs):
            job.settimeout(30)
            job.sendall(PUSH % number)
        assert {job.recv(100)[:12] for job in jobs} == {b"HTTP/1.1 200"}
    assert len([line for line in server.scrape().lines if line.startswith("a{")]) == AT_ONCE
