"""How a push asks for a time to live, and what is answered where it may not."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from apps import served

if TYPE_CHECKING:
    from apps import Client
    from servers import RedisServer

HEADER = "X-Pushgateway-TTL"
PATH = "/metrics/job/j"


async def groups(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await client.simulate_get("/api/v1/metrics")).text)["data"]
    return found


async def seconds_to_live(client: Client) -> float | None:
    """How long after its push the only group expires, as the API shows it; None for never."""
    [group] = await groups(client)
    pushed, expires = group["push_time_seconds"]["time_stamp"], group.get("expires_at")
    if expires is None:
        return None
    return (datetime.fromisoformat(expires) - datetime.fromisoformat(pushed)).total_seconds()


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("query", "headers", "seconds"),
    [
        ("", {HEADER: "90s"}, 90),
        ("", {HEADER.lower(): " 1h30m "}, 5400),
        ("ttl=2d", {}, 2 * 86400),
        ("x=1&ttl=1%6D", {}, 60),
        ("ttl=90s", {HEADER: "90s"}, 90),
        ("ttl=0", {}, None),
        ("", {HEADER: "0s"}, None),
        ("TTL=90s&x=ttl", {}, 600),
        ("", {}, 600),
    ],
)
async def test_header_and_query_say_how_long_the_group_lives(
    redis_server: RedisServer, method: str, query: str, headers: dict[str, str], seconds: float | None
) -> None:
    async with served(redis_server.url, "--push.ttl=10m") as client:
        result = await client.simulate_request(method, PATH, query_string=query, headers=headers, body="a 1\n")
        assert (result.status_code, result.content) == (200, b"")
        assert await seconds_to_live(client) == seconds


@pytest.mark.parametrize(
    ("query", "headers", "said"),
    [
        ("ttl=", {}, "''"),
        ("", {HEADER: "90"}, "'90'"),
        ("", {HEADER: "-1s"}, "'-1s'"),
        ("ttl=soon", {}, "'soon'"),
        ("ttl=101y", {}, "'101y'"),
        ("ttl=1s&ttl=2s", {}, "'1s and 2s'"),
        ("ttl=1s", {HEADER: "2s"}, "'1s and 2s'"),
        ("ttl=%FF", {}, "'\ufffd'"),
    ],
)
async def test_what_is_no_duration_is_refused_before_anything_is_written(
    redis_server: RedisServer, query: str, headers: dict[str, str], said: str
) -> None:
    async with served(redis_server.url) as client:
        for body in ("a 1\n", "no metric", "a 1 1\n"):
            result = await client.simulate_post(PATH, query_string=query, headers=headers, body=body)
            assert result.status_code == 400
            assert result.text.startswith(f"the time to live (X-Pushgateway-TTL or ?ttl=): {said} is not ")
            assert result.text.endswith(("100y at most\n", "one duration, said once\n"))
        assert await groups(client) == []


async def test_nobody_may_ask_for_more_than_the_bound(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--push.ttl-max=1h") as client:
        for asked in ("2h", "0"):
            result = await client.simulate_post(PATH, headers={HEADER: asked}, body="a 1\n")
            assert (result.status_code, "up to 1h0m0s (--push.ttl-max)" in result.text) == (400, True)
        assert await groups(client) == []
        for query, seconds in (("", 3600), ("ttl=1m", 60)):
            assert (await client.simulate_post(PATH, query_string=query, body="a 1\n")).status_code == 200
            assert await seconds_to_live(client) == seconds


@pytest.mark.parametrize(
    ("flags", "seconds"),
    [
        ((), None),
        (("--push.ttl=10m",), 600),
        (('--push.ttl-rule={job=~"j|k"}=2h', "--push.ttl=10m"), 7200),
        (('--push.ttl-rule={job="k"}=2h', '--push.ttl-rule={job!="k"}=3h', "--push.ttl=10m"), 10800),
        (('--push.ttl-rule={job="j"}=0', "--push.ttl=10m"), None),
        (("--push.ttl=10m", "--push.ttl-max=5m"), 300),
    ],
)
async def test_what_is_not_asked_for_is_configured(
    redis_server: RedisServer, flags: tuple[str, ...], seconds: float | None
) -> None:
    async with served(redis_server.url, *flags) as client:
        assert (await client.simulate_post(PATH, body="a 1\n")).status_code == 200
        assert await seconds_to_live(client) == seconds


@pytest.mark.parametrize("linger", ["1h", "0"])
async def test_an_expired_group_lingers_as_long_as_it_should(redis_server: RedisServer, linger: str) -> None:
    async with served(redis_server.url, f"--push.ttl-linger={linger}") as client:
        await client.simulate_post(PATH, headers={HEADER: "1us"}, body="a 1\n")
        page = (await client.simulate_get("/metrics")).text
        assert "\na{" not in page
        found = await groups(client)
        assert len(found) == (1 if linger == "1h" else 0)
        for group in found:
            assert "a" not in group
            assert datetime.fromisoformat(group["expires_at"]).timestamp() == pytest.approx(
                float(group["push_expired_time_seconds"]["metrics"][0]["value"])
            )
        assert ("push_expired_time_seconds" in page) is (linger == "1h")


async def test_a_delete_does_not_mind(redis_server: RedisServer) -> None:
    async with served(redis_server.url) as client:
        await client.simulate_post(PATH, body="a 1\n")
        result = await client.simulate_delete(PATH, query_string="ttl=never", headers={HEADER: "x"})
        assert result.status_code == 202
        assert await groups(client) == []
