"""Redis on more than one server: sentinels, a cluster, replicas that confirm, TLS, users with few rights."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from certificates import Authority
from primaries import SERVICE, Cluster, Watched, clustered, plain, role, watched
from pushes import INSTANCE, JOB, KEYS, OTHER, PREFIX, TIMEOUT, family, opened, read, write
from servers import Program, program_path, unused_port, wait_until

from pgw.errors import StoreError, StoreRefused, StoreUnavailable
from pgw.store.base import Feed
from pgw.store.primary import read_url
from pgw.store.redis_store import RedisStore
from pgw.store.writer import Confirmation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from servers import RedisServer

ONE_REPLICA = Confirmation(1, 1.0)
PATIENCE = 20.0
"""Seconds for a failover, of which the servers here need about two."""


@pytest.fixture(scope="module")
def sentinels() -> Iterator[Watched]:
    with watched(replicas=2) as servers:
        yield servers


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with clustered() as servers:
        yield servers


async def push_until(store: RedisStore, stop: asyncio.Event) -> int:
    """Push rising numbers; returns the last that was acknowledged."""
    acknowledged = number = 0
    while not stop.is_set():
        number += 1
        try:
            await store.push(write(JOB, family("a", value=str(number))))
            acknowledged = number
        except StoreUnavailable:
            await asyncio.sleep(0.02)
    return acknowledged


async def until_it_works(store: RedisStore) -> Mapping[str, str]:
    """Push until one is stored."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(StoreError):
                return await store.push(write(OTHER, family("a")))
            await asyncio.sleep(0.05)


async def value(store: RedisStore) -> int:
    return int((await read(store, JOB)).fragments[0].text.split()[1])


