"""HTTP as it arrives on a socket: framing, encodings and limits, byte by byte.

In: bytes as clients and proxies send them.  Out: the answers, and what was stored.
Never: depends on a client library to form a request.
"""

from __future__ import annotations

import gzip
import socket
import zlib
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from client import HOST, RAW_SECONDS

if TYPE_CHECKING:
    from servers import Server, StartServer

HEAD = b"Host: gateway\r\nConnection: close\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PATH = b"POST /metrics/job/j HTTP/1.1\r\n"
BODY = b"a 1\nb 2\n"
PACKED = gzip.compress(BODY)
ONE_LINE = ('a{instance="",job="j"} 1',)

FRAMINGS: dict[str, bytes] = {
    "a length": PATH + HEAD + b"Content-Length: 4\r\n\r\na 1\n",
    "one chunk": PATH + CHUNKED + b"4\r\na 1\n\r\n0\r\n\r\n",
    "chunks that split a line": PATH
    + HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\n \r\n2\r\n1\n\r\n0\r\n\r\n",
    "a chunk with an extension, and a trailer": (PATH + CHUNKED + b"4;x=y\r\na 1\n\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    "HTTP/1.0 without a Host": b"POST /metrics/job/j HTTP/1.0\r\nContent-Length: 4\r\n\r\na 1\n",
    "an absolute URL": b"POST http://gateway/metrics/job/j HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\n\r\na 1\n",
    "a query string": b"POST /metrics/job/j?job=k HTTP/1.1\r\n" + HEAD + b"Content-Length: 4\r\n\r\na 1\n",
    "names of headers in capitals": PATH + HEAD.upper() + b"CONTENT-LENGTH: 4\r\n\r\na 1\n",
}

GZIP_BODIES: dict[str, tuple[bytes, int, str]] = {
    "whole": (PACKED, 200, ""),
    "two members": (gzip.compress(b"a 1\n") + gzip.compress(b"b 2\n"), 200, ""),
    "members that split a line": (gzip.compress(b"a 1\nb") + gzip.compress(b" 2\n"), 200, ""),
    "stored, not deflated": (gzip.compress(BODY, compresslevel=0), 200, ""),
    "a truncated trailer": (PACKED[:-4], 400, "unexpected EOF"),
    "truncated data": (PACKED[:-12], 400, "unexpected EOF"),
    "a truncated second member": (PACKED + gzip.compress(b"c 3\n")[:-3], 400, "unexpected EOF"),
    "a wrong checksum": (PACKED[:-8] + bytes(4) + PACKED[-4:], 400, "gzip: invalid checksum"),
    "garbage": (b"this is no gzip at all", 400, "gzip: invalid header"),
    "garbage behind it": (PACKED + b"garbage behind it", 400, "gzip: invalid header"),
    "plain text": (BODY, 400, ""),
    "zlib, not gzip": (zlib.compress(BODY), 400, "gzip: invalid header"),
    "nothing": (b"", 400, "EOF"),
}


@pytest.mark.parametrize("sent", FRAMINGS.values(), ids=FRAMINGS.keys())
def test_a_push_is_read_however_it_is_framed(shared_gateway: Server, sent: bytes) -> None:
    answer = shared_gateway.raw(sent)

    assert answer.split(b" ")[1] == b"200", answer
    assert shared_gateway.scrape().family("a").samples == ONE_LINE


@pytest.mark.parametrize(("body", "status", "said"), GZIP_BODIES.values(), ids=GZIP_BODIES.keys())
def test_a_gzip_body_is_unpacked_or_refused_whole(shared_gateway: Server, body: bytes, status: int, said: str) -> None:
    answer = shared_gateway.post("job/j", body, {"Content-Encoding": "gzip"})

    assert answer.status == status, answer
    assert said in answer.text
    lines = [line for family in shared_gateway.scrape().pushed for line in family.samples]
    stored = ['a{instance="",job="j"} 1', 'b{instance="",job="j"} 2']
    assert [line for line in lines if not line.startswith("push_")] == (stored if status == 200 else [])


def test_one_connection_serves_many_requests(shared_gateway: Server) -> None:
    with closing(HTTPConnection(HOST, shared_gateway.port, timeout=30)) as connection:
        connection.connect()
        first = connection.sock
        for number in range(50):
            connection.request("POST", f"/metrics/job/j/number/{number}", f"a {number}\n")
            with connection.getresponse() as response:
                assert (response.status, response.read()) == (200, b"")
        connection.request("GET", "/metrics")
        with connection.getresponse() as response:
            page = response.read().decode()

        assert connection.sock is first
    assert page.count("\na{") == 50


def test_pipelined_requests_are_answered_in_their_order(shared_gateway: Server) -> None:
    push = b"POST /metrics/job/j HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n\r\n%s"
    sent = b"".join(push % (len(body), body) for body in (b"a 1\n", b"a x\n", b"a 3\n"))
    last = b"GET /metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"

    answers = shared_gateway.raw(sent + last)

    statuses = [part.split(b" ", 1)[0] for part in answers.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"400", b"200", b"200"]
    assert b'a{instance="",job="j"} 3\n' in answers


@pytest.mark.parametrize(
    ("version", "asked", "told", "then"),
    [
        (b"1.1", b"", None, b"HTTP/1.1 200 OK\r\n"),
        (b"1.1", b"Connection: keep-alive\r\n", None, b"HTTP/1.1 200 OK\r\n"),
        (b"1.1", b"Connection: close\r\n", b"close", b""),
        (b"1.1", b"Connection: x, Close\r\n", b"close", b""),
        (b"1.0", b"", None, b""),
        (b"1.0", b"Connection: keep-alive\r\n", b"keep-alive", b"HTTP/1.0 200 OK\r\n"),
    ],
)
def test_an_answer_says_what_becomes_of_the_connection(
    shared_gateway: Server, version: bytes, asked: bytes, told: bytes | None, then: bytes
) -> None:
    request = b"GET /-/healthy HTTP/%s\r\nHost: g\r\n%s\r\n" % (version, asked)
    with socket.create_connection((HOST, shared_gateway.port), timeout=RAW_SECONDS) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as reader:
            head = [line.lower().strip() for line in iter(reader.readline, b"\r\n")]
            reader.read(next(int(line.split()[1]) for line in head if line.startswith(b"content-length:")))
            if then:
                connection.sendall(request)
            assert reader.readline() == then

    said = [line.split()[1] for line in head if line.startswith(b"connection:")]
    assert said == ([told] if told else [])


def test_the_body_is_only_sent_once_100_continue_arrived(shared_gateway: Server) -> None:
    with socket.create_connection((HOST, shared_gateway.port), timeout=RAW_SECONDS) as connection:
        connection.sendall(PATH + HEAD + b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        with connection.makefile("rb") as reader:
            invited = reader.readline()
            assert reader.readline() == b"\r\n"
            connection.sendall(b"a 1\n")
            answered = reader.readline()

    assert (invited[:12], answered[:12]) == (b"HTTP/1.1 100", b"HTTP/1.1 200")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_answers_as_get_but_without_the_body(shared_gateway: Server, method: str, encoding: str) -> None:
    shared_gateway.post("job/j", "a 1\n")

    answer = shared_gateway.request(method, "/metrics", headers={"Accept-Encoding": encoding})

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4; charset=utf-8")
    assert answer.headers.get("content-encoding", "identity") == encoding
    assert int(answer.headers["content-length"]) > 0
    assert len(answer.body) == (int(answer.headers["content-length"]) if method == "GET" else 0)


CUT: dict[str, bytes] = {
    "before the body": PATH + HEAD + b"Content-Length: 8\r\n\r\n",
    "in a number": PATH + HEAD + b"Content-Length: 8\r\n\r\na 12",
    "behind a line": PATH + HEAD + b"Content-Length: 8\r\n\r\na 1\n",
    "in a chunk": PATH + CHUNKED + b"8\r\na 12",
    "between chunks": PATH + CHUNKED + b"4\r\na 1\n\r\n",
    "in gzip": PATH + HEAD + b"Content-Encoding: gzip\r\nContent-Length: 99\r\n\r\n" + PACKED,
}


@pytest.mark.parametrize("sent", CUT.values(), ids=CUT.keys())
def test_a_client_that_goes_away_in_its_body_stores_nothing(shared_gateway: Server, sent: bytes) -> None:
    with socket.create_connection((HOST, shared_gateway.port), timeout=RAW_SECONDS) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            connection.recv(65536)  # whatever the answer is, there is none that was accepted

    for _ in range(4):
        shared_gateway.post("job/k", "b 2\n")
        assert shared_gateway.scrape().groups() == {(("instance", ""), ("job", "k"))}


BROKEN: dict[str, bytes] = {
    "HTTP/1.1 without a Host": b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n",
    "a length that is no number": PATH + HEAD + b"Content-Length: x\r\n\r\na 1\n",
    "a negative length": PATH + HEAD + b"Content-Length: -4\r\n\r\na 1\n",
    "two different lengths": PATH + HEAD + b"Content-Length: 4\r\nContent-Length: 8\r\n\r\na 1\nb 2\n",
    "a chunk size that is no number": PATH + CHUNKED + b"x\r\na 1\n\r\n0\r\n\r\n",
    "no HTTP": b"a 1\n\r\n\r\n",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_http_request_is_refused_and_stores_nothing(shared_gateway: Server, sent: bytes) -> None:
    answer = shared_gateway.raw(sent)

    assert answer.split(b" ")[1:2] == [b"400"], answer
    assert shared_gateway.scrape().groups() == set()


LIMIT = 100_000
LARGE = b"a 1\n# " + b"x" * LIMIT + b"\n"
BOMB_BYTES = 300_000_000


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(LARGE, {}, id="plain"),
        pytest.param(gzip.compress(LARGE), {"Content-Encoding": "gzip"}, id="gzip"),
        pytest.param(b"%x\r\n%s\r\n0\r\n\r\n" % (len(LARGE), LARGE), {"Transfer-Encoding": "chunked"}, id="chunked"),
    ],
)
def test_a_body_over_the_limit_is_refused_and_stores_nothing(
    gateway: StartServer, body: bytes, headers: dict[str, str]
) -> None:
    server = gateway(f"--push.max-body-size={LIMIT}")
    at_limit = LARGE[: LIMIT - 1] + b"\n"

    assert server.post("job/j", body, headers).status == 413
    assert server.scrape().groups() == set()
    assert server.post("job/j", at_limit).status == 200
    assert server.post("job/j", gzip.compress(at_limit), {"Content-Encoding": "gzip"}).status == 200


def test_a_gzip_bomb_is_refused_without_being_unpacked(gateway: StartServer) -> None:
    server = gateway("--push.max-body-size=1000000", "--workers=1")
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(10_000_000)) for _ in range(BOMB_BYTES // 10_000_000)) + packer.flush()
    assert len(bomb) < 1_000_000

    answers = [server.post("job/j", bomb, {"Content-Encoding": "gzip"}).status for _ in range(3)]

    assert answers == [413, 413, 413]
    assert server.scrape().groups() == set()
    assert max(map(peak_bytes, server.program.workers())) < BOMB_BYTES


def peak_bytes(pid: int) -> int:
    """The most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
