"""`/metrics?timestamps=1`: the ordinary page, and on each pushed sample the time of its push."""

from __future__ import annotations

import asyncio
import gzip
import io
import re
from collections.abc import AsyncIterator, Mapping

import pytest
from apps import Client, served
from google.protobuf import proto
from servers import RedisServer

from pgw.formats import metrics_pb2 as pb
from pgw.formats.negotiation import Kind
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.store.redis_store import RedisStore

STAMPED = "/metrics?timestamps=1"
COUNTERS = re.compile(r"(# (HELP|TYPE) )?(pushgateway_http|pgw)_")
STAMP = re.compile(r" (\d{13})$")
DELIMITED = Kind.DELIMITED.value

PUSHES = {
    "/metrics/job/j": (
        '# HELP g A gauge.\n# TYPE g gauge\ng{path="a \\"b\\" \\\\ \\n 1600000000000"} 1.7e+12\n',
        '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
        '# TYPE s summary\ns{quantile="0.5"} NaN\ns_sum 1\ns_count 0\n# TYPE c counter\nc -0\n',
    ),
    "/metrics/job/j/instance/i": ('# TYPE g gauge\ng 1\ng{x="2"} 2\n', "u 1\n"),
    "/metrics/job/k": ("", "a,\n"),
}  # fmt: skip
"""Group -> bodies that are pushed one after the other; the last of job/k is refused, so it has a failure time."""


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Client]:
    async with served(redis_server.url) as made:
        for path, bodies in PUSHES.items():
            for body in bodies:
                await made.simulate_post(path, body=body)
                await asyncio.sleep(0.002)  # so that no two have the same millisecond
        yield made


async def page(client: Client, path: str = "/metrics", **headers: str) -> str:
    result = await client.simulate_get(path, headers=headers)
    assert result.status_code == 200
    content = result.content
    if result.headers.get("Content-Encoding") == "gzip":
        content = gzip.decompress(content)
    return content.decode()


def without_stamps(text: str) -> str:
    return "".join(line if line.startswith("#") else STAMP.sub("", line) for line in re.split(r"(?<=\n)", text))


def settled(text: str) -> str:
    """A page without the gateway's own counters, which the requests of a test change from second to second."""
    return "".join(line for line in re.split(r"(?<=\n)", text) if not COUNTERS.match(line))


async def stored_times(url: str) -> dict[tuple[str, str], int]:
    """Group and family -> milliseconds of the push, as they are in Redis."""
    store = RedisStore(url, prefix="pgw", timeout=10)
    groups = await store.groups(await store.names())
    await store.close()
    return {
        (dict(group.key.labels).get("instance", ""), fragment.name): fragment.pushed_at // 1000
        for group in groups
        if group is not None
        for fragment in group.fragments
    }


def owner(line: str) -> tuple[str, str]:
    """The group, by its instance, and the family of a sample line."""
    found = re.match(r'([ghscu])(?:_\w+)?\{.*?instance="(.*?)"', line)
    assert found, line
    return found[2], found[1]


async def test_each_pushed_sample_has_the_time_of_the_push_that_brought_it(
    client: Client, redis_server: RedisServer
) -> None:
    times = await stored_times(redis_server.url)
    assert len(set(times.values())) == 5  # s and c came together
    text = await page(client, STAMPED)
    assert settled(without_stamps(text)) == settled(await page(client))
    lines = [line for line in text.split("\n")[:-1] if not line.startswith(("#", "push"))]
    assert len(lines) == 12
    for line in lines:
        stamp = STAMP.search(line)
        assert stamp, line
        assert int(stamp[1]) == times[owner(line)]


async def test_what_the_gateway_says_of_itself_has_no_time(client: Client) -> None:
    own = [line for line in (await page(client, STAMPED)).split("\n") if line.startswith("push")]
    assert len([line for line in own if line.startswith(tuple(PUSH_TIMES))]) == 6
    assert any(line.startswith("pushgateway_build_info") for line in own)
    assert not any(STAMP.search(line) for line in own)


async def test_it_is_compressed_and_negotiated_as_the_ordinary_page(client: Client) -> None:
    plain = await client.simulate_get(STAMPED)
    zipped = await client.simulate_get(STAMPED, headers={"Accept-Encoding": "gzip"})
    ordinary = await client.simulate_get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert settled(gzip.decompress(zipped.content).decode()) == settled(plain.text)
    for name in ("Content-Type", "Content-Encoding", "Vary"):
        assert zipped.headers[name] == ordinary.headers[name]
    assert zipped.headers["Content-Type"] == plain.headers["Content-Type"]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_in_protobuf_each_metric_carries_it(client: Client, redis_server: RedisServer, encoding: str) -> None:
    times = await stored_times(redis_server.url)
    found = {}
    for path in ("/metrics", STAMPED):
        result = await client.simulate_get(path, headers={"Accept": DELIMITED, "Accept-Encoding": encoding})
        content = gzip.decompress(result.content) if encoding == "gzip" else result.content
        found[path] = messages(content)
    stamped = found[STAMPED]
    for name, message in stamped.items():
        for metric in message.metric:
            labels = {pair.name.decode(): pair.value.decode() for pair in metric.label}
            assert metric.timestamp_ms == times.get((labels.get("instance", ""), name), 0)
            metric.ClearField("timestamp_ms")
    assert stamped == found["/metrics"]
    assert len(stamped["g"].metric) == 3


