"""`pgw delete`: which groups go, what it tells, and that old ones can be chosen. (Its flags are in test_cli.py.)"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from ages import set_back
from pushes import KEYS, OTHER, PREFIX, client, family, group, opened, stored_totals, write

from pgw import cli
from pgw.gateway.removal import SLICE_NAMES

if TYPE_CHECKING:
    from servers import RedisServer

pytestmark = pytest.mark.usefixtures("plain_environment")

OLD = group(job="ci", instance="old")
YOUNG = group(job="ci", instance="young")
EXPIRED = group(job="ci", instance="expired")
CI = [OLD.name, YOUNG.name]
MATCH = "--match={job='ci'}"
HOUR = 3600


@pytest.fixture
def place(redis_server: RedisServer) -> list[str]:
    """The flags that name a store with three groups, one of them two hours old."""

    async def fill() -> None:
        async with opened(redis_server.url) as store:
            for key in (OLD, YOUNG, OTHER):
                await store.push(write(key, family(f"of_{key.labels[0][1]}")))

    asyncio.run(fill())
    set_back(redis_server.url, KEYS, OLD, seconds=2 * HOUR)
    return [f"--redis.url={redis_server.url}", f"--redis.prefix={PREFIX}"]


def names(server: RedisServer) -> list[str]:
    async def read() -> list[str]:
        async with opened(server.url) as store:
            return await store.names()

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ([MATCH], CI),
        ([MATCH, "--older-than", "1h"], [OLD.name]),
        ([MATCH, "--older-than=3h"], []),
        (["--match={instance='young'}", "--match={job='k'}"], [YOUNG.name, OTHER.name]),
        (["--match={job='none'}"], []),
    ],
)
def test_the_groups_that_are_selected_go_and_no_others(
    place: list[str], redis_server: RedisServer, words: list[str], gone: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = names(redis_server)
    count = f"{len(gone)} group" if len(gone) == 1 else f"{len(gone)} groups"
    assert cli.main(["delete", "--dry-run", *words, *place]) == 0
    assert capsys.readouterr().out.splitlines() == [*gone, f"{count} would be deleted"]
    assert names(redis_server) == before
    assert cli.main(["delete", *words, *place]) == 0
    assert capsys.readouterr().out == f"{count} deleted\n"
    assert names(redis_server) == [name for name in before if name not in gone]


@pytest.mark.parametrize("dry_run", [True, False])
def test_programs_are_told_which_groups(place: list[str], capsys: pytest.CaptureFixture[str], *, dry_run: bool) -> None:
    assert cli.main(["delete", MATCH, "--json", *(["--dry-run"] if dry_run else []), *place]) == 0
    assert json.loads(capsys.readouterr().out) == {"groups": CI, "count": 2, "dry_run": dry_run}


def test_very_many_groups_go_in_steps(redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    count = 2 * SLICE_NAMES + 1

    async def fill() -> None:
        async with opened(redis_server.url) as store:
            keys = (group(job="ci", instance=str(number)) for number in range(count))
            await asyncio.gather(*(store.push(write(key, family("a"))) for key in keys))

    asyncio.run(fill())
    assert cli.main(["delete", MATCH, f"--redis.url={redis_server.url}", f"--redis.prefix={PREFIX}"]) == 0
    assert capsys.readouterr().out == f"{count} groups deleted\n"
    assert names(redis_server) == []
    with client(redis_server.url) as connection:
        assert stored_totals(connection) == {}


@pytest.mark.parametrize(("linger", "count"), [("1h", "1 group"), ("0s", "0 groups")])
def test_what_lingers_can_be_deleted_and_what_has_gone_cannot(
    redis_server: RedisServer, linger: str, count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fill() -> None:
        async with opened(redis_server.url) as store:
            await store.push(write(EXPIRED, family("a"))._replace(lifetime=1))

    asyncio.run(fill())
    words = [f"--redis.url={redis_server.url}", f"--redis.prefix={PREFIX}", f"--push.ttl-linger={linger}"]
    assert cli.main(["delete", MATCH, *words]) == 0
    assert capsys.readouterr().out == f"{count} deleted\n"
    assert names(redis_server) == []
