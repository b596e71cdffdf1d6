"""The flags of the original, given to Debian's Pushgateway (1.5.1) and to ours.

In: command lines.
Out: what each path answers with them, and the exit codes of those that end at once.
Never: gives a flag that only one of them has.
"""

from __future__ import annotations

import http.client
import subprocess
from typing import TYPE_CHECKING

import pytest
from client import HOST
from original import Pair, Request, noticeable, reasons
from servers import Program, Server, pgw_command, program_path, stop_all, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGINAL = "prometheus-pushgateway"
PACKAGE = "prometheus-pushgateway (Debian)"


CASES = {
    "powers": (["--web.enable-admin-api", "--web.enable-lifecycle"], ""),
    "powers, and all behind a prefix": (
        ["--web.enable-admin-api", "--web.enable-lifecycle", "--web.route-prefix=x/", "--web.telemetry-path=/all"],
        "/x",
    ),
    "all switches off, values apart, and twice what may be": (
        ["--no-web.enable-admin-api", "--no-web.enable-lifecycle", "--no-web.systemd-socket", "--log.level", "debug",
         "--no-push.disable-consistency-check", "--log.format", "json", "--web.listen-address", f"{HOST}:0",
         "--web.config.file=", "--web.external-url=https://h"], "",
    ),
    "telemetry path": (["--web.telemetry-path=/all"], ""),
    "external URL": (["--web.external-url=http://h/x/"], "/x"),
    "external URL and no prefix": (["--web.external-url=http://h/x", "--web.route-prefix=/"], ""),
    "external URL and another prefix": (["--web.external-url=http://h/y", "--web.route-prefix=/x"], "/x"),
    "unchecked": (["--push.disable-consistency-check"], ""),
    "a store to wipe": (["--web.enable-admin-api"], ""),
}  # fmt: skip


