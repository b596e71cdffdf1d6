"""The web page keeps its rules: who may delete, what may run, where links lead, and what it says when Redis is away."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator

import pytest
from apps import Client, served
from page_client import HTML, OURS, figures, page, push, rows
from servers import RedisServer

from pgw.errors import BadGroupingKey
from pgw.model.grouping import GroupingKey
from pgw.web.page.links import segments

PAGES = ("/", "/status", "/group/job/j", "/delete/job/j", "/group/job/none", "/delete-all")
ADMIN = "--web.enable-admin-api"


@pytest.fixture
async def client(redis_server: RedisServer) -> AsyncIterator[Client]:
    async with served(redis_server.url, ADMIN) as made:
        yield made


# Deletes.


async def test_a_group_is_deleted_after_a_question(client: Client) -> None:
    await push(client, "job/j", "job/k")
    asked = await page(client, "/delete/job/j")
    assert asked.one("main").one("p").text == 'Do you really want to delete all metrics of group {job="j"}?'
    form = asked.one("form", class_="confirm")
    assert form.attributes["method"] == "post"
    assert [link.text for link in form.all("a")] == ["Cancel"]
    assert len(rows(await page(client, "/"))) == 2
    result = await client.simulate_post(form.attributes["action"], headers=OURS)
    assert (result.status_code, result.headers["Location"]) == (303, "/?notice=deleted")
    found = await page(client, result.headers["Location"])
    assert found.one(class_="notice").text == "The group was deleted."
    assert rows(found) == ['job="k"']


async def test_all_groups_are_deleted_where_the_admin_api_is_on(client: Client) -> None:
    assert "disabled" in (await page(client, "/")).one("section").one("button").attributes
    await push(client, "job/j", "job/k")
    link = (await page(client, "/")).one("a", id="delete-all")
    assert link.text == "Delete All 2 Groups"
    form = (await page(client, link.attributes["href"])).one("form", class_="confirm")
    result = await client.simulate_post(form.attributes["action"], headers=OURS)
    assert (result.status_code, result.headers["Location"]) == (303, "/?notice=wiped")
    assert rows(await page(client, "/")) == []


async def test_there_is_no_way_to_delete_all_groups_where_it_is_off(redis_server: RedisServer) -> None:
    async with served(redis_server.url) as client:
        await push(client, "job/j")
        assert (await page(client, "/")).all(id="delete-all") == []
        for result in (
            await client.simulate_get("/delete-all"),
            await client.simulate_post("/delete-all", headers=OURS),
        ):
            assert result.status_code == 404
        assert len(rows(await page(client, "/"))) == 1


SENDERS = [
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"}, True),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://us.example:9091"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Origin": "http://us.example:9091"}, True),
    ({"Origin": "http://US.example:9091"}, True),
    ({"Origin": "https://front.example"}, True),
    ({"Origin": "https://front.example.evil.example"}, False),
    ({"Origin": "http://us.example"}, False),
    ({"Origin": "http://evil.example"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Referer": "http://us.example:9091/"}, False),
    ({}, False),
]


@pytest.mark.parametrize("path", ["/delete/job/j", "/delete-all"])
@pytest.mark.parametrize(("headers", "may"), SENDERS)
async def test_only_a_page_of_ours_can_delete(
    redis_server: RedisServer, path: str, headers: dict[str, str], *, may: bool
) -> None:
    async with served(redis_server.url, ADMIN, "--web.external-url=https://front.example/") as client:
        await push(client, "job/j")
        result = await client.simulate_post(path, host="us.example", port=9091, headers=headers)
        assert result.status_code == (303 if may else 403)
        assert len(rows(await page(client, "/"))) == (0 if may else 1)


# What browsers are told.


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_that_nothing_may_run_or_be_framed(client: Client, path: str) -> None:
    await push(client, "job/j")
    result = await client.simulate_get(path)
    assert result.headers["Content-Type"] == HTML
    policy = dict(part.strip().split(" ", 1) for part in result.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == policy["connect-src"] == "'self'"
    assert result.headers["X-Content-Type-Options"] == "nosniff"
    assert result.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", PAGES)
async def test_head_and_options_work_and_nothing_else_does(client: Client, path: str) -> None:
    await push(client, "job/j")
    status = (await client.simulate_get(path)).status_code
    head = await client.simulate_head(path)
    assert (head.status_code, head.content) == (status, b"")
    options = await client.simulate_options(path)
    assert (options.status_code, options.content) == (200, b"")
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))
    put = await client.simulate_put(path)
    assert (put.status_code, put.text) == (405, "Method Not Allowed\n")
    assert put.headers["Allow"] == options.headers["Allow"]


async def test_files_are_kept_for_ever_under_names_that_change_with_them(client: Client) -> None:
    found = await page(client, "/")
    paths = [each.attributes["href"] for each in found.all("link")] + [found.one("script").attributes["src"]]
    for path, kind in zip(paths, ("image/svg+xml", "text/css", "text/javascript"), strict=True):
        result = await client.simulate_get(path)
        assert (result.status_code, result.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
        assert result.headers["Content-Type"].startswith(kind)
        assert (await client.simulate_get(re.sub(r"-[0-9a-f]{12}", "-000000000000", path))).status_code == 404
    assert (await client.simulate_get("/static/../app.py")).status_code == 307
    assert (await client.simulate_get("/static/page.css")).status_code == 404


async def test_a_page_is_compressed_for_who_likes_it(client: Client) -> None:
    await push(client, *(f"job/j{number}" for number in range(20)))
    plain = await client.simulate_get("/?q=j1")
    packed = await client.simulate_get("/?q=j1", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert len(packed.content) < len(plain.content) / 3
    assert re.findall(rb'href="[^"]*"', gzip.decompress(packed.content)) == re.findall(rb'href="[^"]*"', plain.content)


async def test_every_field_has_a_label(client: Client) -> None:
    found = await page(client, "/")
    labels = {label.attributes["for"] for label in found.all("label") if "for" in label.attributes}
    wrapped = {id(each) for label in found.all("label") for each in label.all("input")}
    for field in found.all("input"):
        assert field.attributes.get("id") in labels or id(field) in wrapped or field.attributes["type"] == "hidden"
    assert found.one("html").attributes["lang"] == "en"
    assert len(found.all("main")) == len(found.all("h1")) == 1


# Where links lead.


@pytest.mark.parametrize(
    ("flags", "prefix", "base"),
    [
        (["--web.route-prefix=/p"], "/p", "/p"),
        (["--web.external-url=https://h/out"], "/out", "/out"),
        (["--web.external-url=https://h/out", "--web.route-prefix=/"], "", "/out"),
        (["--web.external-url=https://h", "--web.route-prefix=/in"], "/in", ""),
    ],
)
async def test_links_lead_to_where_clients_see_us(
    redis_server: RedisServer, flags: list[str], prefix: str, base: str
) -> None:
    async with served(redis_server.url, ADMIN, *flags) as client:
        await push(client, "job/j", prefix=prefix)
        for path in PAGES:
            found = await page(client, prefix + path, 404 if "none" in path else 200)
            links = [each.attributes.get(name) for each in found.walk() for name in ("href", "src", "action")]
            inner = [link for link in links if link and not link.startswith(("#", "https://prometheus.io/"))]
            assert [link for link in inner if not link.startswith(base + "/")] == []
            for link in inner:
                answer = await client.simulate_get(prefix + link.removeprefix(base))
                assert answer.status_code in (200, 303), link
        result = await client.simulate_post(f"{prefix}/delete/job/j", headers=OURS)
        assert result.headers["Location"] == f"{base}/?notice=deleted"


async def test_the_prefix_alone_leads_to_the_list(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--web.route-prefix=/p") as client:
        result = await client.simulate_get("/p")
        assert (result.status_code, result.headers["Location"]) == (301, "/p/")
        assert (await client.simulate_get("/")).status_code == 404


async def test_commands_name_the_external_url(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--web.external-url=https://user@h/out") as client:
        await push(client, "job/j", prefix="/out")
        found = await page(client, "/out/group/job/j")
        assert found.all("button", class_="copy")[1].attributes["data-copy"] == (
            "curl -fsS -X DELETE https://h/out/metrics/job/j"
        )


KEYS = [
    {"job": "a b"},
    {"job": "a/b", "instance": ""},
    {"job": "..", "x": "."},
    {"job": " a", "x": "b ", "y": "a  b"},
    {"job": "é\u202e", "U__x": "1", "a.b": "2", "__x_": "3"},
    {"job": "a\\b", "x": "\n", "y": "%2F"},
]


@pytest.mark.parametrize("labels", KEYS)
def test_the_path_of_a_group_is_read_back_as_pushes_are(labels: dict[str, str]) -> None:
    key = GroupingKey(tuple(sorted(labels.items())))
    path = segments(key)
    assert re.fullmatch(r"[A-Za-z0-9_.~%=@/-]+", path)
    try:
        read = GroupingKey.from_path(_unescaped(path), utf8_names=True)
    except BadGroupingKey:
        assert "__x_" in labels  # reserved: nobody can push that
    else:
        assert read == key


def _unescaped(path: str) -> bytes:
    return re.sub(rb"%([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), path.encode())


# What goes wrong.


async def test_the_last_list_is_shown_while_redis_is_away(own_redis: RedisServer) -> None:
    async with served(own_redis.url, "--redis.timeout=300ms") as client:
        await push(client, "job/j")
        await page(client, "/")
        own_redis.program.end()
        found = await page(client, "/")
        assert rows(found) == ['job="j"']
        assert figures(found)["Redis"] == "away"
        assert found.one("main").one("p", role="alert", class_="problem").text != ""
        assert "Redis is away" in (await page(client, "/group/job/j", 503)).one("h1").text
        own_redis.start()


async def test_a_worker_that_never_saw_redis_says_that_it_is_away(own_redis: RedisServer) -> None:
    own_redis.program.end()
    async with served(own_redis.url, "--redis.timeout=300ms") as client:
        found = await page(client, "/", 503)
        assert found.one("h1").text == "Redis is away"
        own_redis.start()


async def test_the_reason_of_the_last_refusal_is_shown_and_replicas_are_counted(redis_server: RedisServer) -> None:
    async with served(redis_server.url) as client, served(redis_server.url) as other:
        await push(client, "job/j")
        await other.simulate_post("/metrics/job/j", body="a 1 1\n")
        await _until_told(client, "must not have timestamps")
        assert figures(await page(client, "/"))["Replicas"] == "1"  # both are of one process here
        assert (
            "must not have timestamps"
            in (await page(client, "/group/job/j")).one("main").one("p", class_="problem").text
        )
        await other.simulate_post("/metrics/job/none", body="a <script>\n")
        last = await _until_told(client, 'expected float as value, got "<script>"')
        assert 'job="none"' in last


async def _until_told(client: Client, part: str) -> str:
    async with asyncio.timeout(10):
        while part not in (last := figures(await page(client, "/"))["Last failure"]):  # noqa: ASYNC110  by the beat
            await asyncio.sleep(0.05)
    return last


async def test_pushes_are_counted_by_the_second(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgw.gateway.mirror.RATE_SECONDS", 1)
    async with served(redis_server.url) as client:
        async with asyncio.timeout(15):
            while figures(await page(client, "/"))["Pushes per second"] in ("\N{EN DASH}", "0"):
                await push(client, "job/j")
                await asyncio.sleep(0.05)
