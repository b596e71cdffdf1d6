"""Two gateways, two workers each, on one Redis: one store, seen alike from everywhere.

In: pushes to either.  Out: scrapes of both, each on a fresh connection, so that any worker may answer.
Never: waits between an acknowledged push and a scrape that must show it.
"""

from __future__ import annotations

import itertools
import random
import re
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from pages import Page
from servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import Client
    from servers import RedisServer, Server, StartServer

FAMILIES = 20
WRITERS = 4
PUSHES = 60
SCRAPES = 40
TORN_SAMPLE = re.compile(r'm\d+\{instance="",job="j",writer="(\w+)"\} (\d+)')
COUNTED = re.compile(r'\npushgateway_http_requests_total\{.*handler="(?:push|delete)".*\} (\d+)')
TORN_BODY = "".join(f"# TYPE m{number} gauge\nm{number} %d\n" for number in range(FAMILIES))


@pytest.fixture(scope="module")
def running_replicas(start_for_module: StartServer, redis_process: RedisServer) -> tuple[Server, Server]:
    """Two gateways that share a Redis; ask for `replicas` instead, whose Redis is empty."""
    flags = (f"--redis.url={redis_process.url}", "--redis.prefix=shared")
    return start_for_module(*flags), start_for_module(*flags)


@pytest.fixture
def replicas(running_replicas: tuple[Server, Server], redis_server: RedisServer) -> tuple[Server, Server]:
    """Two gateways without any groups."""
    assert redis_server.command("ZCARD", "{shared:0}:changes") == b":0"  # other keys come back: that they live, counts
    return running_replicas


@pytest.fixture
def new_replicas(gateway: StartServer, redis_server: RedisServer) -> tuple[Server, Server]:
    """Two gateways that have counted nothing yet, and share their counters with no others."""
    flags = (f"--redis.url={redis_server.url}", "--redis.prefix=new")
    return gateway(*flags), gateway(*flags)


def at_once(*calls: Callable[[], int]) -> list[int]:
    """Run calls in threads that start together; their results in order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], int]) -> int:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_a_push_is_seen_at_once_by_every_worker_of_every_replica(replicas: tuple[Server, Server]) -> None:
    for number, (pushed_to, other) in enumerate(itertools.islice(itertools.cycle([replicas, replicas[::-1]]), 40)):
        assert pushed_to.post("job/j", f"a {number}\n").status == 200
        for server in (other, pushed_to) * 4:
            assert f'a{{instance="",job="j"}} {number}' in server.scrape().lines


def test_a_replace_and_a_delete_are_seen_at_once_by_every_worker(replicas: tuple[Server, Server]) -> None:
    one, two = replicas
    for number in range(15):
        assert one.post("job/j", f"a {number}\nb 1\n").status == 200
        assert two.put("job/j", f"b {number}\n").status == 200
        for server in (one, two) * 4:
            assert [family.name for family in server.scrape().pushed][:1] == ["b"]
        assert one.delete("job/j").status == 202
        for server in (two, one) * 4:
            assert server.scrape().groups() == set()


def test_of_two_clashing_types_pushed_at_once_exactly_one_wins(replicas: tuple[Server, Server]) -> None:
    one, two = replicas

    def push(server: Client, number: int, kind: str) -> int:
        return server.post(f"job/{kind}/n/{number}", f"# TYPE x{number} {kind}\nx{number} 1\n").status

    for number in range(40):
        statuses = at_once(lambda n=number: push(one, n, "gauge"), lambda n=number: push(two, n, "counter"))  # type: ignore[misc]
        assert sorted(statuses) == [200, 400]
        winner = "gauge" if statuses[0] == 200 else "counter"
        assert one.scrape().family(f"x{number}").type == winner == two.scrape().family(f"x{number}").type


def test_of_two_groups_that_push_the_same_series_at_once_exactly_one_wins(replicas: tuple[Server, Server]) -> None:
    one, two = replicas
    for number in range(40):
        statuses = at_once(
            lambda n=number: one.post("job/j", f'y{n}{{x="1"}} 1\n').status,  # type: ignore[misc]
            lambda n=number: two.post("job/j/x/1", f"y{n} 2\n").status,  # type: ignore[misc]
        )
        assert sorted(statuses) == [200, 400]
        value = 1 if statuses[0] == 200 else 2
        expected = (f'y{number}{{instance="",job="j",x="1"}} {value}',)
        assert one.scrape().family(f"y{number}").samples == expected == two.scrape().family(f"y{number}").samples


def plain_page(server: Client) -> Page:
    """A scrape as it is."""
    return server.scrape()


def compressed_page(server: Client) -> Page:
    """A compressed scrape; one gzip member, for curl 7.88 stops behind the first."""
    answer = server.get("/metrics", {"Accept-Encoding": "gzip"})
    member = zlib.decompressobj(wbits=31)
    text = member.decompress(answer.body)
    assert (answer.status, member.eof, member.unused_data) == (200, True, b"")
    return Page(text.decode())


class Acknowledged:
    """The newest number of each writer that the gateway said it has."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def push(self, server: Client, writer: str, number: int) -> None:
        """Set all families of a group to one number."""
        body = TORN_BODY % ((number,) * FAMILIES)
        answer = (
            server.put(f"job/j/writer/{writer}", body) if number % 2 else server.post(f"job/j/writer/{writer}", body)
        )
        assert answer.status == 200, answer
        self.numbers[writer] = number

    def scrape(self, server: Client, read: Callable[[Client], Page]) -> None:
        """No group is torn, and none is older than what was acknowledged before the scrape began."""
        before = dict(self.numbers)
        found: dict[str, list[int]] = {}
        for writer, number in TORN_SAMPLE.findall(read(server).text):
            found.setdefault(writer, []).append(int(number))
        for writer, numbers in found.items():
            assert numbers == [numbers[0]] * FAMILIES, f"group {writer} is torn"
        for writer, number in before.items():
            assert found[writer][0] >= number or writer == "all", f"group {writer} went back"


