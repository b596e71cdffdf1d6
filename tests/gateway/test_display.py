"""What a worker shows that has seen every change, mostly as new values, is what one shows that reads all anew."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import pytest
from gateways import Replica, let_pass, read_text, replica
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pushes import INSTANCE, JOB, OTHER, client, group
from servers import RedisServer

from pgw.errors import PushError
from pgw.formats.escaping import Scheme
from pgw.formats.text_reader import TextReader
from pgw.gateway.mirror import DEFAULT_SCHEME, SLICE_GROUPS
from pgw.gateway.push_times import FAILURE_TIME, PUSH_TIME
from pgw.model.family import Exposition
from pgw.model.grouping import GroupingKey

BODIES = {
    "two families": "a {0}\nb {0}\n",
    "a help": "# HELP a Some.\na {0}\nb {0}\n",
    "another help": "# HELP a Other.\na {0}\nb {0}\n",
    "another type": "# TYPE c counter\nc {0}\n",
    "two series": 'a{{x="1"}} {0}\na{{x="2"}} {0}\n',
    "a histogram": '# TYPE h histogram\nh_bucket{{le="+Inf"}} {0}\nh_sum {0}\nh_count {0}\n',
    "what may clash": 'a{{instance="i"}} {0}\na{{instance="i","é"="1"}} {0}\n',
    "names that some do not read": '{{"é.x",a="1"}} {0}\n',
    "nothing": "",
    "what fails": "a {0} 1\n",
}
KEYS = [JOB, OTHER, INSTANCE, group(job="j", zone="é/1")]
DETAILED = "two families, with details"
MINUTES = 60_000_000


class Step(NamedTuple):
    """What somebody does; minutes that pass before; and whether the first worker reads afterwards."""

    verb: str
    key: GroupingKey
    body: str
    value: int
    checked: bool
    minutes: int
    is_read: bool


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["push", "push", "replace", "replace", "push for a minute", "delete", "wipe"]),
        st.sampled_from(KEYS),
        st.sampled_from([*BODIES, "two families", "two families", DETAILED]),
        st.sampled_from([1, 2, 33, 4_000]),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1, 3]),
        st.booleans(),
    ),
    max_size=25,
)


def exposition(body: str, value: int) -> Exposition:
    if body != DETAILED:
        return TextReader(utf8_names=True).read(BODIES[body].format(value).encode())
    found = read_text(BODIES["two families"].format(1))
    return found._replace(families=[each._replace(details=(str(value).encode(),)) for each in found.families])


async def do(one: Replica, step: Step) -> None:
    if step.verb == "wipe":
        await one.gateway.wipe()
    elif step.verb == "delete":
        await one.gateway.delete(step.key)
    else:
        write = one.gateway.replace if step.verb == "replace" else one.gateway.push
        with contextlib.suppress(PushError):  # it has its failure time
            await write(step.key, exposition(step.body, step.value), 60 if step.verb.endswith("minute") else None)


async def shown(one: Replica) -> tuple[object, ...]:
    """All that anybody can see of the groups."""
    stamped = await one.gateway.stamped(scheme=Scheme.UNDERSCORES)
    catalogue, trouble = await one.mirror.catalogue()
    assert trouble == ""
    families = [list(each) for each in await one.mirror.families()]
    mine = [each for each in families if not each[0].name.startswith("pgw_")]
    pages = [await page(one, scheme) for scheme in Scheme]
    return (pages, b"".join(stamped), sorted(catalogue.rows()), catalogue.sums()[:5], mine)


async def page(one: Replica, scheme: Scheme) -> list[bytes]:
    """The lines of a compressed page, without what the gateway says of itself."""
    chunks = (await one.gateway.scrape(compressed=True, scheme=scheme)).chunks
    return [line for line in gzip.decompress(b"".join(chunks)).split(b"\n") if b"pgw_" not in line]


@given(STEPS)
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None
)
def test_a_worker_that_has_seen_every_change_shows_what_one_does_that_reads_all_anew(
    redis_server: RedisServer, steps: list[Step]
) -> None:
    redis_server.command("FLUSHALL")

    async def scenario() -> None:
        ahead, linger = 0, 2 * MINUTES
        async with (
            replica(redis_server.url, linger=linger) as early,
            replica(redis_server.url, linger=linger, checked=False) as unchecked,
        ):
            for step in steps:
                ahead += step.minutes * MINUTES
                let_pass(early, ahead)
                await do(early if step.checked else unchecked, step)
                if step.is_read:
                    await page(early, DEFAULT_SCHEME)
            async with replica(redis_server.url, linger=linger) as late:
                let_pass(late, ahead)
                assert await shown(early) == await shown(late)

    asyncio.run(scenario())


async def merged(one: Replica) -> None:
    await one.push(JOB, "c 1\n")


async def emptied(one: Replica) -> None:
    await one.push(JOB, "")


async def replaced(one: Replica) -> None:
    await one.replace(JOB, "c 1\n")


async def deleted(one: Replica) -> None:
    await one.gateway.delete(JOB)


async def failed(one: Replica) -> None:
    with pytest.raises(PushError):
        await one.push(JOB, "a 1 1\n")


async def expired(one: Replica) -> None:
    await one.push(JOB, BODIES["two families"].format(8), asked=1e-6)


async def about_to_expire(one: Replica) -> None:
    await one.push(JOB, BODIES["two families"].format(8), asked=0.2)
    await one.page()
    await asyncio.sleep(0.2)  # until it has


async def detailed(one: Replica) -> None:
    await one.gateway.push(JOB, exposition(DETAILED, 1))
    await one.page()
    await one.gateway.push(JOB, exposition(DETAILED, 2))


@pytest.mark.parametrize(
    "between",
    [merged, emptied, replaced, deleted, failed, expired, about_to_expire, detailed],
    ids=lambda each: each.__name__,
)
@pytest.mark.parametrize("values", [(), (2,), (2, 3)])
async def test_whatever_happened_between_two_pushes_of_the_same_series_is_shown(
    redis_server: RedisServer, between: Callable[[Replica], Awaitable[None]], values: Sequence[int]
) -> None:
    linger = 10 * MINUTES
    async with replica(redis_server.url, linger=linger) as early:
        await early.push(JOB, BODIES["two families"].format(1))
        await early.page()
        await between(early)
        await early.page()
        for value in values:
            await early.push(JOB, BODIES["two families"].format(value))
            await early.page()
        async with replica(redis_server.url, linger=linger) as late:
            assert await shown(early) == await shown(late)


@pytest.mark.parametrize("scheme", Scheme)
async def test_a_name_that_has_to_be_escaped_is_so_though_the_one_before_was_as_long(
    redis_server: RedisServer, scheme: Scheme
) -> None:
    reader = TextReader(utf8_names=True)
    async with replica(redis_server.url) as early:
        for body in ('a{bbbb="1"} 1\n', 'a{"é"="1"} 1\n', 'a{bbbb="1"} 1\n'):
            await early.gateway.replace(JOB, reader.read(body.encode()))
            async with replica(redis_server.url) as late:
                assert await page(early, scheme) == await page(late, scheme)
                assert await page(early, DEFAULT_SCHEME) == await page(late, DEFAULT_SCHEME)


async def test_groups_of_all_orders_and_numbers_are_shown_with_their_last_values(redis_server: RedisServer) -> None:
    names = [f"j{number:04d}" for number in range(3 * SLICE_GROUPS)]
    chance = random.Random(1)
    async with replica(redis_server.url) as one:
        last = {}
        for value in range(1, 5):
            for name in chance.sample(names, len(names) if value == 1 else 2 * SLICE_GROUPS):
                last[name] = value
                await one.push(group(job=name), f"a {value}\nb {value}\n")
            lines = [f'{family}{{instance="",job="{name}"}} {last[name]}' for family in "ab" for name in names]
            assert await one.lines() == lines


async def times(one: Replica) -> dict[str, float]:
    page = (await one.page()).decode()
    words = [line.split(" ") for line in page.split("\n") if line.startswith("push_")]
    return {name.partition("{")[0]: float(value) for name, value in words}


async def test_push_times_follow_pushes_that_bring_new_values_only(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        before = {PUSH_TIME: 0.0, FAILURE_TIME: 0.0}
        for number in range(4):
            await one.push(JOB, f"a {number}\n")
            after = await times(one)
            assert after[PUSH_TIME] > before[PUSH_TIME]
            assert after[FAILURE_TIME] == before[FAILURE_TIME]
            with pytest.raises(PushError):
                await one.push(JOB, "a 1 1\n")
            before = await times(one)
            assert before[PUSH_TIME] == after[PUSH_TIME]
            assert before[FAILURE_TIME] > after[PUSH_TIME]


async def test_a_group_that_never_failed_shows_so_though_one_of_its_name_did(redis_server: RedisServer) -> None:
    """It was deleted and pushed again before anybody looked."""
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        with pytest.raises(PushError):
            await one.push(JOB, "a 1 1\n")
        assert (await times(one))[FAILURE_TIME] > 0
        await one.gateway.delete(JOB)
        await one.push(JOB, "a 2\n")
        assert (await times(one))[FAILURE_TIME] == 0
        assert (await one.mirror.catalogue())[0].sums().failed == 0


async def test_a_group_whose_values_alone_have_changed_is_broken_like_any_other(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        await one.push(OTHER, "a 1\n")
        await one.page()
        connection = client(redis_server.url)
        connection.hset(one.redis._keys.group(JOB.name), b"\xffa", "1\n2\n")
        connection.close()
        await one.push(OTHER, "a 2\n")
        await one.redis.fail(JOB)
        assert await one.lines() == ['a{instance="",job="k"} 2']
        await one.push(JOB, "a 3\n")
        assert await one.lines() == ['a{instance="",job="j"} 3', 'a{instance="",job="k"} 2']
