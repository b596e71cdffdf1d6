"""Groups that expire, on two replicas with two workers each that share a Redis.

In: pushes with a time to live, to either.  Out: scrapes of both, beside the clock of Redis.
Never: relies on who removes what has expired, or when.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
import redis
from servers import wait_until

if TYPE_CHECKING:
    from client import Client
    from servers import RedisServer, Server, StartServer

TTL = "X-Pushgateway-TTL"
COUNTER = "pgw_expired_groups_total"


@pytest.fixture
def replicas(gateway: StartServer, redis_server: RedisServer) -> tuple[Server, Server]:
    """Two gateways that share a Redis."""
    flags = (f"--redis.url={redis_server.url}", "--push.ttl-linger=1h", '--push.ttl-rule={job=~"short-.*"}=400ms')
    return gateway(*flags), gateway(*flags)


def groups(server: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(server.get("/api/v1/metrics").text)["data"]
    return found


def deadline(server: Client, job: str) -> float:
    [moment] = [each["expires_at"] for each in groups(server) if each["labels"]["job"] == job]
    return datetime.fromisoformat(moment).timestamp()


def test_no_worker_of_any_replica_shows_a_group_from_its_deadline_on(
    replicas: tuple[Server, Server], redis_server: RedisServer
) -> None:
    clock = redis.Redis.from_url(redis_server.url)
    for number in range(100):
        replicas[number % 2].post(f"job/lasting/n/{number}", f"lasting {number}\n")
    wrong: list[str] = []
    seen: set[str] = set()

    def watch(job: str, server: Server, moment: float) -> None:
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            seconds, microseconds = clock.time()
            shown = f'job="{job}"}} 1' in "".join(server.scrape().family("lasting").samples)
            if shown:
                seen.add(job)
            if shown and seconds + microseconds / 1e6 >= moment:
                wrong.append(job)

    for number in range(3):
        job = f"short-{number}"
        assert replicas[number % 2].post(f"job/{job}", "lasting 1\n").status == 200
        moment = deadline(replicas[0], job)
        threads = [threading.Thread(target=watch, args=(job, server, moment)) for server in replicas * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert seen, "none was ever shown, so nothing was shown to expire"
    for server in replicas * 4:
        page = server.scrape()
        assert len(page.family("lasting").samples) == 100
        assert len(page.family("push_expired_time_seconds").samples) == 3
        assert len(page.family("push_time_seconds").samples) == 103


def test_expirations_are_counted_once_for_all_replicas(replicas: tuple[Server, Server]) -> None:
    for number in range(60):
        replicas[number % 2].put(f"job/j/n/{number}", f"a {number}\n", {TTL: "1ms"})

    def is_counted() -> bool:
        return all(f"{COUNTER} 60\n" in server.get("/metrics").text for server in replicas * 3)

    wait_until(is_counted, "60 expirations are counted on all replicas")
    time.sleep(1.5)  # another sweep of each worker
    assert is_counted()


def test_what_has_expired_is_in_nobodys_way(replicas: tuple[Server, Server]) -> None:
    one, two = replicas
    for number in range(20):
        assert one.post(f"job/old/n/{number}", f"# TYPE x{number} counter\nx{number} 1\n", {TTL: "1us"}).status == 200
        assert two.post("job/new", f"# TYPE x{number} gauge\nx{number} 2\n").status == 200
        assert one.post(f"job/old/n/{number}", f"# TYPE x{number} counter\nx{number} 1\n").status == 400
        assert f'x{number}{{instance="",job="new"}} 2' in two.scrape().lines


def test_each_push_renews_and_deleting_ends_it(replicas: tuple[Server, Server]) -> None:
    one, two = replicas
    one.post("job/j", "a 1\n", {TTL: "1h"})
    first = deadline(two, "j")
    two.post("job/j", "a 1 1\n", {TTL: "2h"})
    assert deadline(one, "j") == first
    two.post("job/j", "a 1\n", {TTL: "2h"})
    assert deadline(one, "j") > first + 3500
    assert two.post("job/j", "a 1\n", {TTL: "ever"}).status == 400
    one.delete("job/j")
    two.post("job/j", "a 1\n")
    [group] = groups(one)
    assert "expires_at" not in group
