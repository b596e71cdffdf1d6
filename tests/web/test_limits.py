"""Limits over HTTP: a 4xx that names limit and value, counted by limit on the page of all replicas."""

from __future__ import annotations

import asyncio

import pytest
from apps import served
from servers import RedisServer

PAD = "x" * 50


@pytest.mark.parametrize(
    ("flag", "path", "body", "status", "said"),
    [
        ("push.max-body-size=20", "job/j", f'a{{b="{PAD}"}} 1\n', 413, "larger than 20 bytes (--push.max-body-size,"),
        (
            "push.max-families=1",
            "job/j",
            "a 1\nb 1\n",
            400,
            "holds 2 metric families, and the limit is 1 (--push.max-fa",
        ),
        (
            "push.max-series=1",
            "job/j",
            'a 1\na{b="c"} 1\n',
            400,
            "holds 2 series, and the limit is 1 (--push.max-series)",
        ),
        (
            "push.max-label-value-length=9",
            f"job/{PAD}",
            "a 1\n",
            400,
            "has 50 bytes, and the limit is 9 (--push.max-label",
        ),
        (
            "store.max-series=2",
            "job/j",
            "a 1\nb 1\n",
            429,
            "3 series would be stored with this push, and the limit is 2",
        ),
        ("store.max-groups=1", "job/j", "a 1\n", 429, "2 groups would be stored with this push, and the limit is 1"),
        ("store.max-groups-per-job=1", "job/first/x/1", "a 1\n", 429, "2 groups of this job would be stored"),
    ],
)
async def test_a_push_beyond_a_limit_is_refused_and_counted(  # noqa: PLR0917  a table
    redis_server: RedisServer, flag: str, path: str, body: str, status: int, said: str
) -> None:
    limit = flag.partition("=")[0]
    async with served(redis_server.url, f"--{flag}") as client:
        assert (await client.simulate_post("/metrics/job/first", body="first 1\n")).status_code == 200
        for method in ("POST", "PUT"):
            result = await client.simulate_request(method, f"/metrics/{path}", body=body)
            assert (result.status_code, said in result.text) == (status, True), result.text
        page, counted = "", f'pgw_limited_pushes_total{{limit="{limit}"}} 2\n'
        async with asyncio.timeout(10):
            while counted not in page:
                await asyncio.sleep(0.1)
                page = (await client.simulate_get("/metrics")).text
        assert "\na{" not in page
        assert "\nfirst{" in page


async def test_without_limits_nothing_is_counted(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--push.max-families=0") as client:
        body = "".join(f"m{number} 1\n" for number in range(10_001))
        assert (await client.simulate_post("/metrics/job/j", body=body)).status_code == 200
        assert "pgw_limited" not in (await client.simulate_get("/metrics")).text
