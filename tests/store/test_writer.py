"""The one way of a worker into Redis: batches, their order, their bounds and their end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from pushes import JOB, OTHER, client, family, group, held, opened, write
from servers import RedisServer

from pgw.errors import InconsistentPush, StoreBusy, StoreUnavailable
from pgw.model.family import Type
from pgw.store.link import Argument, Call, Reply
from pgw.store.scripts import load
from pgw.store.watch import Watch
from pgw.store.writer import BATCH_BYTES, BATCH_PUSHES, TRIP_PUSHES, TURNS, WAITING_BYTES, WAITING_PUSHES, Part, Writer

Batch = list[tuple[Argument, ...]]


class SlowLink:
    """A link that answers when it is told to, and notes what was sent."""

    def __init__(self) -> None:
        self.sent: list[Batch] = []
        self.answers = asyncio.Event()
        self.error: BaseException | None = None
        self.closed = False

    async def call(self, *calls: Call) -> list[Reply]:
        self.sent.append([each.words for each in calls])
        await self.answers.wait()
        if self.error is not None:
            raise self.error
        return [
            [f"stored {key!s}" for key in words[1:]] if words[0] == "PUSHES" else words[0] for words in self.sent[-1]
        ]

    async def close(self) -> None:
        self.closed = True


def pushes(parts: Sequence[Part]) -> Call:
    return Call(("PUSHES", *(part.key for part in parts)))


def part(key: str, size: int = 1, *, script: str = "push") -> Part:
    return Part(load(script), key, (), size)


class Writing:
    """A writer on a slow link, and the writes under way."""

    def __init__(self) -> None:
        self.link = SlowLink()
        link: Any = self.link
        self.writer = Writer(link, pushes, watch=Watch(), timeout=1.0)
        self.tasks: list[asyncio.Future[Reply]] = []

    async def begin(self, *writes: Part | Call) -> None:
        """Begin writes, and return when each has come as far as it does without an answer."""
        self.tasks += [self.writer.write(each) for each in writes]
        for _ in range(2 + TURNS):
            await asyncio.sleep(0)

    async def end(self) -> list[Reply | BaseException]:
        """Let the link answer; the replies to all writes in the order in which they began."""
        self.link.answers.set()
        async with asyncio.timeout(5):
            return await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture
async def writing() -> Writing:
    return Writing()


def keys(count: int) -> list[str]:
    return [f"g{number}" for number in range(count)]


async def test_an_idle_writer_sends_without_waiting_for_more(writing: Writing) -> None:
    await writing.begin(part("a"))
    assert writing.link.sent == [[("PUSHES", "a")]]
    assert writing.writer.waiting == 0
    assert await writing.end() == ["stored a"]


async def test_what_comes_within_some_turns_of_the_loop_shares_a_batch(writing: Writing) -> None:
    writing.tasks.append(writing.writer.write(part("a")))
    for _ in range(TURNS):
        await asyncio.sleep(0)
    await writing.begin(part("b"))
    assert writing.link.sent == [[("PUSHES", "a", "b")]]
    await writing.end()


async def test_what_comes_while_a_batch_is_in_flight_goes_out_together(writing: Writing) -> None:
    await writing.begin(part("a"))
    await writing.begin(*map(part, keys(10)))
    assert writing.writer.waiting == 10
    assert await writing.end() == ["stored a", *(f"stored {key}" for key in keys(10))]
    assert writing.link.sent == [[("PUSHES", "a")], [("PUSHES", *keys(10))]]
    assert writing.writer.waiting == 0


async def test_pushes_and_other_calls_go_out_in_the_order_in_which_they_came(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(part("a"), part("b"), Call(("DELETE",)), Call(("FAIL",)), part("c"), Call(("COUNT",)))
    assert await writing.end() == ["stored first", "stored a", "stored b", "DELETE", "FAIL", "stored c", "COUNT"]
    assert writing.link.sent[1] == [("PUSHES", "a", "b"), ("DELETE",), ("FAIL",), ("PUSHES", "c"), ("COUNT",)]


async def test_pushes_that_wait_side_by_side_go_out_script_by_script(writing: Writing) -> None:
    await writing.begin(part("first"))
    scripts = ["values", "push", "push", "values", "push"]
    await writing.begin(*(part(f"{script} {number}", script=script) for number, script in enumerate(scripts)))
    await writing.begin(Call(("DELETE",)), part("behind it"))
    expected = [f"stored {script} {number}" for number, script in enumerate(scripts)]
    assert await writing.end() == ["stored first", *expected, "DELETE", "stored behind it"]
    of_push, of_values, *others = writing.link.sent[1]
    assert of_push == ("PUSHES", "push 1", "push 2", "push 4")
    assert of_values == ("PUSHES", "values 0", "values 3")
    assert others == [("DELETE",), ("PUSHES", "behind it")]


async def test_a_call_and_a_batch_have_so_many_pushes_at_most(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(*map(part, keys(2 * TRIP_PUSHES + BATCH_PUSHES + 1)))
    assert await writing.end() == [
        "stored first",
        *(f"stored {key}" for key in keys(2 * TRIP_PUSHES + BATCH_PUSHES + 1)),
    ]
    full = [BATCH_PUSHES] * (TRIP_PUSHES // BATCH_PUSHES)
    assert [[len(call) - 1 for call in batch] for batch in writing.link.sent] == [[1], full, full, [BATCH_PUSHES, 1]]


async def test_a_batch_has_so_many_bytes_at_most_and_a_larger_push_goes_alone(writing: Writing) -> None:
    await writing.begin(part("first"))
    half = BATCH_BYTES // 2
    await writing.begin(
        part("a", half), part("b", half), part("c", 1), part("d", 3 * BATCH_BYTES), part("e", half), part("f", half + 1)
    )
    await writing.end()
    assert [batch[0][1:] for batch in writing.link.sent[1:]] == [("a", "b"), ("c",), ("d",), ("e",), ("f",)]


async def test_no_more_pushes_wait_than_are_let_in(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(*map(part, keys(WAITING_PUSHES)))
    for refused in (part("more"), Call(("DELETE",))):
        with pytest.raises(StoreBusy, match=f"{WAITING_PUSHES} pushes are already waiting"):
            await writing.writer.write(refused)
    assert all(str(reply).startswith("stored") for reply in await writing.end())
    assert await writing.writer.write(part("more")) == "stored more"


async def test_no_more_bytes_wait_than_are_let_in(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(part("huge", 2 * WAITING_BYTES))
    with pytest.raises(StoreBusy):
        await writing.writer.write(part("more"))
    assert await writing.end() == ["stored first", "stored huge"]
    assert await writing.writer.write(part("more")) == "stored more"


async def test_bytes_that_are_sent_wait_no_longer(writing: Writing) -> None:
    await writing.begin(part("first"))
    for _ in range(5):
        writing.link.answers.clear()
        await writing.begin(part("a", WAITING_BYTES))
        assert not [reply for reply in await writing.end() if isinstance(reply, Exception)]


@pytest.mark.parametrize("error", [StoreUnavailable("Redis is away"), RuntimeError("a bug")])
async def test_when_a_batch_fails_all_that_waits_fails(
    writing: Writing, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    await writing.begin(part("first"))
    await writing.begin(part("a", WAITING_BYTES), Call(("DELETE",)))
    writing.link.error = error
    replies = await writing.end()
    is_a_bug = isinstance(error, RuntimeError)
    words = "the write could not be sent" if is_a_bug else "Redis is away"
    assert [(type(reply), str(reply)) for reply in replies] == [(StoreUnavailable, words)] * 3
    assert len(writing.link.sent) == 1
    assert [each.levelno for each in caplog.records] == ([logging.ERROR] if is_a_bug else [])
    writing.link.error = None
    assert await writing.writer.write(part("b", WAITING_BYTES)) == "stored b"


async def test_a_client_that_has_gone_disturbs_nobody(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(*map(part, "abc"))
    for task in (writing.tasks[0], writing.tasks[2]):
        task.cancel()
    first, a, b, c = await writing.end()
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(b, asyncio.CancelledError)
    assert (a, c) == ("stored a", "stored c")


async def test_a_client_that_has_gone_disturbs_no_failure(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(part("a"))
    writing.tasks[0].cancel()
    writing.link.error = StoreUnavailable("Redis is away")
    assert [type(reply) for reply in await writing.end()] == [asyncio.CancelledError, StoreUnavailable]


async def test_a_writer_that_is_closed_sends_what_waits_first(writing: Writing) -> None:
    await writing.begin(part("first"))
    await writing.begin(part("a"), Call(("DELETE",)))
    closing = asyncio.create_task(writing.writer.close())
    await asyncio.sleep(0)
    assert not writing.link.closed
    assert await writing.end() == ["stored first", "stored a", "DELETE"]
    await closing
    assert writing.link.closed


async def test_a_writer_that_never_wrote_can_be_closed(writing: Writing) -> None:
    await writing.writer.close()
    assert writing.link.closed


# On a real Redis.


def scripts_called(server: RedisServer) -> int:
    connection = client(server.url)
    calls: int = connection.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
    connection.close()
    return calls


async def test_concurrent_pushes_share_the_calls_of_the_script(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB))
        before = scripts_called(redis_server)
        results = await asyncio.gather(*(store.push(write(group(job=key), family("a"))) for key in keys(200)))
        assert results == [{}] * 200
        assert scripts_called(redis_server) - before == -(-200 // BATCH_PUSHES)
        assert len(await store.names()) == 201


async def test_a_refused_push_does_not_touch_the_others_of_its_batch(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(OTHER, family("a", Type.COUNTER)))
        before = scripts_called(redis_server)
        doing: list[Coroutine[Any, Any, object]] = [
            store.push(write(group(job="1"), family("b"))),
            store.push(write(JOB, family("a", Type.GAUGE))),
            store.push(write(JOB, family("c"))),
            store.push(write(group(job="j", instance=""), family("b"))),
            store.push(write(group(job="2", zone="z"), family("b"))),
            store.replace(write(group(job="3"), family("b"))),
        ]
        results = await asyncio.gather(*doing, return_exceptions=True)
        assert scripts_called(redis_server) - before == 1
        kinds = [each if isinstance(each, dict) else type(each).__name__ for each in results]
        assert kinds == [{}, "InconsistentPush", {}, "BadGroupingKey", {"b": "job"}, {}]
        assert await held(store, group(job="1")) == await held(store, group(job="3")) == {"b": Type.GAUGE}
        assert await held(store, JOB) == {"c": Type.GAUGE}
        assert await store.names() == ["job/1", "job/3", "job/j", "job/k"]


async def test_pushes_and_deletes_of_one_group_take_effect_in_their_order(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        doing: list[Coroutine[Any, Any, object]] = []
        for number in range(50):
            doing += [
                store.push(write(JOB, family("a", value=str(number)))),
                store.delete(JOB),
                store.push(write(JOB, family("b", value=str(number)))),
                store.replace(write(JOB, family("c", value=str(number)))),
            ]
        results = await asyncio.gather(*doing)
        assert results[1::4] == [True] * 50
        assert await held(store, JOB) == {"c": Type.GAUGE}


async def test_the_second_of_two_pushes_in_one_batch_sees_the_first(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        both = (
            store.push(write(JOB, family("a", Type.COUNTER))),
            store.push(write(OTHER, family("a", Type.GAUGE))),
        )
        answers: list[object] = [*await asyncio.gather(*both, return_exceptions=True)]
        assert answers[0] == {}
        assert isinstance(answers[1], InconsistentPush)


async def test_a_store_that_is_closed_has_stored_what_waited(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        tasks = [asyncio.create_task(store.push(write(group(job=key)))) for key in keys(300)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [{}] * 300