def messages(content: bytes) -> Mapping[str, pb.MetricFamily]:
    stream, found = io.BytesIO(content), {}
    while message := proto.parse_length_prefixed(pb.MetricFamily, stream):
        if not COUNTERS.match(message.name.decode()):
            found[message.name.decode()] = message
    return found


@pytest.mark.parametrize("encoding", ["text", "compact-text"])
async def test_the_text_of_protobuf_carries_it_too(client: Client, encoding: str) -> None:
    accept = {"Accept": DELIMITED.replace("delimited", encoding)}
    assert "timestamp_ms" not in await page(client, **accept)
    assert len(re.findall(r"timestamp_ms: ?1\d{12}\b", await page(client, STAMPED, **accept))) == 7


@pytest.mark.parametrize("scheme", ["allow-utf-8", "underscores", "dots", "values"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_names_are_escaped_as_on_the_ordinary_page(redis_server: RedisServer, scheme: str, encoding: str) -> None:
    body = (
        '# HELP "a.b" "{Help.\n# TYPE "a.b" histogram\n{"a.b_count","l.m"="\\"} 7"} 1\n{"a.b_sum","l.m"="\\"} 7"} 2\n'
    )
    accept = {"Accept": f"text/plain;version=0.0.4;escaping={scheme}", "Accept-Encoding": encoding}
    async with served(redis_server.url, "--push.enable-utf8-names") as client:
        for job in ("j", "k"):
            result = await client.simulate_post(f"/metrics/job/{job}/U__x_2e_y/z", body=body + '{"é"} 1\nlegacy 1\n')
            assert result.status_code == 200
        text = await page(client, STAMPED, **accept)
        assert settled(without_stamps(text)) == settled(await page(client, **accept))
        stamped = [line for line in text.split("\n")[:-1] if STAMP.search(line)]
    assert len(stamped) == 2 * (3 + 2)
    assert any("a.b" in line for line in stamped) == (scheme == "allow-utf-8")


async def test_a_large_page_comes_in_chunks_and_whole(redis_server: RedisServer) -> None:
    async with served(redis_server.url) as client:
        for number in range(60):
            body = "".join(f'{name}{{x="{line:0100}"}} {number}\n' for name in "ab" for line in range(100))
            await client.simulate_post(f"/metrics/job/j{number:02}", body=body)
        text = await page(client, STAMPED)
        assert settled(without_stamps(text)) == settled(await page(client))
    assert len(text) > 1_000_000
    assert len(re.findall(r" \d{13}\n", text)) == 60 * 200


async def test_samples_that_a_newer_push_hides_stay_hidden(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--push.disable-consistency-check") as client:
        await client.simulate_post("/metrics/job/j", body='a{instance="i"} 1\na{instance="k"} 1\n')
        await asyncio.sleep(0.002)
        await client.simulate_post("/metrics/job/j/instance/i", body="a 2\n")
        text = await page(client, STAMPED)
        assert settled(without_stamps(text)) == settled(await page(client))
    lines = [line for line in text.split("\n") if line.startswith("a{")]
    assert [STAMP.sub("", line) for line in lines] == ['a{instance="k",job="j"} 1', 'a{instance="i",job="j"} 2']
    assert len({line[-13:] for line in lines}) == 2


@pytest.mark.parametrize("query", ["timestamps=0", "timestamps=false", "other=1", "%zz", "", "timestamp=1"])
async def test_the_ordinary_page_carries_no_times(client: Client, query: str) -> None:
    result = await client.simulate_get("/metrics", query_string=query)
    assert result.status_code == 200
    assert not [line for line in result.text.split("\n") if STAMP.search(line) and "1600000000000" not in line]
    assert settled(without_stamps(await page(client, "/metrics?timestamps=true"))) == settled(result.text)


@pytest.mark.parametrize("query", ["timestamps=yes", "timestamps=", "timestamps", "timestamps=1&timestamps=0"])
async def test_what_is_neither_true_nor_false_is_refused(client: Client, query: str) -> None:
    result = await client.simulate_get("/metrics", query_string=query)
    assert result.status_code == 400
    assert result.text.startswith("parameter timestamps: ")