class Starting:
    """Pairs with the same flags, all of which start and stop at once: that takes most of the time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.pairs: dict[str, Pair] = {}

    @property
    def servers(self) -> list[Server]:
        """All of them."""
        return [server for pair in self.pairs.values() for server in pair]

    def start(self, name: str, flags: list[str]) -> None:
        """Start a pair; it need not be ready when this returns."""
        ours = [*pgw_command(), "--storage.path=storage", "--workers=1"]
        theirs = [program_path(ORIGINAL, PACKAGE), "--persistence.file="]
        self.pairs[name] = Pair(
            *(self._start(f"{name} {number}", each, flags) for number, each in enumerate((ours, theirs)))
        )

    def wait(self, name: str, prefix: str) -> Pair:
        """A pair that is ready, behind its prefix."""
        for server in self.pairs[name]:
            wait_until(lambda: server.status_of(f"{prefix}/-/ready") == 200, server.program.log)  # noqa: B023
        return self.pairs[name]

    def _start(self, name: str, command: list[str], flags: list[str]) -> Server:
        directory = self._directory / name
        directory.mkdir()
        port = unused_port()
        server = Server(Program([*command, f"--web.listen-address={HOST}:{port}", *flags], directory), port)
        server.program.start()
        return server


@pytest.fixture(scope="module")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starting]:
    made = Starting(tmp_path_factory.mktemp("pairs"))
    try:
        for name, (flags, _) in CASES.items():
            made.start(name, flags)
        yield made
        stop_all(made.servers)
    finally:
        for server in made.servers:
            server.destroy()


@pytest.fixture
def started(starting: Starting, name: str) -> Pair:
    """The pair of a case."""
    return starting.wait(name, CASES[name][1])


REQUESTS = (
    *(
        Request(method, base + path, body)
        for base in ("", "/x", "/y")
        for method, path, body in (
            ("POST", "/metrics/job/j", b"a 1\n"),
            ("POST", "/metrics/job/j", b"a 1\n# TYPE a gauge\n"),
            ("POST", "/metrics/job/t", b"a 1 1000\n"),
            ("PUT", "/metrics/job/k", b"b{} x\n"),
            ("PUT", "/all/job/k", b"b 1\n"),
            ("DELETE", "/metrics/job/none", b""),
            ("GET", "/-/ready", b""),
            ("GET", "/-/healthy", b""),
            ("OPTIONS", "/api/v1/metrics", b""),
            ("GET", "/api/v1/none", b""),
            ("GET", "/none", b""),
            ("PUT", "/api/v1/admin/wipe", b""),
            ("POST", "/METRICS/JOB/j", b"a 1\n"),
        )
    ),
)
PAGES = ("/metrics", "/all", "/x/metrics", "/x/all", "/y/metrics", "/api/v1/metrics", "/x/api/v1/metrics")


@pytest.mark.parametrize("name", CASES)
def test_all_paths_are_where_the_flags_put_them(started: Pair, name: str) -> None:
    flags, prefix = CASES[name]
    for request in REQUESTS:
        ours, theirs = map(noticeable, started.ask(request))
        assert (ours.status, ours.headers) == (theirs.status, theirs.headers), request
        assert reasons(ours) == reasons(theirs), request
    for path in PAGES:
        ours, theirs = started.ask(Request("GET", path))
        assert ours.status == theirs.status, path
    assert_quit(started, "/y/-/quit")
    assert_quit(started, f"{prefix}/-/quit")
    if "--web.enable-lifecycle" in flags:
        assert [server.program.wait() for server in started] == [0, 0]


def assert_quit(pair: Pair, path: str) -> None:
    """Ask both to quit. On a busy machine the original ends before it has said goodbye, one time in forty."""
    ours = noticeable(pair.ours.request("PUT", path))
    try:
        assert ours == noticeable(pair.theirs.request("PUT", path)), path
    except http.client.RemoteDisconnected:
        assert (ours.status, ours.text) == (200, "Requesting termination... Goodbye!")


@pytest.mark.parametrize("name", ["external URL"])
def test_how_to_quit_is_explained_where_it_can_be_done(started: Pair) -> None:
    """The original explains it, whatever the prefix is, where there is nothing without one."""
    explained = (405, "Only POST or PUT requests allowed.")
    for server, path, elsewhere, other in ((started.ours, "/x", "", 404), (started.theirs, "", "/x", 405)):
        answer = server.get(f"{path}/-/quit")
        assert (answer.status, answer.text) == explained
        assert server.status_of(f"{elsewhere}/-/quit") == other


@pytest.mark.parametrize("name", ["a store to wipe"])
def test_a_wipe_leaves_nothing(started: Pair) -> None:
    for path in ("job/j", "job/k/instance/i", "job/j/l/1"):
        for server in started:
            assert server.post(path, "a 1\n").status == 200
    for method in ("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT"):
        ours, theirs = map(noticeable, started.ask(Request(method, "/api/v1/admin/wipe")))
        assert ours == theirs, method
    started.settle()
    assert [server.scrape().groups() for server in started] == [{(("instance", ""), ("job", "barrier"))}] * 2


@pytest.mark.parametrize("name", ["unchecked"])
def test_what_nobody_checked_is_shown_though_the_original_shows_nothing_at_all_then(started: Pair) -> None:
    """As in DIFFERENT of tests/conformance: of two equal series the newest is shown."""
    for body in (b"a 1\n", b"a 2\na 2\n"):
        ours, theirs = map(noticeable, started.ask(Request("POST", "/metrics/job/j", body)))
        assert ours == theirs
        assert ours.status == 202
    assert [server.status_of("/metrics") for server in started] == [200, 500]


ANSWERED = ("--version", "--help", "-h", "--help-long", "--help-man")
MISUSED = {
    "an unknown flag": ["--none"],
    "an unknown switch turned off": ["--no-none"],
    "a letter": ["-x"],
    "a word": ["serves"],
    "no level": ["--log.level=loud"],
    "a level in capitals": ["--log.level=INFO"],
    "no format": ["--log.format=xml"],
    "no duration": ["--persistence.interval=often"],
    "a duration without a unit": ["--persistence.interval=5"],
    "no value": ["--log.level"],
    "a switch with a value": ["--web.enable-lifecycle=true"],
    "a switch twice": ["--web.enable-lifecycle", "--web.enable-lifecycle"],
    "a value twice": ["--log.level=info", "--log.level=info"],
    "a flag of one dash": ["-log.level=info"],
}


def exit_code(command: list[str], directory: Path) -> tuple[int, str]:
    """How it ends, and all that it writes."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("flag", ANSWERED)
def test_what_asks_for_a_text_is_answered_with_one(tmp_path: Path, flag: str) -> None:
    for command in (pgw_command(), [program_path(ORIGINAL, PACKAGE)]):
        code, text = exit_code([*command, flag], tmp_path)
        assert (code, "Traceback" in text) == (0, False)
        assert text


@pytest.mark.parametrize("words", MISUSED.values(), ids=MISUSED)
def test_flags_that_are_misused_end_it_with_1_there_and_2_here(tmp_path: Path, words: list[str]) -> None:
    theirs, _ = exit_code([program_path(ORIGINAL, PACKAGE), "--persistence.file=", *words], tmp_path)
    ours, text = exit_code([*pgw_command(), *words], tmp_path)
    assert (ours, theirs) == (2, 1), text
    assert text.startswith("pgw: error: ")
    assert text.count("\n") == 1
