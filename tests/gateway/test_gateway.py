"""Push, replace, delete and scrape on a real Redis: what is stored, what is refused, and what a failure leaves."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest
from gateways import Noting, Replica, read_text, replica
from pushes import INSTANCE, JOB, OTHER, group
from servers import RedisServer

from pgw.errors import BadGroupingKey, InconsistentPush, StoreConflict, StoreUnavailable
from pgw.gateway import gateway as gateway_module
from pgw.gateway.commit import ATTEMPTS
from pgw.gateway.mirror import SLICE_GROUPS
from pgw.model.family import Exposition, Family, Type
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey

NOT_UTF8 = group(job="\udcff")


async def failed(one: Replica, key: GroupingKey) -> bool:
    found = await one.group(key)
    return found is not None and found.failed_at > 0


async def test_a_push_is_on_the_next_page(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, '# TYPE a counter\na{x="1"} 1\nb 2\n')
        assert await one.lines() == ['a{instance="",job="j",x="1"} 1', 'b{instance="",job="j"} 2']
        await one.push(JOB, "b 3\n")
        await one.replace(OTHER, "b 4\n")
        assert len(await one.lines()) == 3
        await one.replace(JOB, "c 5\n")
        assert await one.lines() == ['b{instance="",job="k"} 4', 'c{instance="",job="j"} 5']
        await one.gateway.delete(JOB)
        await one.gateway.delete(JOB)
        assert await one.lines() == ['b{instance="",job="k"} 4']
        await one.gateway.wipe()
        assert await one.lines() == []


async def test_every_group_shows_when_it_was_pushed(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        with pytest.raises(InconsistentPush):
            await one.push(OTHER, "a 1 1\n")
        pushed, other = await one.group(JOB), await one.group(OTHER)
        assert pushed is not None
        assert other is not None
        page = (await one.page()).decode()
        seconds = {"job": pushed.pushed_at / 1e6, "other": other.failed_at / 1e6}
        times = [line for line in page.split("\n") if line.startswith("push_")]
        values = [float(line.rpartition(" ")[2]) for line in times]
        assert [line.rpartition(" ")[0] for line in times] == [
            'push_failure_time_seconds{instance="",job="j"}',
            'push_failure_time_seconds{instance="",job="k"}',
            'push_time_seconds{instance="",job="j"}',
            'push_time_seconds{instance="",job="k"}',
        ]
        assert values == [0, seconds["other"], seconds["job"], 0]
        assert (
            "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.\n" in page
        )
        assert (
            "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.\n"
            in page
        )


# What is refused, and what it leaves behind.

BREAKING = {
    "a timestamp": "a 1 1\n",
    "a reserved label": 'a{__x="1"} 1\n',
    "a series twice": "a 1\na 2\n",
    "a series twice under the grouping labels": 'a{job="x"} 1\na{job="y"} 2\n',
    "an own family of another type": "# TYPE pushgateway_build_info counter\npushgateway_build_info 1\n",
    "a name that an own summary takes up": "pushgateway_http_push_size_bytes_sum 1\n",
}


@pytest.mark.parametrize("verb", ["push", "replace"])
@pytest.mark.parametrize("text", BREAKING.values(), ids=BREAKING)
async def test_an_inconsistent_push_leaves_nothing_but_its_failure_time(
    redis_server: RedisServer, text: str, verb: str
) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "b 1\n")
        before = await one.group(JOB)
        assert before is not None
        for key in (JOB, OTHER):
            with pytest.raises(InconsistentPush):
                await getattr(one, verb)(key, text)
        after = await one.group(JOB)
        assert isinstance(after, Group)
        assert after == before._replace(failed_at=after.failed_at)
        assert after.failed_at > before.pushed_at
        assert await failed(one, OTHER)


async def test_a_clash_with_another_group_is_noted_once(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "# TYPE a counter\na 1\n")
        with pytest.raises(InconsistentPush):
            await one.push(OTHER, "# TYPE a gauge\na 1\n")
        assert await failed(one, OTHER)
        assert one.store.calls["fail"] == 0  # the script has done so in the same step


@pytest.mark.parametrize("verb", ["push", "replace"])
async def test_a_key_that_is_not_utf8_is_refused_and_makes_no_group(redis_server: RedisServer, verb: str) -> None:
    async with replica(redis_server.url) as one:
        with pytest.raises(BadGroupingKey, match="not utf8"):
            await getattr(one, verb)(NOT_UTF8, "a 1\n")
        await one.gateway.delete(NOT_UTF8)
        assert await one.redis.names() == []
        assert one.store.calls == {}


async def test_a_group_beside_its_twin_is_refused_and_makes_no_group(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, "a 1\n")
        for text in ("a 1\n", "a 1 1\n"):
            with pytest.raises((BadGroupingKey, InconsistentPush)):
                await one.push(group(job="j", instance=""), text)
        assert await one.redis.names() == [JOB.name]


async def test_push_times_are_never_taken_from_a_push(redis_server: RedisServer) -> None:
    text = "# TYPE push_failure_time_seconds counter\npush_failure_time_seconds 7\npush_time_seconds 8\na 1\n"
    async with replica(redis_server.url) as one:
        for _ in range(2):
            await one.push(JOB, text)
            await one.replace(OTHER, text)
            page = (await one.page()).decode()
            assert " 7\n" not in page
            assert " 8\n" not in page
            assert "# TYPE push_failure_time_seconds gauge\n" in page
            assert await one.lines() == ['a{instance="",job="j"} 1', 'a{instance="",job="k"} 1']


# The same series in groups of different shapes.

SAME = {
    "samples": ("a{{{0}}} 1\n", "a"),
    "histograms": ('# TYPE a histogram\na_bucket{{{0}le="1"}} 1\na_sum{{{0}}} 1\na_count{{{0}}} 1\n', "a"),
    "summaries": ('# TYPE a summary\na{{{0}quantile="0.5"}} 1\na_sum{{{0}}} 1\na_count{{{0}}} 1\n', "a"),
}
KINDS = pytest.mark.parametrize("text", [text for text, _ in SAME.values()], ids=SAME)


@KINDS
async def test_a_series_that_a_more_detailed_group_holds_is_refused(redis_server: RedisServer, text: str) -> None:
    async with replica(redis_server.url) as one:
        await one.push(INSTANCE, text.format(""))
        words = r'^pushed.*"a" a.*\{instance="i",job="j"\} was collected before .*, in the group job/j/instance/i$'
        with pytest.raises(InconsistentPush, match=words):
            await one.push(JOB, text.format('instance="i",'))
        assert await failed(one, JOB)
        await one.push(JOB, text.format('instance="other",'))
        assert {INSTANCE.name, JOB.name} == set(await one.redis.names())


@KINDS
async def test_a_series_that_a_less_detailed_group_holds_is_refused(redis_server: RedisServer, text: str) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, text.format('instance="i",'))
        with pytest.raises(InconsistentPush, match=r"in the group job/j$"):
            await one.replace(INSTANCE, text.format(""))
        assert await failed(one, INSTANCE)
        await one.push(group(job="j", instance="other"), text.format(""))
        await one.gateway.delete(JOB)
        await one.replace(INSTANCE, text.format(""))


async def test_groups_of_many_shapes_are_all_looked_at(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        labels = {"a": "1", "b": "2", "c": "3"}
        body = ",".join(f'{name}="{value}"' for name, value in labels.items())
        for name, value in labels.items():
            await one.push(group(job="j", **{name: value}), "m 1\nn 1\n")
        await one.push(group(job="k"), f"m{{{body}}} 1\nn 2\n")
        await one.push(JOB, f"m{{{body}}} 1\nn 2\n")
        assert len(await one.lines()) == 10
        holder = group(job="j", b="2")
        await one.gateway.delete(JOB)
        await one.push(holder, 'm{a="1",c="3"} 1\n')
        with pytest.raises(InconsistentPush, match=f"in the group {holder.name}$"):
            await one.push(JOB, f"m{{{body}}} 1\nn 2\n")


async def test_ordinary_pushes_are_stored_with_one_call(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        for number in range(5):
            await one.push(group(job=f"j{number}"), "a 1\n")
        assert one.store.calls == {"push": 5}


async def test_a_push_that_was_compared_is_compared_again_when_its_rival_changes(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await other.push(INSTANCE, 'a{x="0"} 1\n')
        times = 0

        async def move() -> None:
            """Before the second and the third commit the rival is pushed again, at last with the same series."""
            nonlocal times
            times += 1
            if times == 2:
                await other.push(INSTANCE, 'a{x="1"} 2\n')
            if times == 3:
                await other.push(INSTANCE, "a 3\n")

        one.store.before["push"] = move
        with pytest.raises(InconsistentPush, match="was collected before"):
            await one.push(JOB, 'a{instance="i"} 1\n')
        assert times == 3
        assert await other.lines() == ['a{instance="i",job="j"} 3']


async def test_a_push_whose_rivals_never_rest_is_a_conflict(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await other.push(INSTANCE, "a 1\n")
        numbers = count()

        async def move() -> None:
            await other.push(INSTANCE, f'a{{n="{next(numbers)}"}} 1\n')

        one.store.before["push"] = move
        with pytest.raises(StoreConflict, match=f"changed {ATTEMPTS} times"):
            await one.push(JOB, 'a{instance="i",x="1"} 1\n')
        assert one.store.calls["push"] == ATTEMPTS + 1
        assert not await failed(one, JOB)


async def test_a_push_gets_through_while_groups_of_new_shapes_appear(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await other.push(INSTANCE, "a 1\nb 1\n")
        shapes = iter("xyz")

        async def appear() -> None:
            for shape in shapes:
                await other.push(group(job="k", **{shape: "1"}), "a 1\n")
                return

        one.store.before["push"] = appear
        await one.push(JOB, "a 1\nb 1\n")
        assert len(await one.lines()) == 7
        assert one.store.calls["push"] <= ATTEMPTS


# Pushes that are not checked.


async def test_unchecked_pushes_that_clash_are_stored_and_the_newest_is_shown(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, checked=False) as one:
        assert not one.gateway.checks
        await one.push(JOB, '# TYPE a counter\na{instance="i"} 1\n')
        await one.push(INSTANCE, "# TYPE a gauge\na 2\n")
        assert await one.lines() == ['a{instance="i",job="j"} 2']
        assert one.mirror.view.hidden_samples == 1
        await one.gateway.delete(INSTANCE)
        assert await one.lines() == ['a{instance="i",job="j"} 1']


async def test_of_a_series_that_comes_twice_unchecked_the_last_is_kept(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, checked=False) as one:
        await one.push(JOB, 'a{job="x"} 1\na{job="y"} 2\n')
        assert await one.lines() == ['a{instance="",job="j"} 2']


async def test_an_unchecked_push_with_timestamps_only_leaves_its_failure_time(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, checked=False) as one:
        await one.push(JOB, "a 1 1\n")
        found = await one.group(JOB)
        assert found is not None
        assert (found.pushed_at, found.fragments, found.failed_at > 0) == (0, (), True)


async def test_an_unchecked_push_that_no_page_could_show_is_refused(redis_server: RedisServer) -> None:
    async with replica(redis_server.url, checked=False) as one:
        with pytest.raises(InconsistentPush, match="explicit"):
            await one.push(group(job="j", quantile="1"), "# TYPE a summary\na_sum 1\n")
        assert await failed(one, group(job="j", quantile="1"))


async def test_a_checked_gateway_beside_an_unchecked_one_refuses_what_clashes(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as checked, replica(redis_server.url, checked=False) as unchecked:
        await checked.push(INSTANCE, "a 1\n")
        await unchecked.push(JOB, 'a{instance="i"} 2\n')
        assert await checked.lines() == await unchecked.lines() == ['a{instance="i",job="j"} 2']
        with pytest.raises(InconsistentPush):
            await checked.push(JOB, 'a{instance="i"} 3\n')
        await checked.push(INSTANCE, "a 4\n")
        assert await checked.lines() == await unchecked.lines() == ['a{instance="i",job="j"} 4']


# Readiness, and Redis away.


async def test_a_gateway_is_ready_once_its_view_is_loaded(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        asked = asyncio.create_task(one.gateway.ready())
        done, _ = await asyncio.wait({asked}, timeout=0.05)
        assert not done
        await one.mirror.refresh()
        await asked
        await one.gateway.ready()


async def test_a_gateway_whose_view_takes_long_to_load_is_not_ready(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "LOAD_PATIENCE", 0.05)
    async with replica(redis_server.url) as one:
        with pytest.raises(StoreUnavailable, match="the view is being loaded"):
            await one.gateway.ready()


async def test_nothing_is_accepted_while_redis_is_away(own_redis: RedisServer) -> None:
    async with replica(own_redis.url) as one:
        await one.push(JOB, "a 1\n")
        await one.page()
        own_redis.program.end()
        doing = (
            lambda: one.push(JOB, "a 1\n"),
            lambda: one.push(JOB, "a 1 1\n"),
            lambda: one.replace(JOB, "a 1\n"),
            lambda: one.gateway.delete(JOB),
            one.page,
            one.gateway.ready,
        )
        for each in doing:
            with pytest.raises(StoreUnavailable):
                await each()
        own_redis.start()
        await one.push(JOB, "a 2\n")
        assert await one.lines() == ['a{instance="",job="j"} 2']
        await one.gateway.ready()


async def test_a_family_without_metrics_is_stored_and_not_shown(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.gateway.push(JOB, Exposition([Family("a", Type.GAUGE, "Help.", [])]))
        found = await one.group(JOB)
        assert found is not None
        assert [(each.name, each.text) for each in found.fragments] == [("a", b"")]
        assert b"# TYPE a " not in await one.page()


async def test_all_groups_are_read_in_slices_sorted_by_name(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        names = [f"j{number:03d}" for number in range(SLICE_GROUPS + 2)]
        for name in reversed(names):
            await one.push(group(job=name), "a 1\n")
        slices = [groups async for groups in one.gateway.groups()]
        assert list(map(len, slices)) == [SLICE_GROUPS, 2]
        assert [dict(each.key.labels)["job"] for groups in slices for each in groups] == names
        families = {"a", "push_failure_time_seconds", "push_time_seconds"}
        assert all({each.name for each in found.fragments} == families for groups in slices for found in groups)


async def test_families_show_every_push_that_was_answered(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await one.push(JOB, "a 1\n")
        await one.gateway.families()
        await other.push(OTHER, "a 2\n")
        [family] = [each for each in await one.gateway.families() if each[0].name == "a"]
        assert [each.text for each in family] == [b'a{instance="",job="j"} 1\n', b'a{instance="",job="k"} 2\n']


def test_a_noting_store_is_what_the_gateway_may_be_given() -> None:
    """The double has no methods of its own: it can only say what the store says."""
    assert {name for name in vars(Noting) if not name.startswith("_")} == {"waiting"}
    assert read_text("a 1\n").families[0].name == "a"
