"""Programs under test, each in a session and a directory of its own: gateways and Redis servers.

In: a command line.  Out: objects to start, stop, pause and kill it, and to ask it over HTTP.
Never: touches a process it did not start.
"""

from __future__ import annotations

import http.client
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from client import HOST, Client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[2]
START_SECONDS = 30.0  # a cold start of four workers on a busy machine with two cores took 6
STOP_SECONDS = 40.0  # gunicorn's graceful timeout is 30 by default
FIRST_PORT, PORTS_EACH, PORT_SHARES = 11_000, 2_500, 4
"""The last is 20,999: a node of a Redis cluster listens at 10,000 more, too, and from 32,768 on there are clients."""


def program_path(name: str, package: str) -> str:
    """The path of a program that tests need; without it the test is skipped, in CI it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    message = f"{name} is not on PATH: install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def unused_port() -> int:
    """A TCP port of loopback that was free a moment ago.

    It is none that the kernel gives to clients, each process of pytest-xdist has ports of its own, and none is given
    twice: nobody takes it before the server that it is for.
    """
    for port in _ports():
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    pytest.fail("all ports of this process were used")


@cache
def _ports() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PORT_SHARES
    first = FIRST_PORT + number * PORTS_EACH
    return iter(random.sample(range(first, first + PORTS_EACH), PORTS_EACH))


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Wait for a condition; fail naming it after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"still not so after {seconds} s: {what}")
        time.sleep(0.02)


class Program:
    """One program in a session of its own; its output goes to a file."""

    def __init__(self, command: Sequence[str], directory: Path, environ: Mapping[str, str] | None = None) -> None:
        self.command = command
        self.directory = directory
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})}
        self.log_path = directory / "output.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """All that it wrote so far, to stdout and stderr."""
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        assert self.process is not None
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and did not end yet."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it; it need not be ready when this returns."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.directory, env=self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def send(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end; its exit code."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_session()
            pytest.fail(f"{self.command} did not end within {STOP_SECONDS} s:\n{self.log}")

    def kill_session(self) -> None:
        """Kill it and all that it started and that stayed in its session."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)

    def workers(self) -> list[int]:
        """The process ids of its child processes that are no Redis server."""
        return [pid for pid, name, parent in processes() if parent == self.pid and not is_redis(name)]


def processes() -> Iterator[tuple[int, str, int]]:
    """Process id, name and parent of every live process."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            before, _, after = path.read_text().rpartition(")")
            state, parent = after.split()[:2]
            if state != "Z":
                yield int(path.parent.name), before.partition("(")[2], int(parent)


def is_redis(name: str) -> bool:
    """Whether a process name is that of a Redis or Valkey server."""
    return name.startswith(("redis-server", "valkey-server"))


def redis_processes_in(directory: Path) -> list[int]:
    """The Redis servers that work in a directory or below it."""
    found = []
    for pid, name, _ in processes():
        with suppress(OSError):
            if is_redis(name) and Path(f"/proc/{pid}/cwd").readlink().is_relative_to(directory):
                found.append(pid)
    return found


class Server(Client):
    """A gateway, ours or the original, that is asked over HTTP."""

    def __init__(self, program: Program, port: int) -> None:
        super().__init__(port)
        self.program = program

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.program.start()
        wait_until(self._is_ready, f"{self.program.command} is ready, see {self.program.log_path}")

    def _is_ready(self) -> bool:
        assert self.program.is_running, f"{self.program.command} ended:\n{self.program.log[-4000:]}"
        return self.status_of("/-/ready") == 200

    def status_of(self, path: str) -> int:
        """The status of a GET; 0 without an answer."""
        try:
            return self.get(path).status
        except (OSError, http.client.HTTPException):
            return 0

    def stop(self) -> None:
        """Stop it as an init system would; it must end well, alone, and without a traceback in its log."""
        stop_all([self])

    def redis_pids(self) -> list[int]:
        """The Redis servers that this gateway started."""
        return redis_processes_in(self.program.directory)

    def destroy(self) -> None:
        """Leave nothing running, however a test ended."""
        self.program.kill_session()
        for pid in self.redis_pids():
            os.kill(pid, signal.SIGKILL)


def stop_all(servers: Sequence[Server]) -> None:
    """Stop those that run, all at once; each must end well, leave no Redis behind and have logged no traceback."""
    running = [server for server in servers if server.program.is_running]
    for server in running:
        server.program.send(signal.SIGTERM)
    for server in running:
        code = server.program.wait()
        assert code == 0, f"exit code {code}:\n{server.program.log[-4000:]}"
    for server in servers:
        assert server.redis_pids() == []
        assert "Traceback" not in server.program.log, server.program.log


class RedisServer:
    """A real Redis, on a unix socket and a port of loopback, that can be stopped and started again."""

    def __init__(self, directory: Path, *options: str, binary: str | None = None) -> None:
        self.port = unused_port()
        self.socket = directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.tcp_url = f"redis://{HOST}:{self.port}"
        binary = binary or program_path("redis-server", "redis-server (or valkey with its redis-server link)")
        command = (binary, "--bind", HOST, "--port", str(self.port), "--unixsocket", str(self.socket), "--save", "")
        self.program = Program([*command, *options], directory)

    def start(self) -> None:
        """Start it and wait for its first answer."""
        self.program.start()
        wait_until(lambda: self.command("PING") == b"+PONG", f"redis answers, see {self.program.log_path}")

    def command(self, *words: str) -> bytes:
        """Run one command; the first line of the answer, empty without one."""
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=10) as connection:
            connection.sendall(shlex.join(words).encode() + b"\r\n")
            with connection.makefile("rb") as reader:
                return reader.readline().rstrip(b"\r\n")
        return b""


@contextmanager
def running_redis(*options: str, binary: str | None = None) -> Iterator[RedisServer]:
    """A Redis, as long as the context lasts."""
    # Not tmp_path: the path of a unix socket may have 107 bytes at most.
    directory = Path(tempfile.mkdtemp(prefix="pgw-redis-"))
    server = RedisServer(directory, *options, binary=binary)
    try:
        server.start()
        yield server
    finally:
        server.program.kill_session()
        shutil.rmtree(directory)


class StartServer(Protocol):
    """A factory of running servers: more flags, and variables of the environment."""

    def __call__(self, *flags: str, environ: Mapping[str, str] | None = None) -> Server:
        """Start a server and wait until it is ready."""


def pgw_command() -> list[str]:
    """How our gateway is started, without flags."""
    return shlex.split(os.environ.get("PGW_COMMAND", f"{shlex.quote(sys.executable)} -m pgw"))


def with_flags(command: Sequence[str], flags: Sequence[str]) -> list[str]:
    """A command line with more flags; a flag that it has already is replaced."""
    names = {flag.partition("=")[0] for flag in flags}
    return [*(word for word in command if word.partition("=")[0] not in names), *flags]
