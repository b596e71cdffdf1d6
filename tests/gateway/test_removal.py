"""Deletion by selector: which groups it takes, in what steps, and what a push in between does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from ages import set_back
from gateways import Replica, replica
from pushes import KEYS, group, write
from servers import RedisServer

from pgw.errors import SelectorError
from pgw.gateway.removal import SLICE_NAMES, Removal, Step, read_selectors, remove_groups
from pgw.model.grouping import GroupingKey

CI = [group(job="ci", instance=f"runner-{number}") for number in range(3)]
BACKUP = group(job="backup", instance="db-1")
BARE = group(job="ci")
ALL = [*CI, BACKUP, BARE]


def removal(*selectors: str, older_than: float | None = None, dry_run: bool = False) -> Removal:
    return Removal(read_selectors(selectors), older_than, dry_run)


async def filled(one: Replica, keys: Iterable[GroupingKey] = ALL) -> None:
    for key in keys:
        await one.push(key, "a 1\n")


async def removed(one: Replica, wanted: Removal) -> set[GroupingKey]:
    return {key async for step in one.gateway.delete_groups(wanted) for key in step.removed}


SELECTED: list[tuple[Sequence[str], Sequence[GroupingKey]]] = [
    (['{job="ci",instance=~"runner-.*"}'], CI),
    (['{job="ci"}'], [*CI, BARE]),
    (['{job="ci",instance=""}'], [BARE]),
    (['{job="ci",instance!~"runner-[12]"}'], [CI[0], BARE]),
    (['{job="backup"}', '{instance="runner-0"}'], [BACKUP, CI[0]]),
    (['{job="other"}'], []),
    (['{instance!=""}'], [*CI, BACKUP]),
]


@pytest.mark.parametrize(("selectors", "expected"), SELECTED)
async def test_groups_that_a_selector_selects_are_removed_and_no_others(
    redis_server: RedisServer, selectors: list[str], expected: list[GroupingKey]
) -> None:
    async with replica(redis_server.url) as one, replica(redis_server.url) as other:
        await filled(one)
        await other.page()
        dry = await removed(one, removal(*selectors, dry_run=True))
        assert await removed(one, removal(*selectors)) == dry == set(expected)
        left = {key.name for key in ALL} - {key.name for key in expected}
        assert set(await one.redis.names()) == left
        assert len(await other.lines()) == len(left)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{job="', "a value in quotes"),
        ('{job=~".*"}', "this may select everything"),
        ("{}", "this may select everything"),
        ('up{job="ci"}', "groups are selected by their grouping key"),
        ('{__name__="up"}', "groups are selected by their grouping key"),
    ],
)
def test_a_selector_that_would_take_too_much_or_cannot_be_meant_is_refused(text: str, expected: str) -> None:
    with pytest.raises(SelectorError, match=expected):
        read_selectors(['{job="ci"}', text])


async def test_a_group_that_was_pushed_to_lately_stays(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await filled(one)
        set_back(redis_server.url, KEYS, CI[0], seconds=86_500)
        set_back(redis_server.url, KEYS, CI[1], seconds=86_300)
        assert await removed(one, removal('{job="ci"}', older_than=86_400)) == {CI[0]}


async def test_a_push_between_the_steps_saves_its_group(redis_server: RedisServer) -> None:
    many = [group(job="ci", instance=f"runner-{number:04}") for number in range(SLICE_NAMES + 10)]
    async with replica(redis_server.url) as one:
        for key in many:
            await one.redis.push(write(key))
            set_back(redis_server.url, KEYS, key, seconds=7_200)
        gone: list[GroupingKey] = []
        async for step in one.gateway.delete_groups(removal('{job="ci"}', older_than=3_600)):
            gone += step.removed
            await one.push(many[-1], "a 1\n")
        assert gone == many[:-1]
        assert await one.lines() == [f'a{{instance="{dict(many[-1].labels)["instance"]}",job="ci"}} 1']


async def test_each_step_tells_how_far_it_is(redis_server: RedisServer) -> None:
    many = [group(job=("ci", "other")[number % 2], instance=f"{number:04}") for number in range(2 * SLICE_NAMES + 1)]
    async with replica(redis_server.url) as one:
        for key in many:
            await one.redis.push(write(key))
        names = await one.redis.names()
        steps = [step async for step in remove_groups(one.redis, names, removal('{job="ci"}'))]
        assert [step.seen for step in steps] == [SLICE_NAMES, 2 * SLICE_NAMES, 2 * SLICE_NAMES + 1]
        assert {key for step in steps for key in step.removed} == set(many[::2])


async def test_a_name_that_no_push_has_made_is_passed_over(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await filled(one)
        names = ["job", "job/ci/instance", "job/%ff", *await one.redis.names()]
        steps = [step async for step in remove_groups(one.redis, names, removal('{job!=""}'))]
        assert steps == [Step(len(names), steps[0].removed)]
        assert set(steps[0].removed) == set(ALL)