def test_no_scrape_shows_a_torn_group_or_an_old_value(replicas: tuple[Server, Server]) -> None:
    acknowledged = Acknowledged()

    def write(writer: int) -> int:
        for number in range(1, PUSHES):
            acknowledged.push(replicas[number % 2], f"own{writer}", number)
            acknowledged.push(replicas[writer % 2], "all", number * WRITERS + writer)
        return PUSHES

    def read(reader: int) -> int:
        for number in range(SCRAPES):
            acknowledged.scrape(replicas[(reader + number) % 2], plain_page if number % 3 else compressed_page)
        return SCRAPES

    calls = [lambda n=n: write(n) for n in range(WRITERS)] + [lambda n=n: read(n) for n in range(4)]
    assert at_once(*calls) == [PUSHES] * WRITERS + [SCRAPES] * 4

    pages = [server.scrape() for server in replicas * 3]
    assert all(len(page.family("m0").samples) == WRITERS + 1 for page in pages)


def test_both_replicas_serve_the_same_page_own_families_included(new_replicas: tuple[Server, Server]) -> None:
    one, two = new_replicas
    for number in range(20):
        one.post(f"job/j/n/{number}", f"# HELP h Help {number}.\n# TYPE h gauge\nh {number}\n")
        two.put(f"job/k/n/{number}", f'# HELP h Other.\n# TYPE h gauge\nh{{x="{number}"}} {number}\n')
        two.post("job/bad", "not a metric\n")
        one.post("job/late", "a 1 1000\n")
    for server in (one, two, one):
        server.delete("job/nobody")

    def is_same_everywhere() -> bool:
        return (
            counted(one) == counted(two) == 83
            and len({server.get("/metrics").text for server in new_replicas * 4}) == 1
        )

    wait_until(is_same_everywhere, "all workers of both serve the same page with 83 requests", seconds=3)
    assert len(one.scrape().family("h").samples) == 40


def counted(server: Client) -> int:
    """How many pushes and deletes a page counts."""
    counts = re.findall(
        r'\npushgateway_http_requests_total\{.*handler="(?:push|delete)".*\} (\d+)', server.get("/metrics").text
    )
    return sum(map(int, counts))


