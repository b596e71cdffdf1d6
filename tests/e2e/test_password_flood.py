"""A flood of wrong passwords while somebody with the right one pushes, over real sockets.

In: eight clients that send ever-new wrong passwords for ten seconds; one that pushes, and scrapes now and then.
Out: what each is answered, and whether the workers are the same and have kept their size.
Never: asserts how long anything takes; the latencies are printed, for a look at them with `pytest -s`.
"""

from __future__ import annotations

import base64
import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import bcrypt
import bombs
import pytest
from client import HOST
from servers import Program, Server, pgw_command, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COST = 10
"""What htpasswd and most guides make hashes with: some 60 ms each."""
ATTACKERS = 8
SECONDS = 10.0
CALM_SECONDS = 2.0
MEGABYTE = 10**6
WORKERS = 2


def login(user: str, password: str) -> dict[str, str]:
    """The header of a login."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


GOOD = login("alice", "wonderland")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    """A gateway that lets alice in, who has been with each worker already."""
    stored = bcrypt.hashpw(b"wonderland", bcrypt.gensalt(COST)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users:\n  alice: {stored}\n")
    port = unused_port()
    words = [f"--web.listen-address={HOST}:{port}", "--storage.path=storage", "--web.config.file=web.yml"]
    server = Server(Program([*pgw_command(), *words, f"--workers={WORKERS}"], tmp_path), port)
    server.program.start()
    try:
        wait_until(lambda: server.status_of("/-/ready") == 401, f"it is up, see {server.program.log_path}")
        wait_until(lambda: len(server.program.workers()) == WORKERS, "all workers are up")
        assert {server.get("/-/ready", GOOD).status for _ in range(10 * WORKERS)} == {200}
        yield server
        server.stop()
    finally:
        server.destroy()


def attack(server: Server, number: int, end: float) -> Counter[int]:
    """Try ever-new passwords, of alice and of users that there are not, wherever one can; how often what came."""
    statuses: Counter[int] = Counter()
    targets = [("PUT", "/metrics/job/j"), ("GET", "/metrics"), ("GET", "/-/ready"), ("GET", "/api/v1/metrics")]
    while time.monotonic() < end:
        tried = statuses.total()
        user = "alice" if tried % 3 else f"user-{number}-{tried}"
        method, path = targets[tried % len(targets)]
        statuses[server.request(method, path, b"", login(user, f"wrong-{number}-{tried}")).status] += 1
    return statuses


def push(server: Server, end: float, name: str) -> list[float]:
    """Push one after the other, and scrape after every hundredth; how long the pushes took, in seconds."""
    took: list[float] = []
    while time.monotonic() < end:
        began = time.monotonic()
        answer = server.post("job/j", f"{name} {len(took)}\n", GOOD)
        took.append(time.monotonic() - began)
        assert answer.status == 200, answer
        if len(took) % 100 == 0:
            assert f'{name}{{instance="",job="j"}} {len(took) - 1}\n' in server.get("/metrics", GOOD).text
    return took


def test_a_flood_of_wrong_passwords_keeps_nobody_out_and_costs_no_memory(guarded: Server) -> None:
    workers = guarded.program.workers()
    calm = push(guarded, time.monotonic() + CALM_SECONDS, "calm")
    for pid in workers:
        bombs.forget_peak(pid)
    before = sum(map(bombs.peak, workers))

    end = time.monotonic() + SECONDS
    with ThreadPoolExecutor(ATTACKERS) as pool:
        flood = [pool.submit(attack, guarded, number, end) for number in range(ATTACKERS)]
        pushes = push(guarded, end, "a")
        refused = sum((each.result() for each in flood), Counter())

    assert set(refused) <= {401, 503}, refused
    assert refused[401] > 0
    assert guarded.program.workers() == workers
    assert sum(map(bombs.peak, workers)) - before < 40 * WORKERS * MEGABYTE
    assert guarded.get("/-/ready", GOOD).status == 200
    for name, took in (("calm", calm), ("flooded", pushes)):
        ordered = sorted(took)
        print(f"{name}: {len(took)} pushes, median {statistics.median(took) * 1e3:.1f} ms, "
              f"99 % {ordered[len(took) * 99 // 100] * 1e3:.1f} ms, most {ordered[-1] * 1e3:.1f} ms")  # fmt: skip
    print(f"{ATTACKERS} attackers: {dict(refused)}")
