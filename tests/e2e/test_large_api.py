"""The answers that hold all groups, where these are many: `/api/v1/metrics` and the scrape in protobuf.

In: 3,000 groups of 10 KB in a running gateway of one worker; clients that read to the end, stop reading, or go away.
Out: whole answers; what they cost the worker in memory; how much of the work is done for nobody.
Never: measures time.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import io
import json
import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import pytest
from client import HOST
from gateways import replica
from google.protobuf import proto
from pushes import client, group, write
from servers import wait_until

from pgw import embedded
from pgw.formats import metrics_pb2 as pb
from pgw.formats.escaping import Scheme
from pgw.formats.messages import to_message
from pgw.formats.negotiation import Format, Kind
from pgw.formats.protobuf_writer import WRITERS
from pgw.gateway.mirror import LASTING_GROUPS
from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.store.redis_store import RedisStore
from pgw.web.scrape import SLICE, _parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import RedisServer, Server, StartServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

GROUPS = 3_000
SERIES = 5
FILLER = "x" * 2000
JOBS = sorted(f"job-{number}" for number in range(GROUPS))
LEAST_BYTES = GROUPS * SERIES * len(FILLER)
"""Of an answer in any of the formats: several times what the buffers of sockets hold, so that it cannot hide there."""
SHARE = 3
"""The worker may grow by this part of an answer."""
LEAVERS = 16
JSON = ("/api/v1/metrics", "*/*")
DELIMITED = ("/metrics", Kind.DELIMITED.value)


class Large(NamedTuple):
    """A gateway with many groups."""

    server: Server
    redis_url: str

    @property
    def worker(self) -> int:
        [worker] = self.server.program.workers()
        return worker

    def connection(self, what: tuple[str, str]) -> http.client.HTTPConnection:
        """A connection on which an answer is on its way."""
        path, accept = what
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=30)
        connection.request("GET", path, headers={"Accept": accept})
        return connection

    def groups_read(self) -> int:
        """How many groups were read from Redis since it started."""
        with closing(client(self.redis_url)) as redis:
            return int(redis.info("commandstats")["cmdstat_hgetall"]["calls"])

    def rests(self) -> bool:
        """Whether the worker has used no more processor time for a while than it does when nobody asks anything."""
        before = processor_ticks(self.worker)
        time.sleep(0.5)
        return processor_ticks(self.worker) - before < os.sysconf("SC_CLK_TCK") / 10


class Memory:
    """The memory of a process from now on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:  # noqa: PTH123  the peak begins anew
            file.write("5")
        self._before = self._bytes("VmRSS")

    @property
    def growth(self) -> int:
        """By how many bytes it has grown at the most."""
        return self._bytes("VmHWM") - self._before

    def _bytes(self, name: str) -> int:
        with open(f"/proc/{self._pid}/status", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))


def processor_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def fill(url: str) -> None:
    """Store the groups, as pushes do."""
    store = RedisStore(url, prefix="pgw", timeout=30)
    for start in range(0, GROUPS, 500):
        await asyncio.gather(*(store.push(write(group(job=job), filled(job))) for job in JOBS[start : start + 500]))
    await store.close()


def filled(job: str) -> Fragment:
    lines = [f'big{{filler="{FILLER}",instance="",job="{job}",part="{part}"}} 1\n' for part in range(SERIES)]
    return Fragment("big", Type.GAUGE, "Large.", "".join(lines).encode())


@pytest.fixture(scope="module")
def large(start_for_module: StartServer) -> Large:
    server = start_for_module("--workers=1")
    url = embedded.url(server.program.directory / "storage")
    asyncio.run(fill(url))
    assert server.get("/metrics").body.count(b"\nbig{") == GROUPS * SERIES  # the view has taken them in
    return Large(server, url)


def jobs_in_json(body: bytes) -> list[str]:
    answer = json.loads(body)
    assert answer["status"] == "success"
    assert {len(each["big"]["metrics"]) for each in answer["data"]} == {SERIES}
    return [each["labels"]["job"] for each in answer["data"]]