def test_a_replica_that_joins_later_shows_everything(
    replicas: tuple[Server, Server], gateway: StartServer, redis_server: RedisServer
) -> None:
    for number in range(500):
        assert replicas[number % 2].post(f"job/j/n/{number}", f"a {number}\nb {number}\n").status == 200

    third = gateway(f"--redis.url={redis_server.tcp_url}", "--redis.prefix=shared")

    assert third.scrape().pushed == replicas[0].scrape().pushed
    assert len(third.scrape().groups()) == 500


def test_another_prefix_is_another_store(gateway: StartServer, redis_server: RedisServer) -> None:
    one = gateway(f"--redis.url={redis_server.url}", "--redis.prefix=one")
    two = gateway(f"--redis.url={redis_server.url}", "--redis.prefix=two")

    one.post("job/j", "# TYPE a gauge\na 1\n")

    assert two.scrape().groups() == set()
    assert two.post("job/k", "# TYPE a counter\na 2\n").status == 200
    assert one.scrape().groups() == {(("instance", ""), ("job", "j"))}


def test_many_groups_pushed_at_once_are_all_there(replicas: tuple[Server, Server]) -> None:
    def write(writer: int) -> int:
        statuses = {
            replicas[number % 2].post(f"job/j/w/{writer}/n/{number}", f"a {number}\n").status for number in range(60)
        }
        return statuses.pop() if len(statuses) == 1 else 0

    assert at_once(*[lambda n=n: write(n) for n in range(8)]) == [200] * 8

    for server in replicas * 3:
        assert len(server.scrape().family("a").samples) == 480


STORM_PATHS = ("job/j", "job/k", "job/j/x/1", "job/j/x/2", "job/j/instance/i", "job/j/instance/", "job/k/y/1/x/1")
STORM_BODIES = (
    "a 1\n", "a 2\n", 'a{x="1"} 3\n', 'a{instance="i"} 4\n', "# TYPE a gauge\na 5\n", "# HELP a Help.\na 6\n",
    '# TYPE h histogram\nh_bucket{le="1"} 1\nh_count 2\n', "h_count 7\n", "# TYPE h summary\nh_sum 8\n",
    "# TYPE b counter\n" + "".join(f'b{{n="{n}"}} {n}\n' for n in range(50)), "b 9\n", "", "a 1 1000\n", "nonsense\n",
)  # fmt: skip


def storm(server: Client, seed: int) -> int:
    """Pushes, replaces and deletes by luck; how many were answered in a way that must not be."""
    luck = random.Random(seed)
    wrong = 0
    for _ in range(150):
        method = luck.choice(("POST", "POST", "PUT", "DELETE"))
        answer = server.request(method, f"/metrics/{luck.choice(STORM_PATHS)}", luck.choice(STORM_BODIES))
        wrong += answer.status not in (200, 202, 400)
        if luck.random() < 0.1:
            server.scrape()
    return wrong


@pytest.mark.parametrize("flags", [(), ("--push.disable-consistency-check",)], ids=["checked", "unchecked"])
def test_after_a_storm_all_replicas_agree_and_so_does_a_new_one(
    gateway: StartServer, redis_server: RedisServer, flags: tuple[str, ...]
) -> None:
    flags = (f"--redis.url={redis_server.url}", *flags)
    replicas = gateway(*flags), gateway(*flags)

    assert at_once(*[lambda n=n: storm(replicas[n % 2], n) for n in range(6)]) == [0] * 6
    pages = [server.scrape() for server in replicas * 3]
    new = gateway(*flags).scrape()

    assert [page.pushed for page in pages] == [new.pushed] * 6
    assert [compressed_page(server).pushed for server in replicas * 3] == [new.pushed] * 6
    assert {push_times(page) for page in pages} == {push_times(new)}


def push_times(page: Page) -> tuple[tuple[str, ...], ...]:
    """The push times as they are, with their values."""
    return tuple(family.samples for family in page.families if family.name.startswith("push_"))
