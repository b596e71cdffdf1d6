"""Redis stops, hangs, forgets its scripts or loses its data while the gateway runs.

In: a Redis of the test's own, passed by --redis.url.  Out: what clients are told meanwhile, and that all recovers.
Never: restarts the gateway.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from meanwhile import meanwhile
from redis import Redis
from servers import Program, pgw_command, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from client import Answer
    from servers import RedisServer, Server, StartServer

ONE = 'a{instance="",job="j"} 1'
TWO = 'a{instance="",job="j"} 2'
CLIENT_SECONDS = 20.0
"""Far more than --redis.timeout=500ms, so that a client that times out means a request that hangs."""


@pytest.fixture
def server(gateway: StartServer, own_redis: RedisServer) -> Server:
    """A gateway on the test's own Redis that waits for it half a second at most, with one push stored."""
    server = gateway(f"--redis.url={own_redis.tcp_url}", "--redis.timeout=500ms")
    server.timeout = CLIENT_SECONDS
    assert server.post("job/j", "a 1\n").status == 200
    return server


def assert_away(answer: Answer) -> None:
    """The client is asked to come again."""
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.endswith("\n")
    assert "Traceback" not in answer.text


def assert_all_away(server: Server) -> None:
    """Alive, but not ready, and nothing that needs Redis is served, in either worker."""
    for _ in range(2):
        assert server.get("/-/healthy").status == 200
        assert_away(server.post("job/j", "a 2\n"))
        assert_away(server.get("/metrics"))
        assert server.get("/-/ready").status == 503
    assert_away(server.put("job/j", "a 2\n"))
    assert_away(server.delete("job/j"))
    assert server.post("job/j", "not a metric\n").status == 400


def wait_until_served(server: Server) -> None:
    """Every worker is ready again: ten answers in a row."""
    wait_until(lambda: all(server.status_of("/-/ready") == 200 for _ in range(10)), "the gateway is ready again")


def assert_recovered(server: Server) -> None:
    """Pushes and scrapes are served by every worker."""
    for number in range(10):
        assert server.post("job/after", f"b {number}\n").status == 200
        assert f'b{{instance="",job="after"}} {number}' in server.scrape().lines


def test_a_stopped_redis_is_told_and_all_recovers_when_it_is_back(server: Server, own_redis: RedisServer) -> None:
    assert ONE in server.scrape().lines

    own_redis.program.end()
    assert_all_away(server)
    own_redis.start()
    wait_until_served(server)

    assert ONE in server.scrape().lines
    assert_recovered(server)


def test_a_killed_redis_loses_nothing_acknowledged(server: Server, own_redis: RedisServer) -> None:
    for number in range(200):
        assert server.post(f"job/j/number/{number}", f"a {number}\n").status == 200

    own_redis.program.end(signal.SIGKILL)
    assert_all_away(server)
    own_redis.start()
    wait_until_served(server)

    expected = {f'a{{instance="",job="j",number="{number}"}} {number}' for number in range(200)}
    assert expected <= set(server.scrape().lines)
    assert_recovered(server)


def test_a_hanging_redis_does_not_hang_clients(server: Server, own_redis: RedisServer) -> None:
    own_redis.program.send(signal.SIGSTOP)
    try:
        assert_all_away(server)
    finally:
        own_redis.program.send(signal.SIGCONT)
    wait_until_served(server)

    # What was answered 503 may have been applied when Redis woke up; nobody could know.
    assert {ONE, TWO} & set(server.scrape().lines) or not server.scrape().groups()
    assert_recovered(server)


