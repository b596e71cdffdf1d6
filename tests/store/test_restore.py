"""The script that restores a group, by the contract at its head, on real servers and in fakeredis."""

from collections.abc import AsyncIterator
from contextlib import suppress
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pushes import (
    INSTANCE,
    JOB,
    KEYS,
    OTHER,
    client,
    family,
    group,
    held,
    opened,
    opened_fake,
    read,
    recounted_index,
    recounted_totals,
    stored_deadlines,
    stored_index,
    stored_totals,
    write,
)
from servers import RedisServer

from pgw.errors import BadGroupingKey, InconsistentPush, StoreFull
from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey
from pgw.store.base import Feed, Guard, Limits
from pgw.store.redis_store import RedisStore

PUSHED, FAILED = 1_700_000_000_000_001, 1_600_000_000_000_002


def dated(name: str, kind: Type = Type.GAUGE, *, at: int = 1_500_000_000_000_003) -> Fragment:
    return family(name, kind)._replace(pushed_at=at, help="Helps.", details=(b"\0detail",))


@pytest.fixture(params=["server", "fakeredis"])
async def store(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    if request.param == "fakeredis":
        async with opened_fake() as fake:
            yield fake
        return
    async with opened(redis_server.url) as real:
        yield real


async def test_a_group_is_restored_with_all_its_times(store: RedisStore) -> None:
    families = (dated("a", at=1), dated("b", Type.COUNTER, at=PUSHED))
    assert await store.restore(write(JOB, *families), PUSHED, FAILED) == {}
    found = await read(store, JOB)
    assert (found.key, found.pushed_at, found.failed_at, found.fragments) == (JOB, PUSHED, FAILED, families)


async def test_a_group_without_families_and_without_a_push_is_restored(store: RedisStore) -> None:
    assert await store.restore(write(JOB), 0, FAILED) == {}
    found = await read(store, JOB)
    assert (found.pushed_at, found.failed_at, found.fragments) == (0, FAILED, ())


async def test_what_the_group_held_before_goes(store: RedisStore) -> None:
    await store.push(write(JOB, family("a"), family("b")))
    await store.restore(write(JOB, dated("b", Type.COUNTER), dated("c")), PUSHED, 0)
    assert [(each.name, each.type) for each in (await read(store, JOB)).fragments] == [
        ("b", Type.COUNTER),
        ("c", Type.GAUGE),
    ]


async def test_readers_of_the_feed_learn_of_it(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.delete(JOB)
    before = (await store.changes(Feed())).feed
    await store.restore(write(JOB, dated("a")), PUSHED, 0)
    changes = await store.changes(before)
    assert (changes.everything, changes.changed, changes.deleted) == (False, [JOB.name], [])


async def test_a_later_push_of_the_same_series_is_an_ordinary_one(store: RedisStore) -> None:
    await store.restore(write(JOB, dated("a")), PUSHED, FAILED)
    await store.push(write(JOB, family("a", value="7")))
    found = await read(store, JOB)
    assert found.pushed_at > PUSHED
    assert found.failed_at == FAILED
    assert found.fragments[0].text == b"a 7\n"


@pytest.mark.parametrize(
    ("beside", "restored", "reason"),
    [
        (family("a", Type.COUNTER), dated("a"), 'metric "a" is not a family of type counter'),
        (family("a_count"), dated("a", Type.SUMMARY), 'metric "a_count" collides with'),
        (family("a", Type.HISTOGRAM), dated("a_bucket"), 'metric "a_bucket" collides with'),
    ],
)
async def test_a_clash_is_told_and_nothing_changes(
    store: RedisStore, beside: Fragment, restored: Fragment, reason: str
) -> None:
    await store.push(write(JOB, beside))
    before = (await store.changes(Feed())).feed
    with pytest.raises(InconsistentPush, match=reason):
        await store.restore(write(OTHER, restored, dated("other")), PUSHED, 0)
    assert (await store.changes(before)).changed == []
    assert await store.names() == [JOB.name]


async def test_a_rehearsal_tells_the_same_and_changes_nothing(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", Type.COUNTER)))
    before = await store.changes(Feed())
    assert await store.restore(write(JOB, dated("b")), PUSHED, 0, rehearsal=True) == {}
    assert await store.restore(write(INSTANCE, dated("a", Type.COUNTER)), PUSHED, 0, rehearsal=True) == {"a": "job"}
    with pytest.raises(InconsistentPush, match='metric "a" is not a family of type counter'):
        await store.restore(write(OTHER, dated("a")), PUSHED, 0, rehearsal=True)
    assert await store.changes(before.feed) == before._replace(everything=False, changed=[], now=mock.ANY)
    assert await held(store, JOB) == {"a": Type.COUNTER}


async def test_its_own_families_are_in_nobodys_way(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", Type.HISTOGRAM)))
    assert await store.restore(write(JOB, dated("a"), dated("a_count")), PUSHED, 0) == {}


async def test_without_a_check_clashes_are_let_in(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", Type.COUNTER)))
    assert await store.restore(write(OTHER, dated("a"), checked=False), PUSHED, 0) == {}
    assert (await read(store, OTHER)).fragments[0].unchecked


async def test_a_group_is_not_restored_beside_its_twin(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    with pytest.raises(BadGroupingKey, match="its push times would be the same"):
        await store.restore(write(group(job="j", instance="")), PUSHED, 0)


async def test_a_family_of_groups_of_other_shapes_has_to_be_compared_first(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    restored = write(INSTANCE, dated("a"))
    shapes = await store.restore(restored, PUSHED, 0)
    assert shapes == {"a": "job"}
    assert await store.names() == [JOB.name]
    [copy] = await store.copies([(JOB.name, "a")])
    seen = Guard(shapes, {JOB.name: copy.version})
    assert await store.restore(restored._replace(guard=seen), PUSHED, 0) == {}
    await store.push(write(JOB, family("b")))
    assert await store.restore(restored._replace(guard=seen), PUSHED, 0) == shapes, "what was compared has changed"


HOUR = 3_600_000_000
FUTURE = 4_000_000_000_000_004


async def test_a_deadline_is_restored_and_listed(store: RedisStore) -> None:
    await store.push(write(JOB, family("a"))._replace(lifetime=HOUR))
    await store.push(write(OTHER, family("a"))._replace(lifetime=HOUR))
    await store.restore(write(JOB, dated("a")), PUSHED, 0, deadline=FUTURE)
    await store.restore(write(OTHER, dated("a")), PUSHED, 0)
    assert [(await read(store, key)).deadline for key in (JOB, OTHER)] == [FUTURE, 0]


async def test_what_had_expired_expires_again(store: RedisStore) -> None:
    await store.restore(write(JOB, dated("a")), PUSHED, 0, deadline=PUSHED + 1)
    assert (await read(store, JOB)).deadline == PUSHED + 1
    await store.expire()
    assert await store.names() == [], "nothing lingers here, and it expired long ago"


async def test_a_group_that_has_expired_is_replaced(store: RedisStore) -> None:
    await store.push(write(JOB, family("a"))._replace(lifetime=1))
    assert await store.restore(write(JOB, dated("b")), PUSHED, 0) == {}
    found = await read(store, JOB)
    assert ([each.name for each in found.fragments], found.deadline) == (["b"], 0)


@pytest.mark.parametrize(("rehearsal", "left"), [(False, [JOB.name]), (True, [])])
async def test_what_has_expired_is_in_nobodys_way(store: RedisStore, *, rehearsal: bool, left: list[str]) -> None:
    await store.push(write(OTHER, family("a", Type.COUNTER))._replace(lifetime=1))
    await store.push(write(group(job="j", instance=""), family("b"))._replace(lifetime=1))
    assert await store.restore(write(JOB, dated("a")), PUSHED, 0, rehearsal=rehearsal) == {}
    assert await store.names() == left


@pytest.mark.parametrize("rehearsal", [False, True])
@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(series=2), "series"),
        (Limits(groups=1), "groups"),
        (Limits(groups_per_job=1), "groups-per-job"),
    ],
)
async def test_the_limits_of_the_store_hold(
    redis_server: RedisServer, limits: Limits, reason: str, *, rehearsal: bool
) -> None:
    async with opened(redis_server.url, limits=limits) as store:
        await store.push(write(JOB, family("a"), family("b")))
        before = (await store.changes(Feed())).feed
        with pytest.raises(StoreFull, match=reason):
            await store.restore(write(INSTANCE, dated("c")), PUSHED, 0, rehearsal=rehearsal)
        assert (await store.changes(before)).changed == []
        assert await store.restore(write(JOB, dated("c"), dated("d")), PUSHED, 0, rehearsal=rehearsal) == {}


async def test_expired_groups_do_not_count_for_the_limits(redis_server: RedisServer) -> None:
    async with opened(redis_server.url, limits=Limits(series=2, groups=1)) as store:
        await store.push(write(OTHER, family("a"), family("b"))._replace(lifetime=1))
        assert await store.restore(write(JOB, dated("c"), dated("d")), PUSHED, 0) == {}
        assert await store.names() == [JOB.name]


Step = tuple[str, GroupingKey, dict[str, Type], int]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(
        st.sampled_from(["restore", "push", "replace", "delete", "expire"]),
        st.sampled_from([JOB, OTHER, INSTANCE]),
        st.dictionaries(st.sampled_from(["a", "a_sum", "b"]), st.sampled_from(list(Type)), max_size=3),
        st.sampled_from([0, 1, HOUR]),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_the_index_the_totals_and_the_deadlines_are_what_a_recount_gives(
    redis_server: RedisServer, steps: list[Step]
) -> None:
    connection = client(redis_server.url)
    connection.flushall()
    async with opened(redis_server.url) as store:
        for step in steps:
            await take(store, step)
        groups = [each for each in await store.groups(await store.names()) if each is not None]
        assert stored_index(connection) == recounted_index(groups)
        assert stored_totals(connection) == recounted_totals(groups)
        assert stored_deadlines(connection).keys() == {each.key.name for each in groups if each.deadline}
        assert connection.zcard(KEYS.changes) == len(groups)
    connection.close()


async def take(store: RedisStore, step: Step) -> None:
    """Take a step, which may be refused."""
    verb, key, types, lifetime = step
    pushed = write(key, *(dated(name, kind) for name, kind in types.items()))._replace(lifetime=lifetime)
    with suppress(InconsistentPush):
        if verb == "restore":
            await store.restore(pushed, PUSHED, FAILED, deadline=lifetime and PUSHED + 3000 * lifetime)
        elif verb == "delete":
            await store.delete(key)
        elif verb == "expire":
            await store.expire()
        else:
            await (store.push if verb == "push" else store.replace)(pushed)
