"""The flags of the original over a real server: each means what it meant there.

In: command lines.  Out: which path answers what.
Never: reads the settings of the server in any way but over HTTP and its log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from client import HOST
from servers import Program, Server, pgw_command, stop_all, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import StartServer

PUSH = "a 1\n"
SAMPLE = 'a{instance="",job="j"} 1'


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a gateway and do not wait for it: with a prefix it is ready elsewhere."""
    servers: list[Server] = []

    def start(*flags: str) -> Server:
        port = unused_port()
        words = [f"--web.listen-address={HOST}:{port}", f"--storage.path={tmp_path / 'storage'}", "--workers=1"]
        servers.append(Server(Program([*pgw_command(), *words, *flags], tmp_path), port))
        servers[-1].program.start()
        return servers[-1]

    yield start
    stop_all(servers)
    for server in servers:
        server.destroy()


@pytest.mark.parametrize(
    ("flags", "paths"),
    [
        (["--web.telemetry-path=/all"], ("/metrics/job/j", "/all", "/-/ready", "/metrics")),
        (["--web.route-prefix=/x"], ("/x/metrics/job/j", "/x/metrics", "/x/-/ready", "/metrics")),
        (["--web.route-prefix=x/", "--web.telemetry-path=m"], ("/x/metrics/job/j", "/x/m", "/x/-/ready", "/m")),
        (["--web.external-url=http://h/x/"], ("/x/metrics/job/j", "/x/metrics", "/x/-/ready", "/metrics")),
        (
            ["--web.external-url=http://h/x", "--web.route-prefix=/"],
            ("/metrics/job/j", "/metrics", "/-/ready", "/x/metrics"),
        ),
    ],
)
def test_paths_are_where_the_flags_put_them(
    started: Callable[..., Server], flags: list[str], paths: tuple[str, str, str, str]
) -> None:
    push, scrape, ready, nowhere = paths
    server = started(*flags)
    wait_until(lambda: server.status_of(ready) == 200, f"it is ready, see {server.program.log_path}")
    assert server.request("POST", push, PUSH).status == 200
    assert SAMPLE in server.scrape(scrape).lines
    assert server.get(ready).status == 200
    assert server.get(nowhere).status == 404


def test_without_their_flags_nothing_is_wiped_or_stopped(shared_gateway: Server) -> None:
    assert shared_gateway.request("PUT", "/api/v1/admin/wipe").status == 404
    assert shared_gateway.request("PUT", "/-/quit").status == 403


def test_with_their_flags_all_is_wiped_and_the_gateway_stopped(gateway: StartServer) -> None:
    server = gateway("--web.enable-admin-api", "--web.enable-lifecycle")
    assert server.post("job/j", PUSH).status == 200
    assert server.request("PUT", "/api/v1/admin/wipe").status == 202
    assert server.scrape().pushed == []
    assert server.request("PUT", "/-/quit").status == 200
    assert server.program.wait() == 0


@pytest.mark.parametrize(("flags", "status"), [([], 400), (["--push.enable-utf8-names"], 200)])
def test_names_of_any_kind_are_taken_if_the_flag_says_so(
    gateway: StartServer, shared_gateway: Server, flags: list[str], status: int
) -> None:
    assert (gateway(*flags) if flags else shared_gateway).post("job/j", '{"a.b"} 1\n').status == status


@pytest.mark.parametrize(("flags", "status"), [([], 200), (["--push.disable-consistency-check"], 202)])
def test_an_unchecked_push_is_accepted_and_no_more(
    gateway: StartServer, shared_gateway: Server, flags: list[str], status: int
) -> None:
    assert (gateway(*flags) if flags else shared_gateway).post("job/j", PUSH).status == status


def test_the_status_shows_every_flag_and_no_password(gateway: StartServer) -> None:
    server = gateway("--web.external-url=https://me:hidden@h/", "--persistence.interval=1h")
    flags = json.loads(server.get("/api/v1/status").text)["data"]["flags"]
    shown = {"web.external-url": "https://***@h/", "persistence.interval": "1h0m0s", "web.enable-lifecycle": "false"}
    assert {name: flags[name] for name in shown} == shown


@pytest.mark.parametrize(("level", "lines"), [("info", True), ("error", False)])
def test_the_log_level_decides_what_is_logged(gateway: StartServer, level: str, *, lines: bool) -> None:
    assert bool(gateway(f"--log.level={level}").program.log) is lines
