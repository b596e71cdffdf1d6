"""`pgw inspect`: the summary, the selectors, and that it only reads. (What it shows of groups is in test_cli.py.)"""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pushes import INSTANCE, JOB, OTHER, PREFIX, all_keys, client, family, group, opened, write

from pgw import __version__, cli
from pgw.model.family import Type

if TYPE_CHECKING:
    from servers import RedisServer

pytestmark = pytest.mark.usefixtures("plain_environment")

DOCUMENT = Path(__file__).parents[2] / "docs" / "redis.md"
GROUPS = 25


@pytest.fixture
def place(redis_server: RedisServer) -> list[str]:
    """The flags that name a store with 25 groups, one of them large, two of them failed, one without a push."""

    async def fill() -> None:
        async with opened(redis_server.url) as store:
            for number in range(GROUPS - 3):
                await store.push(write(group(job="ci", instance=f"r{number}"), family("a", value=str(number))))
            await store.push(write(OTHER, *(family(f"large_{number}", Type.COUNTER) for number in range(50))))
            await store.push(write(JOB, family("b")))
            await store.fail(JOB)
            await store.fail(INSTANCE)

    asyncio.run(fill())
    return [f"--redis.url={redis_server.url}", f"--redis.prefix={PREFIX}"]


def answer(words: list[str], capsys: pytest.CaptureFixture[str]) -> Any:  # noqa: ANN401  whatever JSON holds
    assert cli.main(["inspect", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_summary_counts_everything(place: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(place, capsys)
    assert (found["groups"], found["failed_groups"], found["families"]) == (GROUPS, 2, 52)
    assert found["series"] == GROUPS - 3 + 50 + 1
    assert (found["version"], found["shards"], found["pgw"]) == (GROUPS + 1, 1, __version__)
    assert re.fullmatch(r"[0-9a-f]{16}", found["epoch"])
    assert re.match(r"(Redis|Valkey) \d+\.\d+", found["server"])


def test_the_summary_tells_what_stands_out(place: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(place, capsys)
    assert found["largest_groups"][0]["group"] == OTHER.name
    sizes = [each["redis_bytes"] for each in found["largest_groups"]]
    assert sizes == sorted(sizes, reverse=True)
    assert found["largest_families"][0] == {
        "family": "a",
        "type": "gauge",
        "groups": GROUPS - 3,
        "series": GROUPS - 3,
        "bytes": sum(len(f"a {number}\n") for number in range(GROUPS - 3)),
    }
    assert [each["group"] for each in found["oldest_pushes"]] == [f"job/ci/instance/r{number}" for number in range(10)]
    assert [each["group"] for each in found["failed_pushes"]] == [INSTANCE.name, JOB.name], "the latest comes first"


def test_the_bytes_in_redis_are_those_of_all_keys(
    place: list[str], redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with client(redis_server.url) as connection:
        total = sum(int(connection.memory_usage(key, samples=0) or 0) for key in all_keys(connection))
    found = answer(place, capsys)
    assert found["redis_bytes"] == total
    assert total < found["redis_used_memory"]


def test_the_summary_for_people(place: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", *place]) == 0
    facts, *tables = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in facts.splitlines()] == [
        "groups",
        "families",
        "series",
        "in",
        "changes",
        "versions",
    ]
    assert facts.startswith(f"groups    {GROUPS}, of 2 the last push failed\n")
    assert [table.split("\n")[0] for table in tables] == [
        "LARGEST FAMILIES",
        "LARGEST GROUPS",
        "OLDEST PUSHES",
        "FAILED PUSHES",
    ]
    assert all(len(table.strip().split("\n")) <= 12 for table in tables)


def test_the_summary_of_an_empty_store(redis_server: RedisServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", f"--redis.url={redis_server.url}"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("groups    0\nfamilies  0\n")
    assert "LARGEST" not in shown


@pytest.mark.parametrize(
    ("selectors", "count"),
    [
        (['{job="ci"}'], GROUPS - 3),
        (['{job="ci",instance=~"r[12]"}'], 2),
        (['{instance=""}'], 2),
        (['{instance="r1"}', '{job="k"}'], 2),
        (['{job="none"}'], 0),
    ],
)
def test_selectors_choose_groups(
    place: list[str], selectors: list[str], count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [word for selector in selectors for word in ("--match", selector)]
    assert len(answer([*chosen, *place], capsys)) == count
    assert answer(["--summary", *chosen, *place], capsys)["groups"] == count
    assert cli.main(["inspect", *chosen, *place]) == 0
    shown = capsys.readouterr().out
    assert shown.count("\n") == count + 1 if count else shown == "no such groups are stored\n"


def test_the_earliest_deadlines_stand_out(
    place: list[str], redis_server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    async def push() -> None:
        async with opened(redis_server.url) as store:
            for seconds in (7200, 3600):
                pushed = write(group(job=f"in{seconds}"), family("b"))
                await store.push(pushed._replace(lifetime=seconds * 1_000_000))

    asyncio.run(push())
    found = answer(place, capsys)["earliest_deadlines"]
    assert [each["group"] for each in found] == ["job/in3600", "job/in7200"]
    assert found[0]["expires_at"] < found[1]["expires_at"]
    assert cli.main(["inspect", *place]) == 0
    assert "Z (in 59m)\n" in capsys.readouterr().out.partition("\nEARLIEST DEADLINES\n")[2]


def viewer() -> list[str]:
    """What the document has a user be allowed to do, for the keys of these tests."""
    found = re.search(
        r"<!-- viewer -->\n```\nACL SETUSER viewer (.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found is not None
    return found[1].replace("~{pgw:*", f"~{{{PREFIX}:*").split()


@pytest.mark.parametrize("sized", [True, False])
def test_a_user_who_may_only_read_is_enough(
    place: list[str], redis_server: RedisServer, capsys: pytest.CaptureFixture[str], *, sized: bool
) -> None:
    rights = [right for right in viewer() if sized or right != "+memory|usage"]
    assert not {"+hset", "+zadd", "+set", "+del", "+unlink", "+incr"} & set(rights)
    with client(redis_server.url) as connection:
        connection.execute_command("ACL", "SETUSER", "viewer", *rights)
        try:
            allowed = [f"--redis.url={redis_server.tcp_url.replace('://', '://viewer:secret@')}", place[1]]
            assert len(answer(["--list", *allowed], capsys)) == GROUPS
            assert (answer(allowed, capsys)["redis_bytes"] is not None) == sized
            assert ("redis_bytes" in answer([JOB.name, *allowed], capsys)) == sized
            for words in ([], ["--list"], [JOB.name]):
                assert cli.main(["inspect", *words, *allowed]) == 0
            assert (" in Redis)" in capsys.readouterr().out) == sized
            assert cli.main(["export", os.devnull, *allowed]) == 0
        finally:
            connection.execute_command("ACL", "DELUSER", "viewer")


def test_nothing_in_redis_changes(
    place: list[str], redis_server: RedisServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with client(redis_server.url) as connection:

        def everything() -> dict[str, bytes]:
            return {key: connection.dump(key) or b"" for key in sorted(all_keys(connection))}

        before = everything()
        for words in ([], ["--list"], ["--json"], [JOB.name]):
            assert cli.main(["inspect", *words, *place]) == 0
        assert cli.main(["export", "-", *place]) == 0
        assert cli.main(["inspect", "job/none", *place]) == 1
        assert everything() == before
    assert capfd.readouterr().err.startswith(f"{GROUPS} groups exported\npgw: error: there is no group job/none")
    assert Path(os.devnull).is_char_device(), "an export takes the place of files only"