@asynccontextmanager
async def confirmed(url: str, confirmation: Confirmation = ONE_REPLICA) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, prefix=PREFIX, timeout=TIMEOUT, confirmation=confirmation)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """A port on which somebody listens who never says anything."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


# Sentinels.


async def test_the_primary_is_found_by_any_sentinel_that_answers(sentinels: Watched) -> None:
    async with opened(sentinels.url) as store:
        await store.push(write(JOB, family("a")))
        assert await store.names() == [JOB.name]

    async with silent_server() as port:  # not a sentinel that is stopped: it would not trust its clock for a while
        others = f"127.0.0.1:1,127.0.0.1:{port},"
        async with opened(sentinels.url.replace("://", f"://{others}")) as store:
            assert await store.names() == [JOB.name]


async def test_a_service_that_no_sentinel_knows_is_unavailable(sentinels: Watched) -> None:
    async with opened(sentinels.url.replace(SERVICE, "others")) as store:
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            await store.ping()


async def test_a_failover_by_the_operator_loses_nothing_that_was_confirmed(sentinels: Watched) -> None:
    stop = asyncio.Event()
    async with confirmed(sentinels.url) as store:
        pushing = asyncio.create_task(push_until(store, stop))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(sentinels.fail_over)
        await until_it_works(store)
        stop.set()
        acknowledged = await pushing
        assert acknowledged > 0
        assert await value(store) >= acknowledged


async def test_a_primary_that_is_killed_is_replaced_and_nothing_confirmed_is_lost(sentinels: Watched) -> None:
    stop = asyncio.Event()
    async with confirmed(sentinels.url) as store:
        pushing = asyncio.create_task(push_until(store, stop))
        await asyncio.sleep(0.3)
        killed = sentinels.primary
        killed.program.end(signal.SIGKILL)
        await asyncio.to_thread(sentinels.wait_for_another, killed)
        killed.start()  # it becomes a replica, without which nothing is confirmed
        await until_it_works(store)
        stop.set()
        assert await value(store) >= await pushing > 0


async def test_a_reader_leaves_a_primary_that_was_replaced_while_it_hung(sentinels: Watched) -> None:
    async with opened(sentinels.url) as reader, opened(sentinels.url) as writer:
        await writer.push(write(JOB, family("a", value="1")))
        feed = (await reader.changes(Feed())).feed
        old = sentinels.primary
        old.program.send(signal.SIGSTOP)
        await asyncio.to_thread(sentinels.wait_for_another, old)
        await until_it_works(writer)
        await writer.push(write(JOB, family("a", value="2")))
        old.program.send(signal.SIGCONT)  # for a moment it still takes itself for the primary

        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await reader.follow()
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
        assert await value(reader) == 2
        assert (await reader.changes(feed)).everything
        await asyncio.to_thread(wait_until, lambda: role(old) == "slave", "the old primary is a replica")


async def test_a_server_that_became_a_replica_is_left_though_it_answers(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        assert await store.names() == [JOB.name]
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        await store.follow()
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await store.names()
        own_redis.command("REPLICAOF", "NO", "ONE")
        assert await store.names() == [JOB.name]


# Replicas that confirm.


async def test_a_push_is_acknowledged_when_as_many_replicas_have_it_as_were_asked_for(sentinels: Watched) -> None:
    await asyncio.to_thread(sentinels.wait_until_copied)
    async with confirmed(sentinels.url) as store:
        await store.push(write(JOB, family("a", value="7")))
        assert True in holding(sentinels.replicas)
        await store.delete(JOB)
        assert False in holding(sentinels.replicas)


def holding(servers: list[RedisServer]) -> set[bool]:
    """Which of two, to hold the group or not to, is true of any of these servers."""
    found = set()
    for server in servers:
        with plain(server) as client:
            found.add(bool(client.exists(KEYS.group(JOB.name))))
    return found


async def test_a_push_that_too_few_replicas_confirm_is_refused_though_it_is_stored(own_redis: RedisServer) -> None:
    async with confirmed(own_redis.url, Confirmation(1, 0.05)) as store, opened(own_redis.url) as other:
        for call in (
            store.push(write(JOB, family("a"))),
            store.replace(write(JOB, family("a"))),
            store.fail(JOB),
            store.delete(OTHER),
        ):
            with pytest.raises(StoreUnavailable, match=r"only 0 of 1 replicas .* may be stored"):
                await call
        await store.count({"a": 1.0}, [])  # of which nobody promises anything
        assert await other.names() == [JOB.name]


# A cluster.


async def test_the_node_that_holds_our_slot_is_found(cluster: Cluster) -> None:
    async with opened(cluster.url) as store:
        await store.push(write(JOB, family("a")))
        await store.push(write(OTHER, family("a")))
        assert await store.names() == [JOB.name, OTHER.name]
        await store.wipe()
        assert await store.names() == []


async def test_a_failover_in_the_cluster_is_followed(cluster: Cluster) -> None:
    stop = asyncio.Event()
    async with confirmed(cluster.url) as store:
        pushing = asyncio.create_task(push_until(store, stop))
        await asyncio.sleep(0.3)
        before, replica = cluster.holders(KEYS.changes)
        replica.command("CLUSTER", "FAILOVER")
        await asyncio.to_thread(wait_until, lambda: role(replica) == "master", "the replica took over")
        await until_it_works(store)
        stop.set()
        assert await value(store) >= await pushing > 0
        assert cluster.holders(KEYS.changes)[1] is before


async def test_a_node_that_is_killed_is_replaced_by_its_replica(cluster: Cluster) -> None:
    async with confirmed(cluster.url) as store:
        await store.push(write(JOB, family("a", value="3")))
        killed, replica = cluster.holders(KEYS.changes)
        killed.program.end(signal.SIGKILL)
        await asyncio.to_thread(wait_until, lambda: role(replica) == "master", "the replica took over")
        async with opened(cluster.url) as other:  # which may have to ask a dead node first
            await until_it_works(other)
            assert await value(other) == 3
        killed.start()
        await until_it_works(store)
        assert await value(store) == 3


# URLs.


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://h", "URL"),
        ("redis://h/zero", "'zero' is not the number of a database"),
        ("redis://h?colour=red", "colour"),
        ("redis://h:port", "port|Port"),
        ("redis+sentinel://h:1", "name of the service"),
        ("redis+sentinel://h:1,:2/m", "commas"),
        ("redis+sentinel://h:1/m/zero", "'zero'"),
        ("redis+cluster://h/1", "database but 0"),
        ("rediss://h?ssl_ca_certs=/nowhere", "/nowhere"),
        ("rediss+cluster://h?ssl_certfile=/nowhere", "/nowhere"),
    ],
)
def test_a_url_that_cannot_be_used_says_why(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_url(url, slot_of="{a}", timeout=1)


# TLS.


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Authority]]:
    """The URL of a Redis that speaks TLS only and wants to see a certificate, without the words behind the `?`."""
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    own, port = authority.issue("redis", "IP:127.0.0.1"), unused_port()
    files = (
        "--tls-cert-file",
        str(own.cert),
        "--tls-key-file",
        str(own.key),
        "--tls-ca-cert-file",
        str(authority.cert),
    )
    options = ("--bind", "127.0.0.1", "--port", "0", "--tls-port", str(port), "--save", "", *files)
    program = Program((program_path("redis-server", "redis-server"), *options), tmp_path_factory.mktemp("redis"))
    program.start()
    try:
        wait_until(lambda: "Ready to accept" in program.log or not program.is_running, "Redis is ready")
        if "Bad directive" in program.log and os.environ.get("CI") != "true":
            pytest.skip("this redis-server was built without TLS; Debian's was built with it")
        yield f"rediss://127.0.0.1:{port}", authority
    finally:
        program.kill_session()


async def test_redis_is_reached_over_tls_with_a_certificate_of_ours(encrypted: tuple[str, Authority]) -> None:
    url, authority = encrypted
    own = authority.issue("pgw", "DNS:pgw")
    words = f"ssl_ca_certs={authority.cert}&ssl_certfile={own.cert}&ssl_keyfile={own.key}"
    async with opened(f"{url}?{words}") as store:
        await store.push(write(JOB, family("a")))
        assert await store.names() == [JOB.name]


async def test_a_server_that_is_not_who_it_should_be_and_one_that_does_not_know_us_are_unavailable(
    encrypted: tuple[str, Authority], tmp_path: Path
) -> None:
    url, authority = encrypted
    own, stranger = authority.issue("pgw", "DNS:pgw"), Authority(tmp_path, "stranger")
    for words in (
        f"ssl_ca_certs={stranger.cert}&ssl_certfile={own.cert}&ssl_keyfile={own.key}",
        f"ssl_ca_certs={authority.cert}",
    ):
        async with opened(f"{url}?{words}") as store:
            with pytest.raises(StoreUnavailable, match=r"cannot be (reached|used)"):
                await store.names()


# Users.

README = Path(__file__).parents[2] / "README.md"


def listed_rights() -> list[str]:
    """What the README has a user be allowed to do, for the keys of these tests."""
    found = re.search(r"<!-- acl -->\n```\nACL SETUSER pgw (.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1].replace("~{pgw:*", "~{pgw-test:*").split()


async def test_a_user_who_may_do_just_what_the_readme_lists_can_do_all(own_redis: RedisServer) -> None:
    with plain(own_redis) as client:
        client.execute_command("ACL", "SETUSER", "pgw", *listed_rights())
    url = own_redis.tcp_url.replace("://", "://pgw:secret@")
    async with confirmed(url, Confirmation(0, 0.0)) as store:
        await store.greet()
        await store.push(write(JOB, family("a")))
        with plain(own_redis) as client:
            client.execute_command("SCRIPT", "FLUSH")
        await store.replace(write(OTHER, family("a"), family("b")))
        await store.fail(JOB)
        await store.push(write(INSTANCE, family("c"))._replace(lifetime=1))
        await store.push(write(INSTANCE, family("c"))._replace(lifetime=1))
        assert not await store.expire()
        await store.count({"x": 1.0}, ["y"])
        assert (await store.copies([(JOB.name, "a")]))[0].fragment is not None
        assert await store.delete(JOB)
        assert await store.restore(write(JOB, family("a")), 1, 0) == {}
        assert await store.delete(JOB)
        assert (await store.server()).used_memory > 0
        assert await store.sizes([OTHER.name]) is None, "which is nothing that a gateway has to know"
        assert await store.names() == [OTHER.name]
        await store.follow()
        await store.ping()
        assert await store.wipe() == 1


@pytest.mark.parametrize("missing", ["info", "evalsha", "script|load", "zscore"])
async def test_a_user_who_may_not_do_what_a_scrape_needs_is_refused_at_once(
    own_redis: RedisServer, missing: str
) -> None:
    rights = [right for right in listed_rights() if right != f"+{missing}"]
    with plain(own_redis) as client:
        client.execute_command("ACL", "SETUSER", "pgw", *rights)
    async with opened(own_redis.tcp_url.replace("://", "://pgw:secret@")) as store:
        with pytest.raises(StoreRefused, match="does not let pgw in"):
            await store.greet()