def jobs_in_protobuf(body: bytes) -> list[str]:
    stream = io.BytesIO(body)
    families: dict[bytes, pb.MetricFamily] = {}
    while message := proto.parse_length_prefixed(pb.MetricFamily, stream):
        assert message.name not in families
        families[message.name] = message
    big = families[b"big"]
    assert (big.type, big.help, len(big.metric)) == (Type.GAUGE, b"Large.", GROUPS * SERIES)
    return [label.value.decode() for metric in big.metric[::SERIES] for label in metric.label if label.name == b"job"]


@pytest.mark.parametrize(("what", "jobs"), [(JSON, jobs_in_json), (DELIMITED, jobs_in_protobuf)])
def test_all_groups_are_answered_and_the_answer_is_never_whole_in_memory(
    large: Large, what: tuple[str, str], jobs: Callable[[bytes], list[str]]
) -> None:
    memory = Memory(large.worker)
    with closing(large.connection(what)) as connection:
        body = connection.getresponse().read()

    assert jobs(body) == JOBS
    assert len(body) > LEAST_BYTES
    assert memory.growth < len(body) / SHARE


@pytest.mark.parametrize(("what", "jobs"), [(JSON, jobs_in_json), (DELIMITED, jobs_in_protobuf)])
def test_the_worker_waits_for_a_client_that_stops_reading(
    large: Large, what: tuple[str, str], jobs: Callable[[bytes], list[str]]
) -> None:
    memory = Memory(large.worker)
    with closing(large.connection(what)) as connection:
        response = connection.getresponse()
        begun = response.read(1 << 16)
        wait_until(large.rests, "the worker waits for the client")
        assert memory.growth < LEAST_BYTES / SHARE
        assert large.server.post("job/job-0", "other 1\n").status == 200
        body = begun + response.read()

    assert jobs(body) == JOBS


def test_little_is_done_for_clients_that_have_gone_away(large: Large) -> None:
    before = large.groups_read()
    connections = [large.connection(JSON) for _ in range(LEAVERS)]
    for connection in connections:
        connection.getresponse().read(1 << 16)
    for connection in connections:
        connection.close()
    wait_until(large.rests, "the worker has given up")

    assert large.groups_read() - before < GROUPS * LEAVERS / 2
    assert "error" not in large.server.program.log


def test_a_protobuf_scrape_that_nobody_reads_is_given_up(large: Large) -> None:
    connection = large.connection(DELIMITED)
    connection.getresponse().read(1)
    connection.close()
    wait_until(large.rests, "the worker has given up")

    assert large.server.get("/metrics", {"Accept": Kind.DELIMITED.value}).status == 200
    assert "error" not in large.server.program.log


async def test_the_garbage_collector_leaves_a_large_view_alone(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        jobs = JOBS[: LASTING_GROUPS + 1]
        await asyncio.gather(*(one.redis.push(write(group(job=job), filled(job))) for job in jobs))
        before = gc.get_freeze_count()
        await one.mirror.refresh()
        try:
            assert gc.get_freeze_count() > before + len(jobs)
        finally:
            gc.unfreeze()


def fragments() -> Iterator[Fragment]:
    """A family of several slices; of one group in three the text does not carry everything."""
    exemplar = pb.Metric(counter=pb.Counter(value=1, exemplar=pb.Exemplar(value=1))).SerializeToString()
    for number in range(3 * SLICE // 20):
        details = (exemplar,) if number % 3 == 0 else ()
        yield Fragment("é", Type.COUNTER, "Help.", f'{{"é",n="{number}"}} 1\n'.encode(), details=details)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_family_that_is_written_in_slices_looks_as_one_that_is_not(kind: Kind) -> None:
    whole, *others = map(to_message, fragments())
    for other in others:
        whole.metric.extend(other.metric)
    parts = list(_parts(fragments(), Format(kind, Scheme.ALLOW_UTF8)))

    assert len(parts) > 3
    assert b"".join(parts) == WRITERS[kind](whole)
