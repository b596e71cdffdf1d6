"""Starting and stopping, as an init system, a container and a supervisor see it.

In: command lines and variables of the environment.  Out: exit codes, what is served, what is left behind.
Never: leaves a process behind; the fixtures check.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from client import HOST, Client
from servers import ROOT, Program, Server, pgw_command, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servers import RedisServer, StartServer


def run(directory: Path, *flags: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run our command until it ends by itself; exit code and output."""
    program = Program([*pgw_command(), *flags], directory, environ)
    program.start()
    try:
        wait_until(lambda: not program.is_running, f"{flags} ends by itself")
    finally:
        program.kill_session()
    assert program.process is not None
    return program.process.returncode, program.log


def test_serve_is_the_command_when_none_is_given(gateway: StartServer) -> None:
    server = gateway()
    assert server.post("job/j", "a 1\n").status == 200
    server.stop()
    server.program.command = [*pgw_command(), "serve", *server.program.command[len(pgw_command()) :]]
    server.start()
    assert server.post("job/j", "a 1\n").status == 200


def test_settings_are_read_from_the_environment_and_flags_beat_them(
    gateway: StartServer, redis_server: RedisServer
) -> None:
    environ = {"PGW_REDIS_URL": redis_server.url, "PGW_REDIS_PREFIX": "env", "PGW_PUSH_MAX_BODY_SIZE": "10"}
    one = gateway(environ=environ)
    two = gateway("--push.max-body-size=1000", environ=environ)

    assert one.post("job/j", "a 1\n").status == 200
    assert [server.post("job/j", "a_longer_name 1\n").status for server in (one, two)] == [413, 200]
    assert one.scrape().pushed == two.scrape().pushed
    assert one.redis_pids() == []


def test_a_deep_storage_path_is_no_obstacle(gateway: StartServer, tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["a-rather-long-name-of-a-directory"] * 5)
    server = gateway(f"--storage.path={deep}")
    server.post("job/j", "a 1\n")

    server.stop()
    server.start()

    assert 'a{instance="",job="j"} 1' in server.scrape().lines
    server.stop()


BAD = {
    "an unknown flag": (("--web.listen-adress=:1",), {}, "--web.listen-adress"),
    "a bad address": (("--web.listen-address=nowhere",), {}, "nowhere"),
    "a bad number": (("--workers=many",), {}, "many"),
    "a bad variable": ((), {"PGW_WORKERS": "0"}, "PGW_WORKERS"),
    "a bad scheme": (("--redis.url=http://localhost",), {}, "http://localhost"),
    "an unknown command": (("sevre",), {}, "sevre"),
}


@pytest.mark.parametrize(("flags", "environ", "named"), BAD.values(), ids=BAD.keys())
def test_a_bad_setting_ends_with_2_and_is_named(
    tmp_path: Path, flags: tuple[str, ...], environ: dict[str, str], named: str
) -> None:
    code, output = run(tmp_path, *flags, environ=environ)

    assert code == 2, output
    assert named in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == [tmp_path / "output.log"]


def test_a_storage_path_that_cannot_be_used_ends_with_1_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")

    code, output = run(tmp_path, f"--web.listen-address={HOST}:{unused_port()}", f"--storage.path={tmp_path / 'file'}")

    assert code == 1, output
    assert str(tmp_path / "file") in output
    assert "Traceback" not in output


def test_two_gateways_never_share_one_storage_path(gateway: StartServer, tmp_path: Path) -> None:
    storage = f"--storage.path={tmp_path / 'storage'}"
    first = gateway(storage)
    first.post("job/j", "a 1\n")

    code, output = run(tmp_path, storage, f"--web.listen-address={HOST}:{unused_port()}", "--workers=1")

    assert code == 1, output
    assert str(tmp_path / "storage") in output
    assert 'a{instance="",job="j"} 1' in first.scrape().lines


HANDED_OVER = """
import os, socket, sys
left, right = socket.socketpair()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
file = os.open(os.devnull, os.O_RDONLY)
os.dup2({"file": file, "datagrams": datagrams.fileno(), "connection": left.fileno()}[sys.argv[1]], 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "pgw", "--web.systemd-socket"])
"""


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("file", "which is no socket (Socket operation on non-socket)"),
        ("datagrams", "which is not a stream but of type SOCK_DGRAM"),
        ("connection", "which is a connection"),
    ],
)
def test_what_systemd_hands_over_by_mistake_ends_with_1_and_is_named(tmp_path: Path, what: str, told: str) -> None:
    program = Program([sys.executable, "-c", HANDED_OVER, what], tmp_path)
    program.start()

    assert program.wait() == 1
    assert f"systemd has handed over descriptor 3 (LISTEN_FDS=1), {told}" in program.log
    assert "Traceback" not in program.log
    assert list(tmp_path.iterdir()) == [program.log_path]


def test_several_addresses_serve_the_same_groups(gateway: StartServer) -> None:
    second = unused_port()
    server = gateway()
    server.stop()
    server.program.command = [*server.program.command, f"--web.listen-address={HOST}:{second}"]
    server.start()

    server.post("job/j", "a 1\n")

    assert 'a{instance="",job="j"} 1' in Client(second).scrape().lines


@pytest.fixture
def gunicorn(redis_server: RedisServer, tmp_path: Path) -> Iterator[Server]:
    """`gunicorn` alone, in the root of the repository, with settings from the environment."""
    port = unused_port()
    environ = {
        "PGW_WEB_LISTEN_ADDRESS": f"{HOST}:{port}",
        "PGW_REDIS_URL": redis_server.url,
        "PGW_REDIS_PREFIX": "gunicorn",
        "PGW_WORKERS": "2",
    }
    program = Program([str(Path(sys.executable).with_name("gunicorn"))], ROOT, environ)
    program.log_path = tmp_path / "output.log"
    server = Server(program, port)
    try:
        server.start()
        yield server
        assert program.end() == 0
        assert "Traceback" not in program.log
    finally:
        program.kill_session()


def test_gunicorn_alone_serves_the_same_app(gunicorn: Server, gateway: StartServer, redis_server: RedisServer) -> None:
    ours = gateway(f"--redis.url={redis_server.url}", "--redis.prefix=gunicorn")

    assert gunicorn.post("job/j", "a 1\n").status == 200
    assert ours.scrape().pushed == gunicorn.scrape().pushed
    assert len(gunicorn.program.workers()) == 2


def test_help_and_version_are_printed_to_stdout(tmp_path: Path) -> None:
    for flag, expected in (("--help", "--redis.url"), ("--version", "pgw")):
        command = [*pgw_command(), flag]
        environ = Program(command, tmp_path).environ
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout
