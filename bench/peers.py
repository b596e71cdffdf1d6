"""The servers that are compared, each started on a free port of 127.0.0.1 with a directory of its own.

In: what to start, and with which groups in it.
Out: an address to send to.
Never: leaves a process behind.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 30
ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def pgw(*flags: str, workers: int = 2) -> Iterator[int]:
    """Our gateway, with a private Redis and its append-only file."""
    with tempfile.TemporaryDirectory(prefix="pgw-bench-") as directory:
        port = free_port()
        command = [sys.executable, "-m", "pgw", f"--web.listen-address=127.0.0.1:{port}", f"--workers={workers}"]
        with _running([*command, f"--storage.path={directory}/data", "--log.level=warn", *flags], port, "/-/ready"):
            yield port


@contextlib.contextmanager
def pushgateway(groups: int, *flags: str) -> Iterator[int]:
    """Debian's prometheus-pushgateway, holding so many groups. They are loaded unchecked, which is quick."""
    program = shutil.which("prometheus-pushgateway")
    if program is None:
        sys.exit("prometheus-pushgateway is missing: apt-get install prometheus-pushgateway")
    with tempfile.TemporaryDirectory(prefix="pushgateway-bench-") as directory:
        command = [program, f"--persistence.file={directory}/data", "--log.level=error"]
        port = free_port()
        listen = f"--web.listen-address=127.0.0.1:{port}"
        with _running([*command, listen, "--push.disable-consistency-check"], port, "/-/ready"):
            load(port, groups)
        with _running([*command, listen, *flags], port, "/-/ready"):
            yield port


def load(port: int, groups: int) -> None:
    """Push so many groups of the bench, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    for number in range(groups):
        connection.request("PUT", f"/metrics/job/j{number}", body())
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            sys.exit(f"push {number} was answered with {answer.status}")
    connection.close()


def body(samples: int = 10) -> bytes:
    """Samples of two families, as a small batch job would push them."""
    half = samples // 2
    lines = ["# TYPE bench_requests_total counter"]
    lines += [f'bench_requests_total{{code="{200 + i}",method="get"}} {i * 37}' for i in range(half)]
    lines += ["# TYPE bench_latency_seconds gauge"]
    lines += [f'bench_latency_seconds{{code="{200 + i}",method="get"}} 0.{i + 1}37' for i in range(samples - half)]
    return ("\n".join(lines) + "\n").encode()


@contextlib.contextmanager
def _running(command: list[str], port: int, ready_path: str) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, "GOMAXPROCS": "2"})
    try:
        _await(port, ready_path, process)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)


def _await(port: int, path: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    sys.exit(f"{process.args!r} did not become ready")
