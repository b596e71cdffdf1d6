"""The servers that are compared, each started on a free port of 127.0.0.1 with a directory of its own.

In: what to start, and how many groups it shall hold.
Out: running servers; every command as it was given, with PORT and DIR for what differs from run to run.
Never: leaves a process behind.
"""

import contextlib
import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from processes import family_of
from sender import Sender

START_SECONDS = 120
"""For a pushgateway that reads a million series from its file."""
ROOT = Path(__file__).resolve().parent.parent


class Server(NamedTuple):
    """A server under test."""

    port: int
    pid: int
    directory: Path
    method: str = "PUT"
    base: str = "/metrics/job/"

    def fronts(self) -> list[int]:
        """The processes that answer requests; of ours the workers, without the master, which sleeps."""
        names = family_of(self.pid)
        workers = [pid for pid, name in names.items() if pid != self.pid and not name.startswith("redis")]
        return workers or [self.pid]

    def redis(self) -> list[int]:
        """The Redis that it runs, if it does."""
        return [pid for pid, name in family_of(self.pid).items() if name.startswith("redis")]


class Lab:
    """Starts what a question needs."""

    def __init__(self) -> None:
        self.commands: dict[str, None] = {}

    @contextlib.contextmanager
    def pgw(self, groups: int = 0, *, workers: int = 2, samples: int = 10) -> Iterator[Server]:
        """Our gateway, with a private Redis and its append-only file."""
        command = [sys.executable, "-m", "pgw", "--web.listen-address=127.0.0.1:PORT", f"--workers={workers}"]
        with self._running([*command, "--storage.path=DIR/data", "--log.level=warn"], "/-/ready") as server:
            fill(server, groups, samples)
            yield server

    @contextlib.contextmanager
    def bare(self, _groups: int = 0) -> Iterator[Server]:
        """An endpoint that reads and answers, and does nothing."""
        command = [sys.executable, str(ROOT / "bench" / "bare.py"), "--web.listen-address=127.0.0.1:PORT"]
        with self._running([*command, "--workers=2", "--log.level=warn"], "/-/ready") as server:
            yield server

    @contextlib.contextmanager
    def pushgateway(self, groups: int = 0, *, checked: bool = True, samples: int = 10) -> Iterator[Server]:
        """Debian's prometheus-pushgateway. Groups are loaded unchecked, which is quick; it is started again then."""
        program = self.program("prometheus-pushgateway", "prometheus-pushgateway")
        command = [program, "--web.listen-address=127.0.0.1:PORT", "--persistence.file=DIR/data", "--log.level=error"]
        unchecked = [*command, "--push.disable-consistency-check"]
        with tempfile.TemporaryDirectory(prefix="pushgateway-bench-") as directory:
            if checked and groups:
                with self._running(unchecked, "/-/ready", directory) as server:
                    fill(server, groups, samples)
            with self._running(command if checked else unchecked, "/-/ready", directory) as server:
                if not checked:
                    fill(server, groups, samples)
                yield server

    @contextlib.contextmanager
    def unchecked_pushgateway(self, groups: int = 0, *, samples: int = 10) -> Iterator[Server]:
        """The same, without its consistency check."""
        with self.pushgateway(groups, checked=False, samples=samples) as server:
            yield server

    @contextlib.contextmanager
    def victoria(self, groups: int = 0, *, samples: int = 10) -> Iterator[Server]:
        """VictoriaMetrics, an outside mark: it stores samples, and knows no groups nor checks."""
        program = self.program("victoria-metrics", "victoria-metrics")
        command = [program, "-httpListenAddr=127.0.0.1:PORT", "-storageDataPath=DIR/data", "-loggerLevel=ERROR"]
        with self._running([*command, "-retentionPeriod=1d"], "/health") as plain:
            server = plain._replace(method="POST", base="/api/v1/import/prometheus?extra_label=job=")
            fill(server, groups, samples)
            yield server

    def has(self, name: str) -> bool:
        """Whether a program is on this machine."""
        return shutil.which(name) is not None

    def program(self, name: str, package: str) -> str:
        """The path of a program, or the end."""
        return shutil.which(name) or sys.exit(f"{name} is missing: apt-get install {package}")

    def run(self, command: Sequence[str], places: dict[str, str], environ: dict[str, str] | None = None) -> str:
        """Run a program to its end; PORT and DIR in its words stand for places. Returns what it printed."""
        self._note(command, environ)
        words = [_filled(word, places) for word in command]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env={**os.environ, **_all_filled(environ or {}, places)}
        )
        if done.returncode:
            sys.exit(f"{shlex.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    @contextlib.contextmanager
    def _running(self, command: Sequence[str], ready_path: str, directory: str | None = None) -> Iterator[Server]:
        self._note(command)
        with contextlib.ExitStack() as stack:
            place = directory or stack.enter_context(tempfile.TemporaryDirectory(prefix="pgw-bench-"))
            port = free_port()
            words = [_filled(word, {"PORT": str(port), "DIR": place}) for word in command]
            process = subprocess.Popen(
                words, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
            try:
                _await(port, ready_path, process)
                yield Server(port, process.pid, Path(place))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(START_SECONDS)

    def _note(self, command: Sequence[str], environ: dict[str, str] | None = None) -> None:
        variables = [f"{name}={shlex.quote(value)}" for name, value in (environ or {}).items()]
        shown = " ".join([*variables, shlex.join(command)])
        self.commands[shown.replace(sys.executable, "python").replace(f"{ROOT}/", "")] = None


def fill(server: Server, groups: int, samples: int = 10) -> None:
    """Push so many groups of the bench; each is a push of its own."""
    with contextlib.closing(Sender(server.port, server.method, server.base)) as sender:
        sender.push(range(groups), samples=samples)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _filled(word: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        word = word.replace(name, value)
    return word


def _all_filled(environ: dict[str, str], places: dict[str, str]) -> dict[str, str]:
    return {name: _filled(value, places) for name, value in environ.items()}


def _await(port: int, path: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    sys.exit(f"{process.args!r} did not become ready")
