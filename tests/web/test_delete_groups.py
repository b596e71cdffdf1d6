"""POST /api/v1/admin/delete_groups: its parameters, its answers, and what is left."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
from ages import set_back
from apps import Client, served
from falcon import testing
from gateways import replica
from pushes import group
from servers import RedisServer

from pgw.errors import StoreUnavailable
from pgw.gateway.removal import Removal, Step
from pgw.store.keys import Keys
from pgw.web.delete_groups import DeleteGroups
from pgw.web.parameters import FORM

PATH = "/api/v1/admin/delete_groups"
RUNNERS = [{"instance": f"runner-{number}", "job": "ci"} for number in range(2)]
OTHERS = [{"job": "ci"}, {"instance": "db", "job": "backup"}]
SELECTOR = '{job="ci",instance=~"runner-.*"}'


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Client]:
    async with served(redis_server.url, "--web.enable-admin-api") as made:
        for labels in (*RUNNERS, *OTHERS):
            path = "".join(f"/{name}/{value}" for name, value in labels.items() if name != "job")
            assert (await made.simulate_post(f"/metrics/job/{labels['job']}{path}", body="a 1\n")).status_code == 200
        yield made


async def groups(client: Client) -> list[dict[str, str]]:
    answer = (await client.simulate_get("/api/v1/metrics")).json
    return [each["labels"] for each in answer["data"]]


def data(result: testing.Result) -> Any:  # noqa: ANN401  whatever JSON can hold
    assert (result.status_code, result.headers["Content-Type"]) == (200, "application/json")
    assert result.headers["Access-Control-Allow-Origin"] == "*"
    assert result.json["status"] == "success"
    return result.json["data"]


def told(removed: Sequence[dict[str, str]], *, dry_run: bool = False) -> dict[str, object]:
    return {"groups": [{"labels": labels} for labels in removed], "count": len(removed), "dry_run": dry_run}


@pytest.mark.parametrize("way", ["query", "form", "both", "put"])
async def test_the_selected_groups_are_deleted_and_named(client: Client, way: str) -> None:
    query, form = urlencode({"match[]": SELECTOR}), {"Content-Type": FORM}
    match way:
        case "query":
            result = await client.simulate_post(f"{PATH}?{query}")
        case "form":
            result = await client.simulate_post(PATH, body=query, headers=form)
        case "both":
            both = [urlencode({"match[]": f'{{instance="runner-{number}"}}'}) for number in range(2)]
            result = await client.simulate_post(f"{PATH}?{both[0]}", body=both[1], headers=form)
        case _:
            result = await client.simulate_put(f"{PATH}?{query}")
    assert data(result) == told(RUNNERS)
    assert await groups(client) == [OTHERS[1], OTHERS[0]]
    again = await client.simulate_post(f"{PATH}?{query}")
    assert data(again) == told([])


async def test_a_dry_run_names_the_groups_and_deletes_none(client: Client) -> None:
    query = urlencode([("match[]", SELECTOR), ("match[]", '{job="backup"}'), ("dry_run", "true")])
    assert data(await client.simulate_post(f"{PATH}?{query}")) == told([OTHERS[1], *RUNNERS], dry_run=True)
    assert len(await groups(client)) == 4


async def test_only_groups_older_than_an_age_are_deleted(client: Client, redis_server: RedisServer) -> None:
    set_back(redis_server.url, Keys("pgw"), group(**RUNNERS[1]), seconds=86_401)
    query = urlencode({"match[]": '{job="ci"}', "older_than": "24h"})
    assert data(await client.simulate_post(f"{PATH}?{query}&dry_run=1")) == told(RUNNERS[1:], dry_run=True)
    assert data(await client.simulate_post(f"{PATH}?{query}&dry_run=0")) == told(RUNNERS[1:])
    assert len(await groups(client)) == 3


async def test_deleted_groups_are_counted(client: Client) -> None:
    for query in ("dry_run=true&", ""):
        data(await client.simulate_post(f"{PATH}?{query}{urlencode({'match[]': SELECTOR})}"))
    assert "pgw_groups_deleted_total 2.0\n" in (await client.simulate_get("/-/metrics")).text


BAD = [
    ("", "parameter match[]: '' is not there: give a selector, such as {job=\"ci\"}"),
    ("match[]={job}", "selector '{job}': at character 5 found '}', expected one of =, !=, =~, !~"),
    ("match[]={}", "selector '{}': at character 1 found '{}', expected a matcher that does not accept the empty value"),
    ("match[]=up{job='x'}", "expected labels only: groups are selected by their grouping key"),
    ("match[]={job=~'('}", "expected a regular expression of RE2"),
    ("match[]={job='%ff'}", "expected UTF-8"),
    ("match[]={job='ci'}&match[]=", "expected a metric name or '{'"),
    ("match[]={job='ci'}&older_than=1", "parameter older_than: '1' is not a duration, such as 24h or 1h30m"),
    ("match[]={job='ci'}&older_than=", "parameter older_than: '' is not a duration"),
    ("match[]={job='ci'}&older_than=-1h", "parameter older_than: '-1h' is not a duration"),
    ("match[]={job='ci'}&older_than=300y", "parameter older_than: '300y' is not a duration"),
    (f"match[]={{job='ci'}}&older_than={'9' * 306}s", "is not a duration"),
    ("match[]={job='ci'}&dry_run=yes", "parameter dry_run: 'yes' is not true or false"),
    ("match[]={job='ci'}&dry_run", "parameter dry_run: '' is not true or false"),
    ("match[]={job='ci'}&dry_run=0&dry_run=1", "parameter dry_run: '1' is not to be given again"),
    ("match[]={job='ci'}&older-than=24h", "parameter older-than: '24h' is not known here"),
    ("match={job='ci'}", "parameter match: \"{job='ci'}\" is not known here"),
    ("match[]={job='100%'}", "is not percent-encoded: a % has to be written as %25"),
]


@pytest.mark.parametrize(("query", "reason"), BAD)
@pytest.mark.parametrize("way", ["query", "form"])
async def test_what_cannot_be_understood_deletes_nothing(client: Client, way: str, query: str, reason: str) -> None:
    if way == "query":
        result = await client.simulate_post(PATH, query_string=query)
    else:
        result = await client.simulate_post(PATH, body=query, headers={"Content-Type": FORM + "; charset=utf-8"})
    assert result.status_code == 400
    assert reason in result.text
    assert result.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert len(await groups(client)) == 4


async def test_a_body_that_is_no_form_is_refused(client: Client) -> None:
    query = urlencode({"match[]": SELECTOR})
    result = await client.simulate_post(f"{PATH}?{query}", body="{}", headers={"Content-Type": "application/json"})
    assert result.status_code == 400
    assert result.text.startswith("the body is application/json, and only parameters are understood here")
    large = await client.simulate_post(PATH, body=query + "&" * (1 << 20), headers={"Content-Type": FORM})
    assert large.status_code == 413
    assert len(await groups(client)) == 4


async def test_nothing_is_deleted_by_reading_nor_without_the_flag(client: Client, redis_server: RedisServer) -> None:
    query = urlencode({"match[]": SELECTOR})
    assert (await client.simulate_get(f"{PATH}?{query}")).status_code == 405
    assert (await client.simulate_options(PATH)).headers["Access-Control-Allow-Origin"] == "*"
    async with served(redis_server.url) as shut:
        assert (await shut.simulate_post(f"{PATH}?{query}")).status_code == 404
    assert len(await groups(client)) == 4


async def test_while_redis_is_away_it_is_unavailable(own_redis: RedisServer) -> None:
    async with served(own_redis.url, "--web.enable-admin-api", "--redis.timeout=1s") as client:
        own_redis.program.end()
        result = await client.simulate_post(f"{PATH}?{urlencode({'match[]': SELECTOR})}")
        assert (result.status_code, result.headers["Retry-After"]) == (503, "1")
        own_redis.start()


async def test_an_answer_that_redis_leaves_in_the_middle_says_so_after_what_was_done(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        counted: list[int] = []
        page = DeleteGroups(one.gateway, counted.append)

        async def steps() -> AsyncIterator[Step]:
            yield Step(1, [group(**RUNNERS[0])])
            yield Step(2, [])
            yield Step(3, [group(**RUNNERS[1])])
            raise StoreUnavailable("Redis cannot be reached")

        parts = [part async for part in page._json(steps(), Removal(()))]
    assert all(parts), "an empty part would end the answer"
    assert json.loads(b"".join(parts)) == {
        "data": told(RUNNERS),
        "status": "error",
        "errorType": "unavailable",
        "error": "Redis cannot be reached",
    }
    assert counted == [1, 0, 1]
