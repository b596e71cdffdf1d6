"""All pages but the web UI, asked of Debian's Pushgateway (1.5.1) and of ours: methods, headers, encodings, formats.

In: paths and methods, Accept headers.
Out: status, headers and body of each answer, compared.
Never: asks for the web UI or for what only Go has (/debug/pprof).

What differs on purpose, or between 1.5.1 and 1.11.3 (section 7 of the behaviour page), is a row of ROWS, which says
what we answer instead. The first two are in DIFFERENT of tests/conformance too.
"""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from client import Answer
from original import TIME, Pair, Request, noticeable

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "FOO")
PAGES = ("/metrics", "/api/v1/metrics", "/api/v1/status")
"""Whose bodies are compared by tests of their own."""
PATHS = (
    *PAGES,
    "/-/ready", "/-/healthy", "/-/ready?q=1", "/-/quit", "/api/v1/admin/wipe", "/api/v1/none", "/api/v1/", "/api/v1",
    "/none", "/metrics/none", "/metrics/job", "/metrics/job/", "/metrics/job@base64", "/metrics/job@base64/",
    "/metrics/job/j", "/metrics/job/j/", "/metrics/job/j/a", "/metrics/job/j/a%2Fb", "/metrics/job/a%zz", "/metrics%20",
    "/metrics/", "/METRICS", "/metrics/?a=1&b='2'", "/-/ready/", "/-/Healthy", "/-/QUIT/", "/-/quit/x",
    "/METRICS/JOB/x/A/B", "/API/V1/STATUS", "/api/v1/STATUS", "/api/v1/status/", "/api/v1/metrics/",
    "//metrics", "/metrics//", "/./metrics", "/x/../metrics", "/api//v1/status", "/metrics//job/j", "/-/../none",
)  # fmt: skip
ERROR = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}
NOT_FOUND = Answer(404, "", ERROR, b"404 page not found\n")
TEXT = b"a 1\nb 2\n"


class Row(NamedTuple):
    """One difference: which answers of the original it is about, and what we answer."""

    example: Request
    is_about: Callable[[Request, Answer], bool]
    ours: Callable[[Pair, Request, Answer], Answer]


def of_get(pair: Pair, request: Request, theirs: Answer) -> Answer:
    """What GET answers, without the body; a redirect of another method is temporary."""
    answer = noticeable(pair.ours.request(*request._replace(method="GET")))
    return answer._replace(status=307 if theirs.status == 404 else answer.status, body=b"")


