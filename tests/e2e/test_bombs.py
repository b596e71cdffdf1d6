"""Bodies that are much larger than they look, or never end, sent to a gateway that runs.

In: bombs of 10 MB, uploads that claim or send too much; one worker.
Out: what is answered, how much memory the worker has needed at most, and whether it is still the same and well.
Never: asserts how long anything takes.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import bombs
import pytest
from client import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import Server, StartServer

MEGABYTE = 10**6
LIMIT = 64 * bombs.MEBIBYTE
TOO_LARGE = f"the body is larger than {LIMIT} bytes (--push.max-body-size, after decompression)\n"
BOMBS: dict[str, tuple[Callable[[int], bytes], int, str]] = {
    "zeros in one gzip member": (bombs.one_member, 10_000, "gzip"),
    "text in one gzip member": (bombs.text_in_one_member, 10_000, "gzip"),
    "zeros in many gzip members": (bombs.many_members, 10_000, "gzip"),
    "zeros in snappy": (bombs.snappy_frames, 210, "snappy"),
}
CHUNK = b"%x\r\n%b\r\n" % (bombs.MEBIBYTE, b"#" * (bombs.MEBIBYTE - 1) + b"\n")
HEAD = f"POST /metrics/job/j HTTP/1.1\r\nHost: {HOST}\r\n"


class Watched:
    """A gateway of one worker, and how much more memory that has needed than at the start."""

    def __init__(self, server: Server) -> None:
        self.server = server
        assert server.post("job/before", "a 1\n").status == 200
        [self.worker] = server.program.workers()
        bombs.forget_peak(self.worker)
        self._before = bombs.peak(self.worker)

    @property
    def growth(self) -> int:
        """Bytes."""
        return bombs.peak(self.worker) - self._before

    def assert_well(self) -> None:
        """The worker is the same, and takes pushes; nothing of the bombs was kept."""
        assert self.server.post("job/after", "a 2\n").status == 200
        assert self.server.program.workers() == [self.worker]
        groups = {dict(labels)["job"] for labels in self.server.scrape().groups()}
        assert groups == {"before", "after"}


@pytest.fixture(scope="module")
def server(start_for_module: StartServer) -> Server:
    return start_for_module("--workers=1")


@pytest.fixture
def watched(server: Server) -> Iterator[Watched]:
    server.delete_all_groups()
    made = Watched(server)
    yield made
    made.assert_well()


def upload(port: int, head: str, chunks: int, *, stays: bool = True) -> bytes:
    """Send a head and so many chunks of a mebibyte, or fewer if nobody reads; what is answered to one who stays."""
    answer = b""
    with socket.create_connection((HOST, port), timeout=20) as connection, suppress(ConnectionError):
        connection.sendall(f"{HEAD}{head}\r\n\r\n".encode())
        for _ in range(chunks):
            connection.sendall(CHUNK)
        while stays and (received := connection.recv(65536)):
            answer += received
    return answer


@pytest.mark.parametrize(("make", "mebibytes", "encoding"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_of_10_megabytes_is_refused_for_less_than_100(
    watched: Watched, make: Callable[[int], bytes], mebibytes: int, encoding: str
) -> None:
    body = make(mebibytes)
    assert 10 * MEGABYTE < len(body) < 11 * MEGABYTE
    answer = watched.server.post("job/j", body, {"Content-Encoding": encoding})
    assert (answer.status, answer.text) == (413, TOO_LARGE)
    assert watched.growth < 100 * MEGABYTE


def test_20_bombs_at_once_cost_no_more_than_what_was_sent_and_a_little(watched: Watched) -> None:
    body = bombs.one_member(10_000)
    with ThreadPoolExecutor(20) as pool:
        headers = {"Content-Encoding": "gzip"}
        statuses = list(pool.map(lambda _: watched.server.post("job/j", body, headers).status, range(20)))
    assert statuses == [413] * 20
    assert watched.growth < 20 * 2 * len(body) + 100 * MEGABYTE


def test_half_a_million_members_of_nothing_are_nothing(watched: Watched) -> None:
    """Their time is what counts here: the worker takes other pushes meanwhile."""
    body = bombs.nothings(500_000)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(watched.server.put, "job/before", body, {"Content-Encoding": "gzip"})
        while not sent.done():
            assert watched.server.post("job/after", "a 1\n").status == 200
    assert sent.result().status == 200
    assert watched.growth < 100 * MEGABYTE


@pytest.mark.parametrize("length", [LIMIT + 1, 10**12, 10**18])
def test_a_length_that_is_too_large_is_refused_whatever_follows(watched: Watched, length: int) -> None:
    claims = f"Content-Length: {length}"
    for head in (f"{claims}\r\nExpect: 100-continue", f"{claims}\r\n\r\na 1"):  # nothing of the body, and a little
        answer = upload(watched.server.port, head, chunks=0)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.endswith(TOO_LARGE.encode())
    upload(watched.server.port, claims, chunks=300)
    assert watched.growth < 20 * MEGABYTE


def test_a_body_without_end_is_cut_off_at_the_limit(watched: Watched) -> None:
    """The client may learn the reason or not: it still sends when the connection is closed."""
    answer = upload(watched.server.port, "Transfer-Encoding: chunked", chunks=1_000)
    assert answer.startswith(b"HTTP/1.1 413 ") or answer == b""
    assert watched.growth < LIMIT + 40 * MEGABYTE


def test_one_who_stops_in_the_middle_has_pushed_nothing(watched: Watched) -> None:
    for head in ("Transfer-Encoding: chunked", f"Content-Length: {LIMIT}"):
        upload(watched.server.port, head, chunks=30, stays=False)
    assert watched.growth < 60 * MEGABYTE
