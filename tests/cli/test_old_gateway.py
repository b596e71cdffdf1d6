"""Reading a Pushgateway: what does not answer as one is told in a sentence, and what moves meanwhile is read again."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import pytest
from client import HOST, Client
from meanwhile import meanwhile
from servers import unused_port

from pgw.cli.old_gateway import ROUNDS, OldGateway, Reading
from pgw.errors import SourceError
from pgw.model.grouping import GroupingKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server, StartServer

STATUS = json.dumps({"status": "success", "data": {"flags": {"web.telemetry-path": "/metrics"}}})
NOTHING = '{"status":"success","data":[]}'


def everything(_: GroupingKey) -> bool:
    return True


def read(url: str) -> Reading:
    return OldGateway(url).read(everything)


class Canned(http.server.BaseHTTPRequestHandler):
    """Answers from a table: path -> status and body."""

    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path, (404, b"no such page"))
        self.send_response(status)
        self.send_header("Location", "http://elsewhere.example/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's word
        pass


@contextmanager
def serving(**answers: tuple[int, str | bytes]) -> Iterator[str]:
    """A server with these answers, by the last part of the path."""
    paths = {"status": "/api/v1/status", "groups": "/api/v1/metrics", "scrape": "/metrics"}
    given = {"status": (200, STATUS), "groups": (200, NOTHING), "scrape": (200, b""), **answers}
    table = {
        paths[name]: (code, body.encode() if isinstance(body, str) else body) for name, (code, body) in given.items()
    }
    handler = type("Handler", (Canned,), {"answers": table})
    with http.server.ThreadingHTTPServer((HOST, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_gateway_without_groups_is_read() -> None:
    with serving() as url:
        assert read(url) == Reading([], [])
        assert read(f"{url}/") == Reading([], [])


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"status": (404, "no such page")}, "answered 404 Not Found: no such page"),
        ({"status": (200, "<html>")}, "is not a Pushgateway: /api/v1/status does not say so"),
        ({"status": (200, "[]")}, "is not a Pushgateway: /api/v1/status does not say so"),
        ({"groups": (200, "<html>")}, "the answer of /api/v1/metrics is not that of a Pushgateway"),
        ({"groups": (200, NOTHING[:-3] + '[{"labels":')}, "the answer of /api/v1/metrics is cut off at byte 2"),
        (
            {"scrape": (500, "collected metric x twice\n" * 100)},
            "answered 500 Internal Server Error: collected metric x",
        ),
        ({"scrape": (200, b"\xff\xff\xff")}, "the scrape is not protobuf of the Pushgateway"),
        ({"scrape": (200, "a 1\n")}, "the scrape is not protobuf of the Pushgateway"),
    ],
)
def test_what_is_no_pushgateway_is_told(answers: dict[str, tuple[int, str | bytes]], sentence: str) -> None:
    with serving(**answers) as url, pytest.raises(SourceError) as caught:
        read(url)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 1200


def test_a_place_where_nobody_listens_and_a_url_without_a_host_are_told() -> None:
    with pytest.raises(SourceError, match=r"cannot be read: .*refused"):
        read(f"http://{HOST}:{unused_port()}")
    with pytest.raises(SourceError, match="names its host"):
        read("http:///metrics")


def test_a_group_that_is_not_shown_as_a_pushgateway_does_is_told_and_the_others_are_read() -> None:
    broken = {"labels": {"job": "b"}, "x": {"time_stamp": "yesterday", "type": "GAUGE", "metrics": []}}
    hidden = {"labels": {"type": "GAUGE"}}
    fine = {"labels": {"job": "f"}}
    answer = json.dumps({"status": "success", "data": [broken, hidden, fine]}, separators=(",", ":"))
    with serving(groups=(200, answer)) as url:
        groups, problems = read(url)
    assert [group.key.name for group in groups] == ["job/f"]
    assert [problem.rpartition(": ")[0] for problem in problems if "labels" in problem] == ["group {'type': 'GAUGE'}"]
    assert [problem[:14] for problem in problems if "labels" not in problem] == ["group job/b: i"]


def test_a_group_that_the_api_and_the_scrape_show_differently_is_asked_for_again_and_then_told() -> None:
    times = {"push_time_seconds": {"time_stamp": "2026-01-31T12:00:00Z", "type": "GAUGE", "metrics": [
        {"labels": {"job": "m", "instance": ""}, "value": "1.7e+09"}
    ]}}  # fmt: skip
    answer = json.dumps({"status": "success", "data": [{"labels": {"job": "m"}, **times}]}, separators=(",", ":"))
    with serving(groups=(200, answer)) as url:
        assert read(url) == Reading([], [f"group job/m: was pushed to while it was read, {ROUNDS} times"])


def test_groups_are_read_whole_while_one_of_them_is_pushed_to(pushgateway: StartServer) -> None:
    old: Server = pushgateway()
    for number in range(20):
        assert old.post(f"job/quiet/instance/{number}", f"a {number}\nb {number}\n").status == 200

    def push(done: threading.Event) -> None:
        client = Client(old.port)
        number = 0
        while not done.is_set():
            number += 1
            client.post("job/busy", f"c {number}\nd {number}\n")

    with meanwhile(push):
        readings = [read(old.url) for _ in range(5)]
    for groups, problems in readings:
        assert [group.key.name for group in groups if "quiet" in group.key.name] == sorted(
            f"job/quiet/instance/{number}" for number in range(20)
        )
        for busy in (group for group in groups if group.key.name == "job/busy"):
            values = {message.metric[0].untyped.value for message, _ in busy.families}
            assert len(values) == 1, "both families are of one push"
        assert all(problem.startswith("group job/busy: was pushed to") for problem in problems)
