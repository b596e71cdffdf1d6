"""The connection to Redis, through all that can happen to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from hashlib import sha1

import pytest
from pushes import JOB, OTHER, TIMEOUT, client, family, opened, read, write
from servers import RedisServer, wait_until

from pgw.errors import StoreUnavailable
from pgw.store.base import Feed
from pgw.store.link import Call, Link
from pgw.store.primary import read_url
from pgw.store.redis_store import RedisStore
from pgw.store.scripts import Script

SHORT = 0.3
"""A time limit for tests in which it is reached."""
PATIENCE = 5.0
"""Far beyond any time limit of these tests: who waits longer waits for ever."""


@asynccontextmanager
async def linked(url: str, *, time_limit: float = TIMEOUT) -> AsyncIterator[Link]:
    link = Link(read_url(url, slot_of="words", timeout=time_limit), time_limit)
    try:
        yield link
    finally:
        await link.close()


def script(source: str) -> Script:
    return Script("of a test", source, sha1(source.encode(), usedforsecurity=False).hexdigest())


def noting(word: str) -> Call:
    """A call that appends a word to a list."""
    return Call.of(script(f"return redis.call('RPUSH', KEYS[1], '{word}')"), ["words"])


def echo(word: str) -> Call:
    return Call(("ECHO", word))


async def test_replies_come_in_the_order_of_the_calls(redis_server: RedisServer) -> None:
    async with linked(redis_server.url) as link:
        assert await link.call(echo("a"), echo("b"), Call(("GET", "none"))) == [b"a", b"b", None]
        both = await asyncio.gather(*(link.call(echo(str(number))) for number in range(50)))
        assert both == [[str(number).encode()] for number in range(50)]


async def test_redis_is_reached_by_socket_and_by_port(redis_server: RedisServer) -> None:
    for url in (redis_server.url, redis_server.tcp_url, f"{redis_server.tcp_url}/3"):
        async with linked(url) as link:
            assert await link.call(echo("x")) == [b"x"]


def test_a_url_of_no_known_form_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="URL"):
        read_url("http://127.0.0.1:6379", slot_of="words", timeout=TIMEOUT)


# Scripts.


async def test_a_script_that_redis_does_not_know_is_loaded(redis_server: RedisServer) -> None:
    redis_server.command("SCRIPT", "FLUSH")
    async with linked(redis_server.url) as link:
        assert await link.call(noting("a")) == [1]
        redis_server.command("SCRIPT", "FLUSH")
        assert await link.call(noting("b")) == [2]


async def test_scripts_are_applied_in_order_whichever_of_them_redis_knows(redis_server: RedisServer) -> None:
    async with linked(redis_server.url) as link, linked(redis_server.url) as other:
        redis_server.command("SCRIPT", "FLUSH")
        await other.call(noting("b"))
        redis_server.command("DEL", "words")
        assert await link.call(noting("a"), noting("b"), noting("c"), noting("b")) == [1, 2, 3, 4]
        redis_server.command("SCRIPT", "FLUSH")
        redis_server.command("DEL", "words")
        assert await link.call(noting("a"), echo("x"), noting("b"), noting("a")) == [1, b"x", 2, 3]
        assert await link.call(Call(("LRANGE", "words", 0, -1))) == [[b"a", b"b", b"a"]]


async def test_scripts_are_applied_in_order_by_a_server_that_was_restarted(own_redis: RedisServer) -> None:
    async with linked(own_redis.url) as link, linked(own_redis.url) as other:
        await link.call(noting("a"), noting("b"))
        own_redis.program.end()
        own_redis.start()
        own_redis.command("SCRIPT", "FLUSH")  # before version 7, loading a script is written to the append-only file
        await other.call(noting("b"))
        own_redis.command("DEL", "words")
        assert await link.call(noting("a"), noting("b")) == [1, 2]


async def test_an_empty_cache_of_scripts_disturbs_no_batch(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a")))
        redis_server.command("SCRIPT", "FLUSH")
        results = await asyncio.gather(
            store.push(write(JOB, family("b"))),
            store.fail(OTHER),
            store.delete(OTHER),
            store.push(write(OTHER, family("a"))),
            store.changes(Feed()),
        )
        assert list(results)[:4] == [{}, None, True, {}]
        assert await store.names() == [JOB.name, OTHER.name]


async def test_the_error_of_a_script_is_raised_and_the_connection_lives_on(redis_server: RedisServer) -> None:
    async with linked(redis_server.url) as link:
        with pytest.raises(StoreUnavailable, match="a fault"):
            await link.call(Call.of(script("return redis.error_reply('a fault')"), []), echo("x"))
        assert await link.call(echo("y")) == [b"y"]


# Connections that break.


async def test_an_idle_connection_that_was_killed_is_replaced_without_an_error(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a")))
        await store.ping()
        for _ in range(3):
            redis_server.command("CLIENT", "KILL", "TYPE", "normal")
            await store.push(write(JOB, family("a", value="2")))
            assert (await read(store, JOB)).fragments[0].text == b"a 2\n"


async def test_an_idle_connection_to_a_server_that_was_restarted_is_replaced_without_an_error(
    own_redis: RedisServer,
) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        own_redis.program.end()
        own_redis.start()
        await store.push(write(JOB, family("b")))
        assert [each.name for each in (await read(store, JOB)).fragments] == ["a", "b"]


def calls(store: RedisStore) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "push": lambda: store.push(write(JOB, family("a"))),
        "replace": lambda: store.replace(write(JOB, family("a"))),
        "fail": lambda: store.fail(JOB),
        "delete": lambda: store.delete(JOB),
        "wipe": store.wipe,
        "count": lambda: store.count({"a": 1.0}, []),
        "changes": lambda: store.changes(Feed()),
        "groups": lambda: store.groups([JOB.name]),
        "copies": lambda: store.copies([(JOB.name, "a")]),
        "names": store.names,
        "ping": store.ping,
    }


async def unavailable(call: Callable[[], Awaitable[object]], words: str) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(StoreUnavailable, match=words):
            await call()


async def test_every_call_says_so_when_redis_is_gone(own_redis: RedisServer) -> None:
    async with opened(own_redis.url, time_limit=SHORT) as store:
        await store.push(write(JOB))
        own_redis.program.end()
        for call in calls(store).values():
            await unavailable(call, "Redis cannot be reached")
        own_redis.start()
        for call in calls(store).values():
            await call()


async def test_every_call_gives_up_in_time_when_redis_hangs(own_redis: RedisServer) -> None:
    async with opened(own_redis.tcp_url, time_limit=SHORT) as store:
        await store.ping()
        own_redis.program.send(signal.SIGSTOP)
        for name in ("push", "changes", "ping"):
            await unavailable(calls(store)[name], f"Redis did not answer within {SHORT} seconds")
        waiting = [asyncio.create_task(unavailable(call, "within|be used")) for call in calls(store).values()]
        await asyncio.gather(*waiting)
        own_redis.program.send(signal.SIGCONT)
        for call in calls(store).values():
            await call()


async def test_a_late_reply_is_never_taken_for_another(own_redis: RedisServer) -> None:
    async with linked(own_redis.url, time_limit=SHORT) as link:
        await link.call(echo("first"))
        own_redis.program.send(signal.SIGSTOP)
        late = [link.call(echo(f"late {number}")) for number in range(3)]
        assert all(isinstance(each, StoreUnavailable) for each in await asyncio.gather(*late, return_exceptions=True))
        own_redis.program.send(signal.SIGCONT)
        for number in range(5):
            assert await link.call(echo(str(number))) == [str(number).encode()]


async def test_the_reply_to_a_caller_that_has_gone_is_not_handed_to_the_next(redis_server: RedisServer) -> None:
    async with linked(redis_server.url) as link:
        await link.call(echo("connected"))
        for _ in range(20):
            gone = asyncio.create_task(link.call(Call(("BLPOP", "nothing", "0")), echo("gone")))
            await asyncio.sleep(0.002)
            next_one = asyncio.create_task(link.call(echo("next")))
            await asyncio.sleep(0)
            gone.cancel()
            assert await next_one == [b"next"]
            with pytest.raises(asyncio.CancelledError):
                await gone


async def test_a_caller_that_leaves_while_it_waits_disturbs_nobody(redis_server: RedisServer) -> None:
    async with linked(redis_server.url) as link:
        await link.call(echo("connected"))
        slow = asyncio.create_task(link.call(Call(("BLPOP", "nothing", "0.05")), echo("slow")))
        await asyncio.sleep(0)
        gone = asyncio.create_task(link.call(echo("gone")))
        await asyncio.sleep(0)
        gone.cancel()
        assert await slow == [None, b"slow"]
        assert await link.call(echo("next")) == [b"next"]


async def test_a_server_that_hangs_while_it_is_connected_to_is_given_up_in_time(own_redis: RedisServer) -> None:
    own_redis.program.send(signal.SIGSTOP)
    async with linked(own_redis.tcp_url, time_limit=SHORT) as link:
        await unavailable(lambda: link.call(echo("x")), "within")
        own_redis.program.send(signal.SIGCONT)
        assert await link.call(echo("x")) == [b"x"]


# Servers that answer, but refuse.


async def test_replies_behind_a_refusal_are_not_taken_for_others(own_redis: RedisServer) -> None:
    async with linked(own_redis.url) as link:
        await link.call(echo("connected"))
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        await unavailable(lambda: link.call(Call(("SET", "a", "1")), echo("late"), echo("later")), "read only")
        own_redis.command("REPLICAOF", "NO", "ONE")
        assert await link.call(echo("next")) == [b"next"]


async def test_a_replica_that_takes_no_writes_is_unavailable_for_them(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        await unavailable(lambda: store.push(write(JOB, family("a"))), "read only replica")
        await unavailable(lambda: store.delete(JOB), "read only replica")
        own_redis.command("REPLICAOF", "NO", "ONE")
        await store.push(write(JOB, family("a")))


async def test_a_server_without_memory_takes_no_writes_and_can_be_read(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        own_redis.command("CONFIG", "SET", "maxmemory", "1")
        await unavailable(lambda: store.push(write(JOB, family("a"))), "maxmemory")
        assert await store.names() == [JOB.name]
        own_redis.command("CONFIG", "SET", "maxmemory", "0")
        await store.push(write(JOB, family("a")))


async def test_a_server_that_cannot_save_takes_no_writes(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        in_the_way = own_redis.program.directory / "dump.rdb"
        in_the_way.mkdir()  # a file cannot take its place
        own_redis.command("CONFIG", "SET", "save", "3600 1")
        own_redis.command("BGSAVE")
        connection = client(own_redis.url)
        wait_until(lambda: connection.info("persistence")["rdb_last_bgsave_status"] == "err", "a save has failed")
        connection.close()
        await unavailable(lambda: store.push(write(JOB, family("a"))), "MISCONF")
        own_redis.command("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        await store.push(write(JOB, family("a")))
        own_redis.command("CONFIG", "SET", "save", "")
        in_the_way.rmdir()


async def test_a_server_without_enough_replicas_takes_no_writes(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        own_redis.command("CONFIG", "SET", "min-replicas-to-write", "1")
        await unavailable(lambda: store.push(write(JOB, family("a"))), "NOREPLICAS|replicas")
        own_redis.command("CONFIG", "SET", "min-replicas-to-write", "0")
        await store.push(write(JOB, family("a")))


async def test_only_the_right_password_opens_redis(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "secret")
    for user in ("", ":wrong@"):
        async with linked(own_redis.tcp_url.replace("://", f"://{user}")) as link:
            await unavailable(lambda link=link: link.call(echo("x")), "[Aa]uthentication|password")  # type: ignore[misc]
    async with linked(own_redis.tcp_url.replace("://", "://:secret@")) as link:
        assert await link.call(echo("x")) == [b"x"]


@asynccontextmanager
async def answering(answer: bytes, *, after: int = 0) -> AsyncIterator[str]:
    """A server that is well for its first commands and gives the same answer to all others; without one it hangs up."""
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        commands = 0
        while answer and (line := await reader.readline()):
            if line.startswith(b"*"):
                commands += 1
                writer.write(b"+OK\r\n" if commands <= after else answer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*(task for task in serving if task is not None))


@pytest.mark.parametrize("after", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "answer",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
        b"-ERR max number of clients reached\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
    ],
)
async def test_whatever_a_server_refuses_with_it_is_unavailable(answer: bytes, after: int) -> None:
    async with answering(answer, after=after) as url, linked(url) as link:
        await unavailable(lambda: link.call(echo("x"), echo("y")), "Redis")


# Which server it is.


async def test_the_source_is_another_after_a_restart(own_redis: RedisServer) -> None:
    async with linked(own_redis.url) as link, linked(own_redis.tcp_url) as other:
        assert link.source == ""
        await link.call(echo("x"))
        await other.call(echo("x"))
        first = link.source
        assert first == other.source
        assert len(first) == 81  # two names of 40 digits
        own_redis.program.end()
        own_redis.start()
        await link.call(echo("x"))
        assert link.source != first


async def test_the_source_is_another_after_a_failover(own_redis: RedisServer) -> None:
    async with linked(own_redis.url) as link:
        await link.call(echo("x"))
        first = link.source
        own_redis.command("REPLICAOF", "127.0.0.1", "1")
        own_redis.command("REPLICAOF", "NO", "ONE")
        own_redis.command("CLIENT", "KILL", "TYPE", "normal")
        await link.call(echo("x"))
        assert link.source != first


async def test_a_reader_is_told_everything_by_a_server_that_was_restarted(own_redis: RedisServer) -> None:
    async with opened(own_redis.url) as store:
        await store.push(write(JOB, family("a")))
        await store.push(write(OTHER, family("a")))
        feed = (await store.changes(Feed())).feed
        own_redis.program.end()
        own_redis.start()
        changes = await store.changes(feed)
        assert changes.everything
        assert list(changes.changed) == [JOB.name, OTHER.name]
        assert changes.feed.epoch == feed.epoch
        assert changes.feed.source != feed.source
        assert not (await store.changes(changes.feed)).everything


async def test_a_server_that_is_replaced_while_the_changes_are_read_is_unavailable(
    own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.NAMES_AT_ONCE", 2)
    async with opened(own_redis.url) as store:
        await store.push(write(JOB))
        await store.push(write(OTHER))
        call = store._reader.call
        asked = 0

        async def call_and_restart(*calls: Call) -> list[object]:
            nonlocal asked
            asked += 1
            if asked == 2:
                own_redis.program.end()
                own_redis.start()
            return await call(*calls)

        monkeypatch.setattr(store._reader, "call", call_and_restart)
        await unavailable(lambda: store.changes(Feed()), "Redis was replaced by another server")


async def test_a_store_that_was_emptied_has_another_epoch(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a")))
        feed = (await store.changes(Feed())).feed
        redis_server.command("FLUSHALL")
        empty = await store.changes(feed)
        assert (empty.everything, empty.changed, empty.feed.epoch) == (True, [], "")
        await store.push(write(OTHER, family("a")))
        for late in (feed, empty.feed):
            changes = await store.changes(late)
            assert (changes.everything, changes.changed) == (True, [OTHER.name])
            assert changes.feed.epoch not in ("", feed.epoch)
