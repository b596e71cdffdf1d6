"""Workers, masters and private Redis servers die by kill -9; nothing acknowledged is lost.

In: real processes, killed while they work.  Out: what a scrape shows after they came back.
Never: expects more than was acknowledged, or less.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from servers import processes, wait_until

if TYPE_CHECKING:
    from servers import Server, StartServer

PUSHERS = 4


class Pusher(threading.Thread):
    """Pushes rising numbers to a group of its own until it is told to stop."""

    def __init__(self, server: Server, name: str, done: threading.Event) -> None:
        super().__init__(name=name)
        self.server = server
        self.done = done
        self.sent = 0
        self.acknowledged = 0
        self.wrong: list[object] = []
        self.unanswered: list[object] = []

    def run(self) -> None:
        """Push; a connection that breaks is what a killed worker looks like."""
        while not self.done.is_set():
            self.sent += 1
            try:
                answer = self.server.post(f"job/j/pusher/{self.name}", f"a {self.sent}\nb {self.sent}\n")
            except http.client.RemoteDisconnected as error:
                self.unanswered.append(error)
                continue
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)  # leaves the processors to the gateway
                continue
            if answer.status == 200:
                self.acknowledged = self.sent
            else:
                self.wrong.append(answer)

    def check(self, lines: list[str]) -> None:
        """The group is whole, and no older than what was acknowledged."""
        found = {name: self._stored(lines, name) for name in "ab"}
        assert found["a"] == found["b"]
        assert self.acknowledged <= found["a"] <= self.sent
        assert self.wrong == []

    def _stored(self, lines: list[str], name: str) -> int:
        start = f'{name}{{instance="",job="j",pusher="{self.name}"}} '
        return next((int(line.removeprefix(start)) for line in lines if line.startswith(start)), 0)


def start_pushers(server: Server, done: threading.Event) -> list[Pusher]:
    """Start some pushers and wait until each had its first answer."""
    pushers = [Pusher(server, str(number), done) for number in range(PUSHERS)]
    for pusher in pushers:
        pusher.start()
    wait_until(lambda: all(pusher.acknowledged for pusher in pushers), "every pusher got an answer")
    return pushers


def test_killed_workers_lose_nothing_acknowledged_and_are_replaced(gateway: StartServer) -> None:
    server = gateway()
    done = threading.Event()
    pushers = start_pushers(server, done)
    try:
        for _ in range(6):
            before = server.program.workers()
            os.kill(before[0], signal.SIGKILL)
            wait_until(
                lambda killed=before[0]: len(now := server.program.workers()) >= 2 and killed not in now,  # type: ignore[misc]
                "the worker is replaced",
            )
            time.sleep(0.1)
    finally:
        done.set()
        for pusher in pushers:
            pusher.join()

    for _ in range(4):
        lines = server.scrape().lines
        for pusher in pushers:
            pusher.check(lines)


def test_a_gateway_stays_ready_while_its_workers_are_replaced(gateway: StartServer) -> None:
    server = gateway("--workers=2")
    for number in range(1_000):  # which a new worker loads while the balancer asks it
        server.post(f"job/j/number/{number}", "a 1\n")
    for _ in range(3):
        before = server.program.workers()
        os.kill(before[0], signal.SIGTERM)
        while not set(server.program.workers()) - set(before):
            assert server.get("/-/ready").status == 200
        assert {server.get("/-/ready").status for _ in range(200)} == {200}


def test_a_killed_gateway_and_its_redis_lose_nothing_acknowledged_a_second_ago(gateway: StartServer) -> None:
    server = gateway()
    done = threading.Event()
    pushers = start_pushers(server, done)
    time.sleep(0.3)
    done.set()
    for pusher in pushers:
        pusher.join()
    time.sleep(1.1)  # the append-only file is synced every second

    for pid in (server.program.pid, *server.redis_pids()):
        os.kill(pid, signal.SIGKILL)
    server.program.kill_session()
    wait_until(lambda: server.redis_pids() == [], "the private Redis is gone")
    server.start()

    lines = server.scrape().lines
    for pusher in pushers:
        pusher.check(lines)


def test_a_killed_master_does_not_keep_a_new_one_from_starting(gateway: StartServer) -> None:
    server = gateway()
    server.post("job/j", "a 1\n")

    workers = server.program.workers()
    assert server.program.end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not {pid for pid, _, _ in processes()} & set(workers), "the workers notice and end")
    server.start()

    assert 'a{instance="",job="j"} 1' in server.scrape().lines
    assert server.post("job/j", "a 2\n").status == 200
    assert len(server.redis_pids()) == 1


def test_a_killed_private_redis_is_started_again_or_ends_the_gateway(gateway: StartServer) -> None:
    server = gateway()
    server.post("job/j", "a 1\n")

    for pid in server.redis_pids():
        os.kill(pid, signal.SIGKILL)

    def is_over_it() -> bool:
        return not server.program.is_running or all(server.status_of("/-/ready") == 200 for _ in range(6))

    time.sleep(0.5)
    wait_until(is_over_it, "the gateway is ready again, or ended so that its supervisor starts it again")
    if not server.program.is_running:
        server.start()
    assert 'a{instance="",job="j"} 1' in server.scrape().lines


def test_a_clean_stop_keeps_all_groups_for_the_next_start(gateway: StartServer) -> None:
    server = gateway()
    for number in range(300):
        server.post(f"job/j/number/{number}", f"a {number}\n")
    server.post("job/refused", "a 1 1000\n")
    before = server.scrape()

    server.stop()
    server.start()

    assert server.scrape().pushed == before.pushed
    times = [family.samples for family in before.families if family.name.startswith("push_")]
    after = [family.samples for family in server.scrape().families if family.name.startswith("push_")]
    assert after == times


def test_requests_that_are_being_served_are_answered_at_a_stop(gateway: StartServer) -> None:
    server = gateway()
    done = threading.Event()
    pushers = start_pushers(server, done)
    try:
        server.stop()
    finally:
        done.set()
        for pusher in pushers:
            pusher.join()
    server.start()

    lines = server.scrape().lines
    for pusher in pushers:
        pusher.check(lines)
        assert pusher.unanswered == []
