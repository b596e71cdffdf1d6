"""Each script by the contract at its head, on a real Redis and in fakeredis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pushes import (
    INSTANCE,
    JOB,
    KEYS,
    OTHER,
    PERMANENT,
    all_keys,
    client,
    family,
    group,
    held,
    opened,
    opened_fake,
    read,
    recounted_index,
    stored_index,
    write,
)
from servers import RedisServer

from pgw.errors import BadGroupingKey, InconsistentPush
from pgw.model.family import Type
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey
from pgw.store.base import Changes, Feed, Guard
from pgw.store.link import Reply
from pgw.store.redis_store import NAMES_AT_ONCE, RedisStore
from pgw.store.writer import BATCH_PUSHES

HISTOGRAM, SUMMARY, COUNTER, GAUGE = Type.HISTOGRAM, Type.SUMMARY, Type.COUNTER, Type.GAUGE
TWIN = group(job="j", instance="")


@pytest.fixture(params=["server", "fakeredis"])
async def store(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[RedisStore]:
    if request.param == "fakeredis":
        async with opened_fake() as fake:
            yield fake
        return
    async with opened(redis_server.url) as real:
        yield real
        known = {KEYS.group(name) for name in await real.names()}
    connection = client(redis_server.url)
    assert all_keys(connection) <= PERMANENT | known, "a key that is neither permanent nor that of a group"
    connection.close()


async def stored_groups(store: RedisStore) -> list[Group]:
    return [each for each in await store.groups(await store.names()) if each is not None]


async def test_a_group_that_was_never_pushed_does_not_exist(store: RedisStore) -> None:
    assert await store.groups([JOB.name]) == [None]
    assert await store.names() == []
    assert await store.copies([(JOB.name, "a")]) == [("", None)]
    assert await store.copies([]) == []


async def test_a_push_is_stored_with_its_time(store: RedisStore) -> None:
    assert await store.push(write(JOB, family("a", value="7"))) == {}
    stored = await read(store, JOB)
    assert stored.key == JOB
    assert stored.failed_at == 0
    assert abs(stored.pushed_at - (await store.changes(Feed())).now) < 60_000_000
    assert stored.fragments == (family("a", value="7")._replace(pushed_at=stored.pushed_at),)


async def test_a_push_replaces_its_families_and_keeps_the_others(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", value="1"), family("b", value="1")))
    before = await read(store, JOB)
    await store.push(write(JOB, family("b", value="2"), family("c", value="2")))
    after = await read(store, JOB)
    assert [each.text for each in after.fragments] == [b"a 1\n", b"b 2\n", b"c 2\n"]
    assert [each.pushed_at for each in after.fragments] == [before.pushed_at, after.pushed_at, after.pushed_at]


async def test_a_replace_drops_what_it_does_not_hold(store: RedisStore) -> None:
    await store.push(write(JOB, family("a"), family("b")))
    await store.replace(write(JOB, family("b"), family("c")))
    assert await held(store, JOB) == {"b": GAUGE, "c": GAUGE}


async def test_a_replace_drops_what_an_earlier_push_had_left_beside_the_same_families(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.push(write(JOB, family("b")))
    await store.replace(write(JOB, family("b")))
    assert await held(store, JOB) == {"b": GAUGE}


async def test_an_empty_push_makes_the_group_and_renews_its_time(store: RedisStore) -> None:
    await store.push(write(JOB))
    first = await read(store, JOB)
    assert (first.fragments, first.failed_at) == ((), 0)
    await store.push(write(JOB, family("a")))
    await store.push(write(JOB))
    last = await read(store, JOB)
    assert last.pushed_at > first.pushed_at
    assert await held(store, JOB) == {"a": GAUGE}


async def test_an_empty_replace_leaves_the_group_without_families(store: RedisStore) -> None:
    await store.push(write(JOB, family("a"), family("b")))
    await store.replace(write(JOB))
    assert await held(store, JOB) == {}
    assert await store.names() == [JOB.name]


async def test_an_empty_replace_does_not_end_what_the_signature_knew(store: RedisStore) -> None:
    await store.replace(write(JOB))
    await store.push(write(JOB, family("a")))
    await store.replace(write(JOB))
    assert await held(store, JOB) == {}


async def test_the_same_series_again_bring_new_values(store: RedisStore) -> None:
    for value in ("1", "2", "3"):
        await store.push(write(JOB, family("a", value=value)))
        assert (await read(store, JOB)).fragments[0].text == f"a {value}\n".encode()


@pytest.mark.parametrize("verb", ["push", "replace"])
async def test_a_success_keeps_the_last_failure_time(store: RedisStore, verb: str) -> None:
    await store.push(write(JOB, family("a")))
    await store.fail(JOB)
    failed_at = (await read(store, JOB)).failed_at
    for series in ("", "other"):
        await getattr(store, verb)(write(JOB, family("a"), series=series))
        stored = await read(store, JOB)
        assert stored.failed_at == failed_at > 0
        assert stored.pushed_at > failed_at


async def test_a_failure_keeps_families_and_push_time(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    before = await read(store, JOB)
    await store.fail(JOB)
    after = await read(store, JOB)
    assert after == before._replace(failed_at=after.failed_at)
    assert after.failed_at > before.pushed_at


async def test_a_failure_makes_a_group_that_has_nothing_but_its_time(store: RedisStore) -> None:
    await store.fail(JOB)
    stored = await read(store, JOB)
    assert (stored.key, stored.pushed_at, stored.fragments) == (JOB, 0, ())
    assert stored.failed_at > 0


async def test_a_failure_makes_no_group_beside_its_twin(store: RedisStore) -> None:
    await store.push(write(JOB))
    before = (await store.changes(Feed())).feed
    await store.fail(TWIN)
    assert await store.names() == [JOB.name]
    assert (await store.changes(before)).changed == []


# The types of a family.


@pytest.mark.parametrize("verb", ["push", "replace"])
async def test_a_type_that_another_group_does_not_have_is_refused(store: RedisStore, verb: str) -> None:
    await store.push(write(OTHER, family("a", COUNTER)))
    await store.push(write(JOB, family("b")))
    before = await read(store, JOB)
    with pytest.raises(
        InconsistentPush, match='"a" is not a family of type counter, as other groups have it, but of type gauge'
    ):
        await getattr(store, verb)(write(JOB, family("b", value="2"), family("a", GAUGE)))
    after = await read(store, JOB)
    assert after == before._replace(failed_at=after.failed_at)
    assert after.failed_at > before.pushed_at


async def test_a_refused_first_push_makes_a_group_with_its_failure_time(store: RedisStore) -> None:
    await store.push(write(OTHER, family("a", COUNTER)))
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family("a", GAUGE)))
    stored = await read(store, JOB)
    assert (stored.pushed_at, stored.fragments, stored.failed_at > 0) == (0, (), True)


@pytest.mark.parametrize("verb", ["push", "replace"])
async def test_a_family_may_change_its_type_where_no_other_group_holds_it(store: RedisStore, verb: str) -> None:
    await store.push(write(JOB, family("a", COUNTER)))
    await getattr(store, verb)(write(JOB, family("a", HISTOGRAM)))
    assert await held(store, JOB) == {"a": HISTOGRAM}


@pytest.mark.parametrize("verb", ["push", "replace"])
async def test_a_family_may_not_change_its_type_while_another_group_holds_it(store: RedisStore, verb: str) -> None:
    await store.push(write(JOB, family("a", COUNTER)))
    await store.push(write(OTHER, family("a", COUNTER)))
    with pytest.raises(InconsistentPush):
        await getattr(store, verb)(write(JOB, family("a", GAUGE)))
    await store.delete(OTHER)
    await getattr(store, verb)(write(JOB, family("a", GAUGE)))
    assert await held(store, JOB) == {"a": GAUGE}


# Names that a histogram or a summary takes up.

OWNERS = [
    (HISTOGRAM, "_count"),
    (HISTOGRAM, "_sum"),
    (HISTOGRAM, "_bucket"),
    (Type.GAUGE_HISTOGRAM, "_count"),
    (Type.GAUGE_HISTOGRAM, "_sum"),
    (Type.GAUGE_HISTOGRAM, "_bucket"),
    (SUMMARY, "_count"),
    (SUMMARY, "_sum"),
]
WHERE = pytest.mark.parametrize("key", [JOB, OTHER], ids=["own-group", "other-group"])


@WHERE
@pytest.mark.parametrize(("owner", "suffix"), OWNERS)
async def test_a_name_that_another_family_takes_up_is_refused(
    store: RedisStore, owner: Type, suffix: str, key: GroupingKey
) -> None:
    await store.push(write(JOB, family("x", owner)))
    words = f'"x{suffix}" collides with previously collected {owner.word} named "x"'
    with pytest.raises(InconsistentPush, match=words):
        await store.push(write(key, family("x" + suffix)))
    assert (await read(store, key)).failed_at > 0


@WHERE
@pytest.mark.parametrize(("owner", "suffix"), OWNERS)
async def test_a_family_that_would_take_up_the_name_of_another_is_refused(
    store: RedisStore, owner: Type, suffix: str, key: GroupingKey
) -> None:
    await store.push(write(JOB, family("x" + suffix)))
    words = f'"x{suffix}" collides with previously collected {owner.word} named "x"'
    with pytest.raises(InconsistentPush, match=words):
        await store.push(write(key, family("x", owner)))


FREE = [(SUMMARY, "_bucket"), (GAUGE, "_count"), (COUNTER, "_sum"), (Type.UNTYPED, "_bucket"), (HISTOGRAM, "_total")]


@pytest.mark.parametrize(("owner", "suffix"), FREE)
async def test_a_name_that_no_family_takes_up_may_stand(store: RedisStore, owner: Type, suffix: str) -> None:
    await store.push(write(JOB, family("x", owner)))
    await store.push(write(OTHER, family("x" + suffix)))
    await store.push(write(JOB, family("y" + suffix)))
    await store.push(write(OTHER, family("y", owner)))
    assert await held(store, OTHER) == {"x" + suffix: GAUGE, "y": owner}


async def test_a_replace_may_put_a_histogram_in_the_place_of_the_name_it_takes_up(store: RedisStore) -> None:
    await store.push(write(JOB, family("x_count"), family("x_sum")))
    await store.replace(write(JOB, family("x", HISTOGRAM)))
    assert await held(store, JOB) == {"x": HISTOGRAM}
    await store.replace(write(JOB, family("x_bucket")))
    assert await held(store, JOB) == {"x_bucket": GAUGE}


async def test_a_change_of_type_may_not_take_up_the_name_of_another_family(store: RedisStore) -> None:
    await store.push(write(JOB, family("x"), family("x_sum")))
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family("x", SUMMARY)))
    assert await held(store, JOB) == {"x": GAUGE, "x_sum": GAUGE}


async def test_a_family_named_like_nothing_but_a_suffix_may_stand(store: RedisStore) -> None:
    await store.push(write(JOB, family("_count"), family("_sum"), family("_bucket")))
    await store.push(write(JOB, family("x", HISTOGRAM)))
    assert set(await held(store, JOB)) == {"_bucket", "_count", "_sum", "x"}


# Groups whose push times would be the same series.


@pytest.mark.parametrize(("one", "two"), [(JOB, TWIN), (TWIN, JOB)])
async def test_a_group_cannot_be_made_beside_its_twin(store: RedisStore, one: GroupingKey, two: GroupingKey) -> None:
    await store.push(write(one))
    for checked in (True, False):
        with pytest.raises(BadGroupingKey, match=f"the group {one.name} exists"):
            await store.push(write(two, family("a"), checked=checked))
    assert await store.names() == [one.name]
    await store.delete(one)
    await store.push(write(two, family("a")))
    assert await store.names() == [two.name]


# Families that live in groups of different shapes.


async def test_a_family_of_groups_of_one_shape_is_stored_at_once(store: RedisStore) -> None:
    for number in range(5):
        assert await store.push(write(group(job=f"j{number}"), family("a"))) == {}


async def test_a_family_that_lives_under_another_shape_has_to_be_compared(store: RedisStore) -> None:
    await store.push(write(INSTANCE, family("a"), family("b")))
    before = (await store.changes(Feed())).changed
    assert await store.push(write(JOB, family("a"), family("c"))) == {"a": "instance,job"}
    assert (await store.changes(Feed())).changed == before
    assert await store.push(write(JOB, family("a"), family("c"), guard=Guard({"a": "instance,job"}, {}))) == {}


async def test_a_guard_holds_while_its_witnesses_stay_as_they_were(store: RedisStore) -> None:
    await store.push(write(INSTANCE, family("a")))
    [(version, fragment), missing] = await store.copies([(INSTANCE.name, "a"), ("job/none/instance/x", "a")])
    assert fragment is not None
    assert missing == ("", None)
    guard = Guard({"a": "instance,job"}, {INSTANCE.name: version, "job/none/instance/x": ""})
    assert await store.push(write(JOB, family("a"), guard=guard)) == {}


@pytest.mark.parametrize("change", ["push", "delete", "fail", "create"])
async def test_a_witness_that_has_moved_makes_the_push_look_again(store: RedisStore, change: str) -> None:
    await store.push(write(INSTANCE, family("a")))
    await store.push(write(group(job="k", instance="i"), family("a")))  # so that the shape stays when one is deleted
    [(version, _)] = await store.copies([(INSTANCE.name, "a")])
    guard = Guard({"a": "instance,job"}, {INSTANCE.name: version, "job/new/instance/n": ""})
    if change == "push":
        await store.push(write(INSTANCE, family("a"), series="other"))
    elif change == "delete":
        await store.delete(INSTANCE)
    elif change == "fail":
        await store.fail(INSTANCE)
    else:
        await store.push(write(group(job="new", instance="n")))
    assert await store.push(write(JOB, family("a"), guard=guard)) == {"a": "instance,job"}
    assert JOB.name not in await store.names()


async def test_a_witness_that_moves_in_the_same_batch_makes_the_push_look_again(store: RedisStore) -> None:
    await store.push(write(INSTANCE, family("a")))
    [(version, _)] = await store.copies([(INSTANCE.name, "a")])
    guard = Guard({"a": "instance,job"}, {INSTANCE.name: version})
    pushes = [write(INSTANCE, family("a"), series="other"), write(JOB, family("a"), guard=guard)]
    assert await asyncio.gather(*map(store.push, pushes)) == [{}, {"a": "instance,job"}]


@pytest.mark.parametrize("was_read", [False, True])
async def test_a_witness_with_other_values_is_the_same_witness(store: RedisStore, *, was_read: bool) -> None:
    await store.push(write(INSTANCE, family("a")))
    if was_read:
        await store.changes(Feed())
    [(version, _)] = await store.copies([(INSTANCE.name, "a")])
    await store.push(write(INSTANCE, family("a", value="2")))
    guard = Guard({"a": "instance,job"}, {INSTANCE.name: version})
    assert await store.push(write(JOB, family("a"), guard=guard)) == ({"a": "instance,job"} if was_read else {})


@pytest.mark.parametrize("name", ['a "quoted" one', "a\\b", "größe_😀", "two\nlines", "tab\tand/", "nul\0", "{}"])
async def test_a_guard_names_families_and_groups_of_any_letters(store: RedisStore, name: str) -> None:
    zone = GroupingKey((("job", "j"), ("zöne 😀", 'an "odd" one\n')))
    await store.push(write(zone, family(name)))
    look = await store.push(write(JOB, family(name)))
    [(version, _)] = await store.copies([(zone.name, name)])
    assert await store.push(write(JOB, family(name), guard=Guard(look, {zone.name: version + "0"}))) == look
    assert await store.push(write(JOB, family(name), guard=Guard(look, {zone.name: version}))) == {}
    assert await held(store, JOB) == {name: GAUGE}


async def test_very_many_families_are_written_again_as_they_were_written_first(store: RedisStore) -> None:
    names = [f"m{number}" for number in range(9_000)]  # more than one call of a script can pass on
    for value in ("1", "2"):
        await store.push(write(JOB, *(family(name, value=value) for name in names)))
        found = {each.name: each.text for each in (await read(store, JOB)).fragments}
        assert found == {name: family(name, value=value).text for name in names}


async def test_a_copy_of_a_family_that_the_group_does_not_hold_is_none(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    [copy] = await store.copies([(JOB.name, "b")])
    assert copy.fragment is None
    assert copy.version == str((await store.changes(Feed())).feed.version)


async def test_a_new_shape_makes_the_push_look_again_at_all_its_families(store: RedisStore) -> None:
    """The guards that come back are those of the last answer, so one that names fewer families never ends."""
    await store.push(write(INSTANCE, family("a"), family("b")))
    look = await store.push(write(JOB, family("a"), family("b")))
    assert look == {"a": "instance,job", "b": "instance,job"}
    zone = group(job="j", zone="z")
    await store.push(write(zone, family("a"), guard=Guard({"a": "instance,job job"}, {})))
    look = await store.push(write(JOB, family("a"), family("b"), guard=Guard(look, {})))
    assert {name: set(shapes.split()) for name, shapes in look.items()} == {
        "a": {"instance,job", "job,zone"},
        "b": {"instance,job"},
    }
    assert await store.push(write(JOB, family("a"), family("b"), guard=Guard(look, {}))) == {}


async def test_a_guard_for_one_shape_does_not_do_for_one_that_its_name_is_a_part_of(store: RedisStore) -> None:
    await store.push(write(INSTANCE, family("a")))
    await store.push(write(group(job="j", instance="i", zone="z"), family("a"), guard=Guard({"a": "instance,job"}, {})))
    longer = "instance,job,zone"
    look = await store.push(write(JOB, family("a"), guard=Guard({"a": longer}, {})))
    assert set(look["a"].split()) == {"instance,job", longer}


async def test_the_same_series_again_are_not_compared_again(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.push(write(INSTANCE, family("a"), guard=Guard({"a": "job"}, {})))
    assert await store.push(write(JOB, family("a", value="2"))) == {}
    assert await store.push(write(JOB, family("a"), series="others")) == {"a": "instance,job"}


# Pushes that nobody checks.


async def test_an_unchecked_push_is_stored_whatever_it_clashes_with(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", COUNTER), family("x", HISTOGRAM)))
    fragments = (family("a"), family("x_count"), family("x", SUMMARY))
    assert await store.push(write(INSTANCE, *fragments, checked=False)) == {}
    stored = await read(store, INSTANCE)
    assert all(each.unchecked for each in stored.fragments)
    assert await held(store, INSTANCE) == {"a": GAUGE, "x": SUMMARY, "x_count": GAUGE}


async def test_a_checked_push_after_an_unchecked_one_is_checked(store: RedisStore) -> None:
    await store.push(write(OTHER, family("a", COUNTER)))
    await store.push(write(JOB, family("a"), checked=False))
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family("a")))
    await store.push(write(JOB, family("a", COUNTER)))
    assert [each.unchecked for each in (await read(store, JOB)).fragments] == [False]


@pytest.mark.parametrize("name", ["x", "x_count"])
async def test_a_clash_of_names_that_came_unchecked_does_not_pass_as_checked(store: RedisStore, name: str) -> None:
    kinds = {"x": HISTOGRAM, "x_count": GAUGE}
    both = [family(each, kind) for each, kind in kinds.items()]
    await store.push(write(JOB, *both, checked=False))
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family(name, kinds[name])))
    await store.replace(write(JOB, family(name, kinds[name])))
    assert await held(store, JOB) == {name: kinds[name]}


async def test_a_clash_of_names_across_groups_that_came_unchecked_does_not_pass_as_checked(store: RedisStore) -> None:
    await store.push(write(OTHER, family("x", HISTOGRAM)))
    await store.push(write(JOB, family("x_count"), checked=False))
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family("x_count")))


# Deletes.


async def test_a_delete_tells_whether_there_was_a_group(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    assert await store.delete(JOB)
    assert not await store.delete(JOB)
    assert not await store.delete(OTHER)
    assert await store.names() == []
    assert await store.groups([JOB.name]) == [None]


async def test_a_delete_frees_the_types_and_names_of_the_group(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", COUNTER), family("x", HISTOGRAM)))
    await store.delete(JOB)
    await store.push(write(OTHER, family("a", GAUGE), family("x_count")))
    assert await held(store, OTHER) == {"a": GAUGE, "x_count": GAUGE}


async def test_a_deleted_group_is_made_anew(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.fail(JOB)
    await store.delete(JOB)
    await store.push(write(JOB, family("b")))
    stored = await read(store, JOB)
    assert (stored.failed_at, [each.name for each in stored.fragments]) == (0, ["b"])


async def test_a_wipe_removes_all_groups_and_frees_their_names(store: RedisStore) -> None:
    await store.push(write(JOB, family("a", COUNTER)))
    await store.push(write(INSTANCE, family("b")))
    feed = (await store.changes(Feed())).feed
    assert await store.wipe() == 2
    changes = await store.changes(feed)
    assert (changes.everything, changes.changed) == (True, [])
    await store.push(write(OTHER, family("a", GAUGE)))
    assert (await store.changes(changes.feed)).changed == [OTHER.name]
    assert await store.names() == [OTHER.name]
    assert await store.wipe() == 1
    assert await store.wipe() == 0


# The change feed.


def told(changes: Changes) -> tuple[bool, list[str], list[str]]:
    return changes.everything, list(changes.changed), list(changes.deleted)


async def test_a_new_reader_is_told_everything(store: RedisStore) -> None:
    assert told(await store.changes(Feed())) == (False, [], [])
    await store.push(write(JOB))
    await store.push(write(OTHER))
    await store.delete(JOB)
    assert told(await store.changes(Feed())) == (True, [OTHER.name], [])


async def test_a_reader_is_told_what_happened_since(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.push(write(OTHER))
    feed = (await store.changes(Feed())).feed
    assert told(await store.changes(feed)) == (False, [], [])
    await store.push(write(JOB))
    await store.delete(OTHER)
    await store.fail(INSTANCE)
    changes = await store.changes(feed)
    assert told(changes) == (False, [JOB.name, INSTANCE.name], [OTHER.name])
    assert told(await store.changes(changes.feed)) == (False, [], [])


async def test_changes_come_in_the_order_in_which_they_were_made(store: RedisStore) -> None:
    keys = [group(job=name) for name in "dbca"]
    for key in [*keys, keys[1]]:
        await store.push(write(key))
    assert [name[-1] for name in (await store.changes(Feed())).changed] == ["d", "c", "a", "b"]


async def test_a_group_made_again_is_changed_and_not_deleted(store: RedisStore) -> None:
    await store.push(write(JOB))
    feed = (await store.changes(Feed())).feed
    await store.delete(JOB)
    await store.push(write(JOB))
    assert told(await store.changes(feed)) == (False, [JOB.name], [])
    await store.delete(JOB)
    await store.fail(JOB)
    assert told(await store.changes(feed)) == (False, [JOB.name], [])


async def test_a_refused_push_is_a_change_too(store: RedisStore) -> None:
    await store.push(write(JOB, family("a")))
    await store.push(write(OTHER, family("a")))
    feed = (await store.changes(Feed())).feed
    with pytest.raises(InconsistentPush):
        await store.push(write(JOB, family("a", COUNTER)))
    assert told(await store.changes(feed)) == (False, [JOB.name], [])


async def test_a_reader_that_missed_trimmed_tombstones_is_told_everything(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.TOMBSTONES_KEPT", 2)
    keys = [group(job=f"j{number}") for number in range(6)]
    for key in keys:
        await store.push(write(key))
    feeds = [(await store.changes(Feed())).feed]
    for key in keys[:5]:
        await store.delete(key)
        feeds.append((await store.changes(feeds[-1])).feed)
    answers = [told(await store.changes(feed)) for feed in feeds]
    alive = [keys[5].name]
    assert answers == [
        (True, alive, []),
        (True, alive, []),
        (True, alive, []),
        (False, [], [keys[3].name, keys[4].name]),
        (False, [], [keys[4].name]),
        (False, [], []),
    ]


@pytest.mark.parametrize("at_once", [2, 3, 7, 8])
async def test_a_long_answer_is_read_in_parts(store: RedisStore, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("pgw.store.redis_store.NAMES_AT_ONCE", at_once)
    names = [group(job=f"j{number}").name for number in range(7)]
    for number in range(7):
        await store.push(write(group(job=f"j{number}")))
    assert (await store.changes(Feed())).changed == names
    assert await store.names() == names


@pytest.mark.parametrize("at_once", [4, 5, 6, 9])
async def test_groups_of_one_version_come_in_the_same_part(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.NAMES_AT_ONCE", at_once)
    names = [group(job=f"j{number}").name for number in range(9)]
    for start in (0, 3, 6):
        await asyncio.gather(*(store.push(write(group(job=f"j{start + number}"))) for number in range(3)))
    assert (await store.changes(Feed())).changed == names


async def test_a_group_that_changes_while_the_list_is_read_is_in_the_list_of_names_once(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.NAMES_AT_ONCE", 2)
    names = [group(job=f"j{number}").name for number in range(5)]
    for number in range(5):
        await store.push(write(group(job=f"j{number}")))
    read = store._read_changes

    async def read_and_push(feed: Feed, cursor: str = "", *, follows: bool = False) -> Reply:
        reply = await read(feed, cursor, follows=follows)
        if not cursor:
            await store.push(write(group(job="j0"), family("a")))
        return reply

    monkeypatch.setattr(store, "_read_changes", read_and_push)
    assert await store.names() == names


def test_more_names_are_read_at_once_than_groups_can_share_a_version() -> None:
    """The cursor stands before the last version that was read, so that no group of a batch is lost."""
    assert NAMES_AT_ONCE > BATCH_PUSHES


# The gateway's own counters.


async def test_counts_are_added_up_and_dropped(store: RedisStore) -> None:
    await store.count({"a": 1.0, "b": 0.1}, [])
    await store.count({"a": 2.0, "b": 0.2, "c": 1e-7}, [])
    await store.count({}, ["a", "unknown"])
    telemetry = (await store.changes(Feed())).telemetry
    assert telemetry == {"b": pytest.approx(0.3), "c": pytest.approx(1e-7)}


async def test_a_store_answers_a_ping(store: RedisStore) -> None:
    await store.ping()
    assert store.waiting == 0


# The index of families.


async def test_the_index_is_what_a_recount_gives(redis_server: RedisServer) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a"), family("b", COUNTER)))
        await store.push(write(OTHER, family("a"), family("c")))
        await store.push(write(INSTANCE, family("a"), checked=False))
        await store.push(write(JOB, family("b", GAUGE)))
        await store.replace(write(OTHER, family("c")))
        connection = client(redis_server.url)
        assert stored_index(connection) == recounted_index(await stored_groups(store))
        assert stored_index(connection) == {
            "a": {(1, "instance,job"): 1, (1, "job"): 1},
            "b": {(1, "job"): 1},
            "c": {(1, "job"): 1},
        }
        for key in (JOB, OTHER, INSTANCE):
            await store.delete(key)
        assert stored_index(connection) == {}
        connection.close()


async def test_a_push_of_more_families_than_unpack_takes_is_stored_and_deleted(redis_server: RedisServer) -> None:
    many = [family(f"family_{number}") for number in range(9_001)]
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, *many))
        assert len(await held(store, JOB)) == 9_001
        await store.replace(write(JOB, *many[:4_500]))
        assert len(await held(store, JOB)) == 4_500
        await store.delete(JOB)
        connection = client(redis_server.url)
        assert all_keys(connection) == {KEYS.tombstones, KEYS.version, KEYS.epoch}
        connection.close()