def test_many_clients_at_once_are_all_answered_while_redis_hangs(server: Server, own_redis: RedisServer) -> None:
    answers: list[int] = []
    own_redis.program.send(signal.SIGSTOP)
    try:
        threads = [
            threading.Thread(target=lambda n=n: answers.append(server.post(f"job/j/n/{n}", "a 1\n").status))
            for n in range(60)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(CLIENT_SECONDS * 2)
    finally:
        own_redis.program.send(signal.SIGCONT)

    assert answers == [503] * 60
    wait_until_served(server)
    assert_recovered(server)


def test_scripts_that_redis_forgot_are_sent_again(server: Server, own_redis: RedisServer) -> None:
    def forget(done: threading.Event) -> None:
        while not done.is_set():
            assert own_redis.command("SCRIPT", "FLUSH") == b"+OK"
            time.sleep(0.005)

    with meanwhile(forget):
        for number in range(300):
            assert server.post("job/j", f"a {number}\n").status == 200
            assert f'a{{instance="",job="j"}} {number}' in server.scrape().lines


def test_an_emptied_redis_is_served_as_empty(server: Server, own_redis: RedisServer) -> None:
    assert ONE in server.scrape().lines

    assert own_redis.command("FLUSHALL") == b"+OK"

    for _ in range(6):
        assert server.scrape().groups() == set()
    assert_recovered(server)


def test_connections_that_redis_closed_are_opened_again(server: Server, own_redis: RedisServer) -> None:
    for number in range(20):
        own_redis.command("CLIENT", "KILL", "TYPE", "normal")
        wait_until(lambda n=number: server.post("job/j", f"a {n}\n").status == 200, "a push is accepted")  # type: ignore[misc]
        assert f'a{{instance="",job="j"}} {number}' in server.scrape().lines


def test_a_full_redis_refuses_pushes_but_serves_scrapes_and_deletes(server: Server, own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "maxmemory", "1")

    refused = server.post("job/k", "b 1\n")
    scraped = server.scrape().lines
    deleted = server.delete("job/j")
    after_delete = server.scrape().groups()
    own_redis.command("CONFIG", "SET", "maxmemory", "0")

    assert_away(refused)
    assert ONE in scraped
    assert (deleted.status, after_delete) == (202, set())
    assert_recovered(server)


def test_a_gateway_that_starts_before_redis_becomes_ready_when_it_is_there(
    gateway: StartServer, own_redis: RedisServer
) -> None:
    server = gateway(f"--redis.url={own_redis.tcp_url}", "--redis.timeout=1s")
    server.program.end()
    own_redis.program.end()

    server.program.start()
    wait_until(lambda: server.status_of("/-/healthy") == 200, "the gateway is alive without Redis")
    assert server.get("/-/ready").status == 503
    own_redis.start()
    wait_until_served(server)

    assert_recovered(server)


@pytest.mark.parametrize("user", ["", ":wrong@", "nobody:secret@"])
def test_a_gateway_that_redis_does_not_let_in_ends_at_once_with_a_sentence(
    tmp_path: Path, own_redis: RedisServer, user: str
) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "secret")
    url = own_redis.tcp_url.replace("://", f"://{user}")
    program = Program([*pgw_command(), f"--redis.url={url}", "--web.listen-address=127.0.0.1:0"], tmp_path)

    program.start()

    assert program.wait() == 2
    [line] = program.log.splitlines()
    assert "--redis.url" in line
    assert "does not let pgw in" in line
    assert "wrong" not in line
    assert "secret" not in line


def test_a_password_that_is_changed_later_is_told_and_recovers(server: Server, own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "new")
    with Redis(port=own_redis.port, password="new") as operator:
        operator.client_kill_filter(_type="normal")
        assert_all_away(server)
        operator.config_set("requirepass", "")
    wait_until_served(server)
    assert_recovered(server)


def test_a_redis_that_went_back_in_time_is_served_as_it_is_now(server: Server, own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "appendonly", "no")
    own_redis.program.command = [*own_redis.program.command[:-1], "no"]
    own_redis.command("SAVE")
    server.post("job/j", "a 2\n")
    server.post("job/lost", "b 1\n")
    for _ in range(8):
        assert len(server.scrape().groups()) == 2

    own_redis.program.end(signal.SIGKILL)
    own_redis.start()  # with what was saved: the versions of both pushes will be given once more
    wait_until(lambda: server.post("job/new", "c 1\n").status == 200, "a push is accepted")
    assert server.post("job/newer", "d 1\n").status == 200

    expected = {ONE, 'c{instance="",job="new"} 1', 'd{instance="",job="newer"} 1'}
    for _ in range(8):
        lines = [line for family in server.scrape().pushed for line in family.samples]
        assert {line for line in lines if not line.startswith("push_")} == expected