def with_headers(**headers: str) -> Callable[[Pair, Request, Answer], Answer]:
    """The answer of the original with other headers; an empty one is left out."""

    def ours(_pair: Pair, _request: Request, theirs: Answer) -> Answer:
        found = {**theirs.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return theirs._replace(headers={name: value for name, value in found.items() if value})

    return ours


def temporary(_pair: Pair, _request: Request, theirs: Answer) -> Answer:
    """The redirect of the original with another status, of which its body speaks."""
    return theirs._replace(status=307, body=theirs.body.replace(b"Moved Permanently", b"Temporary Redirect"))


def is_page(request: Request, theirs: Answer) -> bool:
    """Whether this is a path that GET reads and nothing else does."""
    return theirs.headers.get("allow") == "GET, OPTIONS" or (request.path in PAGES and theirs.status == 200)


NOWHERE = {"/api/v1", "/metrics/job/", "/api/v1/status/", "/api/v1/STATUS", "/api/v1/metrics/"}
UNCLEAN = re.compile(r"//|/\.{1,2}/")

ROWS: dict[str, Row] = {
    "HEAD works wherever GET does": Row(
        Request("HEAD", "/-/ready"),
        lambda request, theirs: request.method == "HEAD"
        and (is_page(request, theirs) or request.path in ("/metrics/", "/METRICS", "/-/ready/", "/-/Healthy")
             or request.path.startswith("/metrics/?")),
        of_get,
    ),
    "so Allow names it": Row(
        Request("POST", "/-/ready"),
        lambda request, theirs: theirs.headers.get("allow") == "GET, OPTIONS"
        and request.method != "HEAD" and not (request.path.startswith("/api") and request.method == "OPTIONS"),
        with_headers(allow="GET, HEAD, OPTIONS"),
    ),
    "a method that nobody knows is refused before its path is looked at, so without Allow": Row(
        Request("FOO", "/-/ready"),
        lambda request, theirs: request.method == "FOO" and theirs.status == 405
        and not request.path.startswith("/metrics/job"),
        with_headers(allow=""),
    ),
    "a path is cleaned by a 307 since Go 1.26 (section 7)": Row(
        Request("GET", "/metrics//"),
        lambda request, theirs: theirs.status == 301 and UNCLEAN.search(request.path) is not None,
        temporary,
    ),
    "more slashes in front are no detour": Row(
        Request("GET", "//metrics"),
        lambda request, _: request.path == "//metrics",
        lambda pair, request, _: noticeable(pair.ours.request(*request._replace(path="/metrics"))),
    ),
    "what leads to a 404, or below /api/v1 to another page, is a 404 at once": Row(
        Request("POST", "/metrics/job/"),
        lambda request, theirs: request.path in NOWHERE and theirs.status in (301, 307),
        lambda _, request, __: NOT_FOUND._replace(body=b"" if request.method == "HEAD" else NOT_FOUND.body),
    ),
    "a broken escape is an error like any other": Row(
        Request("GET", "/metrics/job/a%zz"),
        lambda request, _: "%zz" in request.path,
        lambda _, __, theirs: theirs._replace(headers=ERROR, body=theirs.body and theirs.body + b"\n"),
    ),
    "caches are told what the page depends on": Row(
        Request("GET", "/metrics"),
        lambda request, theirs: request.path == "/metrics" and request.method == "GET" and theirs.status == 200,
        with_headers(vary="Accept, Accept-Encoding"),
    ),
}  # fmt: skip


def assert_as_the_rows_say(pair: Pair, request: Request) -> None:
    ours, theirs = map(noticeable, pair.ask(request))
    for row in ROWS.values():
        if row.is_about(request, theirs):
            theirs = row.ours(pair, request, theirs)
    if request.method == "GET" and theirs.status == 200 and request.path.endswith(PAGES):
        ours, theirs = ours._replace(body=b""), theirs._replace(body=b"")
    assert ours == theirs, request


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_row_is_about_a_difference(pair: Pair, row: Row) -> None:
    ours, theirs = map(noticeable, pair.ask(row.example))
    assert row.is_about(row.example, theirs)
    assert ours != theirs


@pytest.mark.parametrize("path", PATHS)
def test_each_path_is_answered_alike_by_any_method(pair: Pair, path: str) -> None:
    for method in METHODS:
        # Go ends the connection over a path that it cannot read, and a body that it has not read would be cut off hard.
        body = TEXT if method in ("POST", "PUT") and "%zz" not in path else b""
        assert_as_the_rows_say(pair, Request(method, path, body))


FAMILY = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding="
ACCEPTED = (
    "", "*/*", "text/plain", "text/*", "text/plain;version=0.0.4", "text/plain;version=0.0.3",
    "text/plain;version=1.0.0", "application/json", "garbage", ",,;", "application/vnd.google.protobuf",
    "application/vnd.google.protobuf;encoding=delimited", "application/*;q=1,text/plain;q=0.2",
    FAMILY + "delimited", FAMILY + "text", FAMILY + "compact-text", FAMILY + "other", FAMILY + '"delimited"',
    FAMILY.replace("MetricFamily", "X") + "delimited", FAMILY.replace(";", " ; ") + "delimited",
    FAMILY.upper() + "delimited", FAMILY + "delimited;charset=utf-8", FAMILY + "delimited;q=2",
    f"{FAMILY}delimited;q=0.5,text/plain;q=0.7", f"{FAMILY}delimited;q=0.7,text/plain;q=0.5",
    f"{FAMILY}text;q=0.1,{FAMILY}compact-text;q=0.2", f"text/plain;q=0.3,{FAMILY}delimited;q=0.3",
    f"{FAMILY}delimited,{FAMILY}text", f"{FAMILY}delimited;q=0,text/plain;q=0.1", f"{FAMILY}delimited;q=0.7,*/*;q=0.9",
    "application/openmetrics-text",
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    f"{FAMILY}delimited;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
)  # fmt: skip
NOT_ACCEPTED = (FAMILY + "delimited;q=0", FAMILY + "text;q=x", FAMILY + "delimited;q=-1")


@pytest.mark.parametrize("accept", ACCEPTED)
def test_the_same_format_is_chosen(pair: Pair, accept: str) -> None:
    assert_as_the_rows_say(pair, Request("GET", "/metrics", headers={"Accept": accept}))


@pytest.mark.parametrize("accept", NOT_ACCEPTED)
def test_a_format_that_is_not_wanted_is_not_sent_though_both_originals_do(pair: Pair, accept: str) -> None:
    ours, theirs = map(noticeable, pair.ask(Request("GET", "/metrics", headers={"Accept": accept})))
    assert ours.headers["content-type"].startswith("text/plain")
    assert theirs.headers["content-type"].startswith("application/vnd.google.protobuf")


ENCODINGS = (
    "gzip",
    "gzip;q=0.5",
    "identity",
    "*",
    "",
    "gzip, deflate",
    "deflate",
    "GZIP",
    "x-gzip",
    "br,gzip",
    " gzip",
)
SINCE_1_11_3 = {"gzip;q=0": None, "gzip;q=0.5, identity;q=0.9": None, "gzip ;q=1": "gzip"}


@pytest.mark.parametrize("accept", ENCODINGS)
def test_the_same_pages_are_compressed(pair: Pair, accept: str) -> None:
    for path in (*PAGES, "/-/ready", "/none"):
        assert_as_the_rows_say(pair, Request("GET", path, headers={"Accept-Encoding": accept}))


@pytest.mark.parametrize("accept", SINCE_1_11_3)
def test_encodings_are_weighed_as_in_1_11_3(pair: Pair, accept: str) -> None:
    ours, theirs = pair.ask(Request("GET", "/metrics", headers={"Accept-Encoding": accept}))
    expected = (None, "gzip") if SINCE_1_11_3[accept] is None else ("gzip", None)
    assert (ours.headers.get("content-encoding"), theirs.headers.get("content-encoding")) == expected


def test_a_compressed_page_is_the_page(pair: Pair) -> None:
    pair.ask(Request("POST", "/metrics/job/j", TEXT))
    for server in pair:
        plain = server.scrape()
        packed = server.get("/metrics", {"Accept-Encoding": "gzip"})
        assert [line for line in gzip.decompress(packed.body).decode().split("\n") if line.startswith(("a", "b"))] == [
            line for line in plain.lines if line.startswith(("a", "b"))
        ]


JSON_GROUP = """\
# HELP c <Help> & "of" c.
# TYPE c counter
c{z="<&>\\n\\"\u2028"} 1e6
c{z="2"} +Inf
# TYPE g gauge
g -0
# TYPE h histogram
h_bucket{le="0.1"} 1
h_bucket{le="1"} 3
h_bucket{le="+Inf"} 4
h_sum 5.5
h_count 4
# TYPE s summary
s{x="y",quantile="0.5"} 0.25
s{x="y",quantile="0.99"} NaN
s_sum{x="y"} 1e9
s_count{x="y"} 1000000
u 1e-7
u{b=""} 123456789
"""


def test_the_json_of_a_group_is_the_same_to_the_byte(pair: Pair) -> None:
    pair.ask(Request("PUT", "/metrics/job/j/instance/i/zone/%C3%A9%3C", JSON_GROUP.encode()))
    texts = [server.get("/api/v1/metrics").text for server in pair]
    ours, theirs = (re.sub(r'"1\.\d+e\+09"', '"T"', TIME.sub("T", text)) for text in texts)
    assert ours == theirs


def test_a_store_without_groups_is_an_empty_list(pair: Pair) -> None:
    pair.settle()
    pair.empty()
    ours, theirs = pair.ask(Request("GET", "/api/v1/metrics"))
    assert ours.text == theirs.text == '{"status":"success","data":[]}'


def test_the_status_has_all_that_the_original_tells(pair: Pair) -> None:
    """But for Debian's own flag, and with our flags and the version of Python besides."""
    ours, theirs = (json.loads(TIME.sub("T", each.text)) for each in pair.ask(Request("GET", "/api/v1/status")))
    assert list(ours) == list(theirs) == ["status", "data"]
    assert list(ours["data"]) == list(theirs["data"])
    assert set(theirs["data"]["build_information"]) <= set(ours["data"]["build_information"])
    assert set(theirs["data"]["flags"]) - set(ours["data"]["flags"]) == {"web.local-assets"}
    where = {"persistence.file", "web.listen-address", "web.local-assets"}
    for name in set(theirs["data"]["flags"]) - where:
        assert ours["data"]["flags"][name] == theirs["data"]["flags"][name]
    assert ours["data"]["start_time"] == theirs["data"]["start_time"] == "T"
