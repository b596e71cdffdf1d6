"""The app of a worker on a real Redis: statuses, texts and headers, from a push to a scrape."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import falcon.asgi
import pytest
from apps import Client, served
from falcon import testing
from servers import RedisServer

from pgw import errors
from pgw.errors import PgwError
from pgw.formats.text_writer import write_head
from pgw.gateway.gateway import Gateway
from pgw.gateway.mirror import Mirror
from pgw.store.redis_store import RedisStore
from pgw.telemetry.process import ProcessMetrics
from pgw.view.view import View
from pgw.web import problems
from pgw.web.push import Pushes
from pgw.web.routes import make_app
from pgw.web.site import Site

PLAIN = "text/plain; charset=utf-8"
ALLOW_PUSH, ALLOW_PAGE = "DELETE, OPTIONS, POST, PUT", "GET, HEAD, OPTIONS"


def require_refused(result: testing.Result, status: int, text: str) -> None:
    """An answer as Go's http.Error writes it."""
    assert (result.status_code, result.text) == (status, text + "\n")
    assert result.headers["Content-Type"] == PLAIN
    assert result.headers["X-Content-Type-Options"] == "nosniff"


def require_empty(result: testing.Result, status: int) -> None:
    assert (result.status_code, result.content) == (status, b"")
    assert result.headers["Content-Length"] == "0"
    assert "Content-Type" not in result.headers


async def lines(client: Client) -> list[str]:
    """The sample lines of a scrape, without the gateway's own and the push times."""
    page = (await client.simulate_get("/metrics")).text
    return [line for line in page.split("\n")[:-1] if not line.startswith(("#", "push", "pgw_"))]


# Pushes.


async def test_a_push_is_answered_with_nothing_and_shown(client: Client) -> None:
    require_empty(await client.simulate_post("/metrics/job/j", body="a 1\nb 1\n"), 200)
    require_empty(await client.simulate_post("/metrics/job/j", body="b 2\n"), 200)
    assert await lines(client) == ['a{instance="",job="j"} 1', 'b{instance="",job="j"} 2']
    require_empty(await client.simulate_put("/metrics/job/j", body="c 3\n"), 200)
    assert await lines(client) == ['c{instance="",job="j"} 3']
    for _ in range(2):
        require_empty(await client.simulate_delete("/metrics/job/j", body="ignored"), 202)
    assert await lines(client) == []


async def test_an_unchecked_push_is_answered_with_202(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--push.disable-consistency-check") as client:
        require_empty(await client.simulate_post("/metrics/job/j", body="a 1\n"), 202)
        require_empty(await client.simulate_put("/metrics/job/j", body="a 1 1\n"), 202)
        require_empty(await client.simulate_delete("/metrics/job/j"), 202)


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("/metrics/job/j/instance/i", 'instance="i",job="j"'),
        ("/metrics/job@base64/ag/instance@base64/aQ==", 'instance="i",job="j"'),
        ("/metrics/job/a%20b%2Bc", 'instance="",job="a b+c"'),
        ("/metrics/job/j?query=ignored", 'instance="",job="j"'),
        ("/metrics/job/j/", 'instance="",job="j"'),
        ("/metrics/job/%C3%A9", 'instance="",job="é"'),
    ],
)
async def test_the_path_names_the_group(client: Client, path: str, labels: str) -> None:
    for number in range(2):
        require_empty(await client.simulate_post(path, body=f"a {number}\n"), 200)
        assert await lines(client) == [f"a{{{labels}}} {number}"]
    require_empty(await client.simulate_delete(path), 202)
    assert await lines(client) == []


BAD_PATHS = [
    ("/metrics/job/", 404, "404 page not found"),
    ("/metrics/job@base64/", 404, "404 page not found"),
    ("/metrics/job/x/a", 400, 'odd number of components in label string "/a"'),
    ("/metrics/job/x/__a/1", 400, 'improper label name "__a"'),
    ("/metrics/job@base64/=", 400, "job name is required"),
    ("/metrics/job/x/a/%zz", 400, "400 Bad Request"),
    ("/nowhere", 404, "404 page not found"),
    ("/metrics/nowhere", 404, "404 page not found"),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(("path", "status", "text"), BAD_PATHS)
async def test_a_path_that_names_no_group_is_refused(
    client: Client, method: str, path: str, status: int, text: str
) -> None:
    require_refused(await client.simulate_request(method, path, body="a 1\n"), status, text)


async def test_a_value_that_is_not_utf8_is_refused_and_harms_nobody(client: Client) -> None:
    require_empty(await client.simulate_post("/metrics/job/j", body="a 1\n"), 200)
    result = await client.simulate_post("/metrics/job/%ff", body="a 1\n")
    assert result.status_code == 400
    assert "not utf8" in result.text
    require_empty(await client.simulate_delete("/metrics/job/%ff"), 202)
    assert await lines(client) == ['a{instance="",job="j"} 1']


BODIES = [
    (b"a\n", {}, "text format parsing error in line 1: "),
    (b"a x\n", {}, 'text format parsing error in line 1: expected float as value, got "x"'),
    (
        b"a 1 1\n",
        {},
        "pushed metrics are invalid or inconsistent with existing metrics: pushed metrics must not have timestamps",
    ),
    (b"", {"Content-Encoding": "gzip"}, "EOF"),
    (b"a_metric 1\n", {"Content-Encoding": "GZip"}, "gzip: invalid header"),
    (b"a 1\n", {"Content-Encoding": "gzip"}, "unexpected EOF"),
    (gzip.compress(b"a 1\n", mtime=0)[:-1], {"Content-Encoding": " gzip "}, "unexpected EOF"),
]


@pytest.mark.parametrize(("body", "headers", "text"), BODIES)
async def test_a_body_that_cannot_be_read_is_refused(
    client: Client, body: bytes, headers: dict[str, str], text: str
) -> None:
    result = await client.simulate_post("/metrics/job/j", body=body, headers=headers)
    assert result.text.startswith(text)
    require_refused(result, 400, result.text.removesuffix("\n"))
    assert "Retry-After" not in result.headers


@pytest.mark.parametrize("encoding", [None, "identity", "br", "gzip, gzip"])
async def test_a_body_of_another_encoding_is_read_as_it_is(client: Client, encoding: str | None) -> None:
    headers = {} if encoding is None else {"Content-Encoding": encoding}
    require_empty(await client.simulate_post("/metrics/job/j", body="a 1\n", headers=headers), 200)


async def test_a_compressed_push_is_read(client: Client) -> None:
    body = gzip.compress(b"a 1\n") + gzip.compress(b"b 2\n")
    require_empty(await client.simulate_post("/metrics/job/j", body=body, headers={"Content-Encoding": "gzip"}), 200)
    assert len(await lines(client)) == 2


async def test_a_long_body_is_read_too(client: Client) -> None:
    body = "".join(f'a{{x="{number}"}} 1\n' for number in range(20_000))
    require_empty(await client.simulate_post("/metrics/job/j", body=body), 200)
    assert len(await lines(client)) == 20_000
    page = await client.simulate_get("/metrics")
    assert int(page.headers["Content-Length"]) == len(page.content)


async def test_a_body_beyond_the_limit_is_refused(redis_server: RedisServer) -> None:
    text = "the body is larger than 1024 bytes (--push.max-body-size, after decompression)"
    async with served(redis_server.url, "--push.max-body-size=1KiB") as client:
        fits = b"#" * 1023 + b"\n"
        require_empty(await client.simulate_post("/metrics/job/j", body=fits), 200)
        require_refused(await client.simulate_post("/metrics/job/j", body=b"#" + fits), 413, text)
        zipped = {"Content-Encoding": "gzip"}
        require_empty(await client.simulate_post("/metrics/job/j", body=gzip.compress(fits), headers=zipped), 200)
        result = await client.simulate_post("/metrics/job/j", body=gzip.compress(b"#" + fits), headers=zipped)
        require_refused(result, 413, text)
        assert await lines(client) == []


async def test_a_body_without_a_length_is_bounded_too(redis_server: RedisServer) -> None:
    async with served(redis_server.url, "--push.max-body-size=1KiB") as client:
        scope = testing.create_scope(path="/metrics/job/j", method="POST")
        events = [{"type": "http.request", "body": b"#" * 300, "more_body": True} for _ in range(9)]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return events.pop(0)

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        await client.app(scope, receive, send)
        assert sent[0]["status"] == 413
        assert len(events) == 5  # no more than the limit was received


# Scrapes.


async def test_a_scrape_is_text_that_can_be_cached_by_encoding(client: Client) -> None:
    await client.simulate_post("/metrics/job/j", body="a 1\n")
    result = await client.simulate_get("/metrics")
    assert result.status_code == 200
    assert result.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
    assert "Accept-Encoding" in result.headers["Vary"]
    assert "Content-Encoding" not in result.headers
    assert '# TYPE a untyped\na{instance="",job="j"} 1\n' in result.text


async def test_a_scrape_is_compressed_for_who_likes_it(client: Client) -> None:
    await client.simulate_post("/metrics/job/j", body="a 1\n")
    plain = await client.simulate_get("/metrics")
    zipped = await client.simulate_get("/metrics", headers={"Accept-Encoding": "br;q=1.0, gzip;q=0.8"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    own = b"pushgateway_"
    texts = [plain.content, gzip.decompress(zipped.content)]
    assert len({b"\n".join(line for line in text.split(b"\n") if own not in line) for text in texts}) == 1
    refused = await client.simulate_get("/metrics", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in refused.headers


# Methods.

PAGES = ["/metrics", "/-/healthy", "/-/ready", "/-/metrics"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_can_be_read_and_tells_so(client: Client, path: str) -> None:
    await client.simulate_get("/metrics")  # so that the view is loaded
    got = await client.simulate_get(path)
    assert got.status_code == 200
    head = await client.simulate_head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    options = await client.simulate_options(path)
    require_empty(options, 200)
    assert options.headers["Allow"] == ALLOW_PAGE
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        result = await client.simulate_request(method, path, body="a 1\n")
        require_refused(result, 405, "Method Not Allowed")
        assert result.headers["Allow"] == ALLOW_PAGE


async def test_a_group_can_be_pushed_and_deleted_and_nothing_else(client: Client) -> None:
    options = await client.simulate_options("/metrics/job/j")
    assert (options.status_code, options.content, options.headers["Allow"]) == (200, b"", ALLOW_PUSH)
    for method in ("GET", "PATCH", "TRACE"):
        result = await client.simulate_request(method, "/metrics/job/j")
        require_refused(result, 405, "Method Not Allowed")
        assert result.headers["Allow"] == ALLOW_PUSH
    head = await client.simulate_head("/metrics/job/j")
    assert (head.status_code, head.content) == (405, b"")


async def test_health_is_told_in_two_letters(client: Client) -> None:
    await client.simulate_get("/metrics")
    for path in ("/-/healthy", "/-/ready"):
        result = await client.simulate_get(path)
        assert (result.text, result.headers["Content-Type"]) == ("OK", PLAIN)


# Paths that lead elsewhere.

REDIRECTS = [
    ("GET", "//nowhere", 307, "/nowhere"),
    ("GET", "/metrics//job/x", 307, "/metrics/job/x"),
    ("POST", "/metrics/job//x", 307, "/metrics/job/x"),
    ("PUT", "/metrics/job/x/../y", 307, "/metrics/job/y"),
    ("DELETE", "/./metrics/job/x", 307, "/metrics/job/x"),
    ("GET", "/metrics/", 301, "/metrics"),
    ("PUT", "/-/quit/", 307, "/-/quit"),
    ("GET", "/METRICS", 301, "/metrics"),
    ("POST", "/Metrics/Job/x", 307, "/metrics/job/x"),
]


@pytest.mark.parametrize(("method", "path", "status", "location"), REDIRECTS)
async def test_an_unclean_path_is_redirected_with_its_query(
    client: Client, method: str, path: str, status: int, location: str
) -> None:
    for query in ("", "?a=1&b=2"):
        result = await client.simulate_request(method, path + query, body="a 1\n")
        assert (result.status_code, result.headers["Location"]) == (status, location + query)
        link = f'<a href="{location}{query.replace("&", "&amp;")}">{HTTPStatus(status).phrase}</a>.\n\n'
        assert result.text == (link if method == "GET" else "")
    assert await lines(client) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/metrics/"), ("OPTIONS", "/METRICS"), ("DELETE", "/-/ready/"), ("GET", "/Metrics/job/x")],
)
async def test_no_method_is_redirected_to_where_it_is_not_known(client: Client, method: str, path: str) -> None:
    assert (await client.simulate_request(method, path)).status_code == 404


async def test_slashes_at_the_start_lead_to_the_page_at_once(client: Client) -> None:
    assert (await client.simulate_get("//metrics")).status_code == 200


ESCAPED = ["/METRICS/job/x%0d%0aSet-Cookie:a=b", "/METRICS/job/a%2Fb", "/Metrics/job/%E4%B8%AD"]


@pytest.mark.parametrize("path", ESCAPED)
async def test_a_path_of_another_case_is_redirected_as_escaped_as_it_came(client: Client, path: str) -> None:
    result = await client.simulate_post(path, body="a 1\n")
    assert result.status_code == 307
    assert result.headers["Location"] == "/metrics/job" + path[len("/metrics/job") :]


# The JSON API and the way out.

CORS = {
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Origin",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Date",
    "Cache-Control": "no-cache, no-store, must-revalidate",
}


async def test_the_api_shows_the_groups(client: Client) -> None:
    path = "/api/v1/metrics"
    assert (await client.simulate_get(path)).text == '{"status":"success","data":[]}'
    for job in ("k", "j"):
        await client.simulate_post(f"/metrics/job/{job}", body="a 1\n")
    result = await client.simulate_get(path)
    assert (result.status_code, result.headers["Content-Type"]) == (200, "application/json")
    assert {key: result.headers[key] for key in CORS} == CORS
    assert [each["labels"]["job"] for each in result.json["data"]] == ["j", "k"]
    assert "X-Content-Type-Options" not in result.headers


async def test_the_api_shows_its_status_and_answers_options_everywhere(client: Client) -> None:
    assert (await client.simulate_get("/api/v1/status")).json["status"] == "success"
    for path in ("/api/v1/metrics", "/api/v1/status", "/api/v1/nowhere", "/api/v1/admin/wipe"):
        options = await client.simulate_options(path)
        assert (options.status_code, options.content) == (200, b"")
        assert {key: options.headers[key] for key in CORS} == CORS
        assert "Allow" not in options.headers
    for path in ("/api/v1/nowhere", "/api/v1/admin/wipe"):
        result = await client.simulate_put(path)
        require_refused(result, 404, "404 page not found")
        assert "Access-Control-Allow-Origin" not in result.headers


async def test_the_api_is_unavailable_while_redis_is_away(own_redis: RedisServer) -> None:
    async with served(own_redis.url) as client:
        own_redis.program.end()
        result = await client.simulate_get("/api/v1/metrics")
        assert (result.status_code, result.headers["Retry-After"]) == (503, "1")
        own_redis.start()


@asynccontextmanager
async def administered(url: str, leave: Callable[[], None]) -> AsyncIterator[Client]:
    """An app in which everything is allowed, below a prefix."""
    store = RedisStore(url, prefix="pgw", timeout=10)
    mirror = Mirror(store, View(write_head), lambda _sums, _now: [])
    gateway = Gateway(store, mirror, own={}, checked=True)
    pushes = Pushes(gateway, prefix="/x", max_body_size=1_000, utf8_names=False)
    site = Site(prefix="/x", telemetry_path="/scrape", has_admin_api=True, quit=leave)
    async with testing.ASGIConductor(make_app(gateway, pushes, site, ProcessMetrics(None), middleware=[])) as client:
        yield client
    await store.close()


async def test_everything_is_below_the_prefix_and_so_is_the_way_out(redis_server: RedisServer) -> None:
    left: list[str] = []
    async with administered(redis_server.url, lambda: left.append("left")) as client:
        require_empty(await client.simulate_post("/x/metrics/job/j", body="a 1\n"), 200)
        assert 'a{instance="",job="j"} 1\n' in (await client.simulate_get("/x/scrape")).text
        require_refused(await client.simulate_post("/metrics/job/j", body="a 1\n"), 404, "404 page not found")
        require_refused(await client.simulate_get("/x/metrics"), 404, "404 page not found")
        require_empty(await client.simulate_put("/x/api/v1/admin/wipe"), 202)
        assert (await client.simulate_options("/x/api/v1/admin/wipe")).headers["Access-Control-Allow-Origin"] == "*"
        assert "job=" not in (await client.simulate_get("/x/scrape")).text
        assert (await client.simulate_put("/-/quit")).status_code == 404
        assert left == []
        for number, leave in enumerate((client.simulate_put, client.simulate_post), 1):
            result = await leave("/x/-/quit")
            assert (result.status_code, result.text) == (200, "Requesting termination... Goodbye!")
            async with asyncio.timeout(5):
                while len(left) < number:  # noqa: ASYNC110  it is called in a thread, once the answer is sent
                    await asyncio.sleep(0.001)
        assert left == ["left"] * 2


async def test_the_way_out_is_shut_unless_it_was_opened(client: Client) -> None:
    for result in (await client.simulate_put("/-/quit"), await client.simulate_post("/-/quit")):
        assert (result.status_code, result.text) == (403, "Lifecycle API is not enabled.")
    result = await client.simulate_get("/-/quit")
    assert (result.status_code, result.text) == (405, "Only POST or PUT requests allowed.")
    assert (await client.simulate_options("/-/quit")).headers["Allow"] == "GET, OPTIONS, POST, PUT"
    require_refused(await client.simulate_delete("/-/quit"), 405, "Method Not Allowed")


PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding={0}"


@pytest.mark.parametrize("encoding", ["delimited", "text", "compact-text"])
async def test_a_scrape_is_protobuf_for_who_likes_it(client: Client, encoding: str) -> None:
    for job in ("j", "k"):
        await client.simulate_post(f"/metrics/job/{job}", body="# HELP a_family Help.\na_family 1\n")
    accept = {"Accept": PROTOBUF.format(encoding)}
    plain = await client.simulate_get("/metrics", headers=accept)
    zipped = await client.simulate_get("/metrics", headers={**accept, "Accept-Encoding": "gzip"})
    assert f"encoding={encoding}" in plain.headers["Content-Type"]
    assert zipped.headers["Content-Encoding"] == "gzip"
    for content in (plain.content, gzip.decompress(zipped.content)):
        assert content.count(b"a_family") == 1
        assert content.count(b"push_time_seconds") == 1


# Errors.

KINDS: list[tuple[PgwError, int]] = [
    (errors.BadGroupingKey("bad key"), 400),
    (errors.BadBody("EOF"), 400),
    (errors.ParseError(7, "bad"), 400),
    (errors.InconsistentPush("bad"), 400),
    (errors.BadLifetime("x", "a duration"), 400),
    (errors.PushTooLarge("push.max-series", "3", 2), 400),
    (errors.StoreFull("groups", 3, 2), 429),
    (errors.BadParameter("dry_run", "perhaps", "true or false"), 400),
    (errors.SelectorError("{", 1, "a label name"), 400),
    (errors.BodyTooLarge(7), 413),
    (errors.StoreUnavailable("away"), 503),
    (errors.StoreRefused("no rights"), 503),
    (errors.StoreConflict("job/j", 7), 503),
    (errors.StoreBusy(7), 503),
    (errors.CorruptGroup("job/j", "bad"), 503),
    (errors.PgwError("of no kind"), 500),
]


class Raising:
    """A resource that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def on_get(self, _request: falcon.asgi.Request, _response: falcon.asgi.Response) -> None:
        raise self.error


@asynccontextmanager
async def raising(error: Exception, count: Callable[[str], None]) -> AsyncIterator[Client]:
    app: falcon.asgi.App[Any, Any] = falcon.asgi.App()
    problems.install(app, count)
    app.add_route("/", Raising(error))
    async with testing.ASGIConductor(app) as client:
        yield client


@pytest.mark.parametrize(("error", "status"), KINDS, ids=[type(error).__name__ for error, _ in KINDS])
async def test_each_error_has_its_answer(error: PgwError, status: int, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    with caplog.at_level(logging.DEBUG, logger="pgw"):
        async with raising(error, counted.append) as client:
            result = await client.simulate_get("/")
    require_refused(result, status, str(error))
    assert result.headers.get("Retry-After") == ("1" if status >= 500 else None)
    assert counted == [type(error).__name__]
    levels = {each.levelno for each in caplog.records if each.name.startswith("pgw")}
    assert levels == {logging.WARNING if status >= 500 else logging.DEBUG}


def test_every_error_that_a_request_can_meet_is_in_the_table() -> None:
    never = {errors.SettingError, errors.StartError, errors.ArchiveError, errors.SourceError}  # of commands
    leaves = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, PgwError)} - never
    bases = {base for each in leaves for base in each.__mro__[1:]}
    assert leaves - bases == {type(error) for error, _ in KINDS} - bases


async def test_a_bug_is_logged_and_the_client_learns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    async with raising(ValueError("the inside"), counted.append) as client:
        result = await client.simulate_get("/")
    require_refused(result, 500, "Internal Server Error")
    assert counted == ["bug"]
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage() == "GET / failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the inside"


async def test_the_text_of_an_error_may_hold_bytes_that_are_not_utf8() -> None:
    async with raising(errors.BadGroupingKey("job \udcff"), lambda _kind: None) as client:
        assert (await client.simulate_get("/")).content == b"job \xff\n"


async def test_while_redis_is_away_requests_are_answered_and_the_process_is_healthy(own_redis: RedisServer) -> None:
    async with served(own_redis.url, "--redis.timeout=1s") as client:
        await client.simulate_post("/metrics/job/j", body="a 1\n")
        own_redis.program.end()
        for method, path in (
            ("POST", "/metrics/job/j"),
            ("PUT", "/metrics/job/j"),
            ("DELETE", "/metrics/job/j"),
            ("GET", "/metrics"),
            ("GET", "/metrics?timestamps=1"),
            ("GET", "/-/ready"),
        ):
            body, headers = "a 1\n" if method != "GET" else None, {"Accept-Encoding": "gzip"}
            result = await client.simulate_request(method, path, body=body, headers=headers)
            assert result.status_code == 503
            assert result.headers["Retry-After"] == "1"
            assert "Content-Encoding" not in result.headers
        for path in ("/-/healthy", "/-/metrics"):
            assert (await client.simulate_get(path)).status_code == 200
        own_redis.start()
        require_empty(await client.simulate_post("/metrics/job/j", body="a 2\n"), 200)
        assert await lines(client) == ['a{instance="",job="j"} 2']


# What is counted.


async def test_requests_are_counted_as_the_original_counts_them(redis_server: RedisServer) -> None:
    async with served(redis_server.url) as client:
        await client.simulate_post("/metrics/job/j", body="a 1\n")
        await client.simulate_post("/metrics/job/j", body="a x\n")
        await client.simulate_put("/metrics/job/j/odd", body="a x\n")
        await client.simulate_delete("/metrics/job/j")
        await client.simulate_get("/-/healthy")
        await client.simulate_get("/metrics")
        await client.simulate_get("/nowhere")
        await client.simulate_get("/metrics/job/j")
        await client.simulate_post("/metrics/job//j")
    async with served(redis_server.url) as client:  # what the first has handed over when it ended
        page = (await client.simulate_get("/metrics")).text
    name = "pushgateway_http_requests_total"
    assert [line for line in page.split("\n") if line.startswith(name)] == [
        f'{name}{{code="200",handler="healthy",method="get"}} 1',
        f'{name}{{code="200",handler="push",method="post"}} 1',
        f'{name}{{code="202",handler="delete",method="delete"}} 1',
        f'{name}{{code="400",handler="push",method="post"}} 1',
        f'{name}{{code="400",handler="push",method="put"}} 1',
    ]
    assert 'pushgateway_http_push_size_bytes_count{method="post"} 2\n' in page
    assert 'pushgateway_http_push_duration_seconds_count{method="put"} 1\n' in page


async def test_problems_are_counted_by_their_kind(client: Client) -> None:
    await client.simulate_post("/metrics/job/j", body="a x\n")
    await client.simulate_post("/metrics/job/j/odd", body="a x\n")
    page = (await client.simulate_get("/-/metrics")).text
    assert 'pgw_problems_total{kind="ParseError"} 1.0\n' in page
    assert 'pgw_problems_total{kind="BadGroupingKey"} 1.0\n' in page


async def test_a_fleet_of_more_groups_than_are_remembered_is_served(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgw.web.push.KEYS_REMEMBERED", 3)
    for number in range(10):
        job = base64.urlsafe_b64encode(b"j%d" % number).decode()
        require_empty(await client.simulate_post(f"/metrics/job@base64/{job}", body="a 1\n"), 200)
        require_empty(await client.simulate_post("/metrics/job/j", body="a 1\n"), 200)
    assert len(await lines(client)) == 11
