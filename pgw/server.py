"""The server: gunicorn, set up from Settings.

In: Settings.
Out: gunicorn's settings (`options`), a server that runs until it is stopped (`run`), and what the gunicorn.conf.py
in the root of the repository consists of (`configuration`).
Never: knows what the app does; imports it before the directory of prometheus_client's files is set.
Follows: gunicorn 26.2 and its asgi worker; https://prometheus.github.io/client_python/multiprocess/.

Lives in two kinds of processes: the master, which owns the listening sockets and the private Redis, and the workers,
which are forks of it. What the master must undo at its end therefore looks at the process id first.
"""

import asyncio
import atexit
import errno
import inspect
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from pgw import __version__, logs
from pgw.embedded import PrivateRedis
from pgw.errors import PgwError, SettingError, StartError
from pgw.settings import Settings, split_address

log = logging.getLogger(__name__)

APP = "pgw.app:from_environment()"
"""What `gunicorn` alone serves."""

BACKLOG = 2048
"""Connections that wait for a worker; the kernel cuts it to net.core.somaxconn (4096 on Linux today)."""
BIND_SECONDS = 3.0
"""For a taken port to become free: the workers of a killed master notice within a second and then stop."""
KEEPALIVE_SECONDS = 75
"""Longer than load balancers keep idle connections (nginx and AWS: 60 s), or they would now and then send a push into
one that is just being closed."""
GRACEFUL_SECONDS = 8
"""For requests under way when the server stops; with the private Redis less than the 10 s that `docker stop` waits."""
TIMEOUT_SECONDS = 30
"""After which a worker that does not give a sign of life is killed, and a body of which nothing more arrives is given
up. A worker gives one each second; 30 s are far more than a swapping machine needs."""
REQUEST_LINE_BYTES = 1 << 20
"""A grouping key is part of the path and may be long; Go accepts one mebibyte of request line and headers."""
FIELD_BYTES = 1 << 16
"""One header; tokens that proxies add have been seen beyond gunicorn's 8 KiB."""
FIELDS = 200
"""Headers of a request; the parser in C has room for 256."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


class Worker(ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's asgi worker, corrected in three places (seen with gunicorn 26.2 and gunicorn_h1c 0.6.9)."""

    def init_process(self) -> None:
        """Answer malformed requests with 400.

        gunicorn does so for some errors of the parser in C (its limits, bad chunk extensions), and lets others fall
        through: the client then gets no answer and the log a traceback. All of them are ValueErrors.
        """
        ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001  it sets the attribute, the first time only
        ASGIProtocol._h1c_invalid_chunk_extension = ValueError  # noqa: SLF001
        super().init_process()

    async def _serve(self) -> None:
        """Take the signals that were kept back since the fork (extend_main_loop): uvloop sees none before this."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        await super()._serve()

    async def _shutdown(self) -> None:
        """Let idle connections go.

        gunicorn counts them as requests under way and waits for them until the graceful timeout; every Prometheus
        that scrapes us keeps one.
        """
        for task in asyncio.all_tasks(self.loop):
            if _serves_idle_connection(task):
                task.cancel()  # the task then closes its connection, as after any request
        await super()._shutdown()


def _serves_idle_connection(task: asyncio.Task[Any]) -> bool:
    coroutine = task.get_coro()
    connection = inspect.getcoroutinelocals(coroutine).get("self") if inspect.iscoroutine(coroutine) else None
    return isinstance(connection, ASGIProtocol) and connection._current_request is None  # noqa: SLF001


class Hooks:
    """What happens when in the life of a server; the methods are gunicorn's server hooks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis: PrivateRedis | None = None

    def on_starting(self, arbiter: Arbiter) -> None:
        """In the master, first of all: start the private Redis, and see to the main loop."""
        if self._settings.redis_url is None:
            self._start_redis()
        extend_main_loop(arbiter, self._watch)

    def _start_redis(self) -> None:
        exit_at_sigterm()
        self._redis = PrivateRedis(self._settings.storage_path, os.environ.get("PATH"))
        atexit.register(self._redis.stop)  # also when gunicorn gives up halfway, without on_exit
        try:
            self._redis.start()
        except StartError as error:
            log.error("%s", error)  # noqa: TRY400  the sentence says it all
            sys.exit(1)

    def _watch(self) -> None:
        if self._redis is not None:
            self._redis.watch()

    def when_ready(self, arbiter: Arbiter) -> None:
        """In the master, once it listens: say where, where the data is, and what to do next."""
        if sys.stdin is not None and sys.stdin.isatty():
            arbiter.handle_hup = arbiter.handle_term  # its terminal is closed; to daemons it means: new workers
        urls = [_local_url(listener.getsockname()) for listener in arbiter.LISTENERS]
        log.info("pgw %s listens on %s with %d workers", __version__, ", ".join(urls), self._settings.workers)
        log.info("the groups are kept in %s", self._place())
        log.info(
            "push a first metric: echo 'some_metric 3.14' | curl --data-binary @- %s/metrics/job/some_job", urls[0]
        )

    def _place(self) -> str:
        if self._redis is None:
            return f"Redis at {self._settings.redis_place}"
        return f"{self._redis.storage}, by a private Redis {self._redis.version}"

    @staticmethod
    def child_exit(_arbiter: Arbiter, worker: ASGIWorker) -> None:
        """In the master, after a worker ended: its gauges no longer count."""
        from prometheus_client import multiprocess  # noqa: PLC0415  not before its directory is set

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

    @staticmethod
    def worker_exit(_arbiter: Arbiter, worker: ASGIWorker) -> None:
        """In a worker, at its end: one that never served gives up the whole server.

        Without this the master would start workers for ever when the app fails to start: the asgi worker ends as
        if all were well then.
        """
        if worker.alive and not getattr(worker, "servers", None):
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def on_exit(self, _arbiter: Arbiter) -> None:
        """In the master, after the last worker: stop the private Redis."""
        if self._redis is not None:
            self._redis.stop()
        log.info("pgw has stopped")


def options(settings: Settings) -> dict[str, object]:
    """The settings of gunicorn; those that are not here are its defaults."""
    hooks = Hooks(settings)
    return {
        "proc_name": "pgw",
        "bind": [_gunicorn_address(address) for address in settings.listen_addresses],
        "backlog": BACKLOG,
        "workers": settings.workers,
        "worker_class": Worker,
        "asgi_loop": "uvloop",
        "asgi_lifespan": "on",  # the app starts its connections there; one that fails to must not serve
        "http_parser": "auto",  # the one in C; `fast` would fail at each connection where it cannot be had
        "preload_app": True,  # one import for all workers, and a broken app ends the master at once
        "keepalive": KEEPALIVE_SECONDS,
        "graceful_timeout": GRACEFUL_SECONDS,
        "timeout": TIMEOUT_SECONDS,
        "limit_request_line": REQUEST_LINE_BYTES,
        "limit_request_field_size": FIELD_BYTES,
        "limit_request_fields": FIELDS,
        # A worker's sign of life is the time of a file: on a disk, that would stand still with the disk.
        "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
        "control_socket_disable": True,  # a socket in the home directory that would stop us
        "loglevel": "warning" if settings.log_level == "warn" else settings.log_level,
        "logger_class": logger_class(settings),
        "on_starting": hooks.on_starting,
        "when_ready": hooks.when_ready,
        "child_exit": hooks.child_exit,
        "worker_exit": hooks.worker_exit,
        "on_exit": hooks.on_exit,
    }


def logger_class(settings: Settings) -> type[Logger]:
    """The class of gunicorn's log: it writes as everything else does, and no access log.

    Not logconfig_dict: with that gunicorn builds a record of each request, to be thrown away.
    """

    class QuietLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
        access_log_enabled = False

        def setup(self, cfg: Any) -> None:  # noqa: ANN401
            self.cfg = cfg
            self.error_log.propagate = True
            logs.configure(settings.log_level, settings.log_format)

    return QuietLogger


def run(settings: Settings) -> int:
    """Run the server until it is stopped.

    Returns:
        The exit code of the process: 0 after a clean stop, 1 after anything else.

    Raises:
        SettingError: only the app could tell that a setting cannot be used.
    """
    logs.configure(settings.log_level, settings.log_format)
    exit_at_sigterm()
    master = os.getpid()
    try:
        share_metrics(os.environ)
        Application(settings, bind(settings.listen_addresses, os.environ)).run()
    except SystemExit as exit_:
        if os.getpid() != master:
            raise  # a worker: its exit code tells the master why it ended
        return 0 if exit_.code in (0, None) else 1
    except KeyboardInterrupt:  # before gunicorn handles signals
        return 0
    except HaltServer as halt:  # a second worker failed to start while gunicorn was stopping for the first
        log.error("%s", halt.reason)  # noqa: TRY400  the sentence says it all
    except SettingError:
        raise
    except PgwError as error:
        log.error("%s", error)  # noqa: TRY400  likewise
    except Exception:
        log.exception("the server cannot run")
    return 1


def configuration(environ: MutableMapping[str, str]) -> dict[str, object]:
    """What `gunicorn` alone needs to serve the app with the settings of the environment."""
    try:
        settings = Settings.read([], environ)
    except SettingError as error:
        print(f"pgw: error: {error}", file=sys.stderr)  # noqa: T201  there is no log yet
        sys.exit(2)
    share_metrics(environ)
    return {"wsgi_app": APP, **options(settings)}


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The app and the settings, as gunicorn asks for them."""

    def __init__(self, settings: Settings, addresses: Iterable[str]) -> None:
        self._settings = settings
        self._options = {**options(settings), "bind": list(addresses)}
        super().__init__(prog="pgw")

    def load_config(self) -> None:
        """Set gunicorn up; called again at SIGHUP, which starts new workers with the same settings."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        """Make the app, in the master."""
        from pgw.app import create_app  # noqa: PLC0415  it imports prometheus_client, see share_metrics

        return create_app(self._settings)


def exit_at_sigterm() -> None:
    """Make SIGTERM a clean stop, which leaves nothing behind, until gunicorn handles signals."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def share_metrics(environ: MutableMapping[str, str]) -> None:
    """Give prometheus_client an empty directory for what the workers share, before anything imports it.

    It is removed with this process. A second call in the same process (gunicorn reads its configuration again at
    SIGHUP) keeps it.
    """
    prefix = f"pgw-metrics-{os.getpid()}-"
    if Path(environ.get(METRICS_VARIABLE, "")).name.startswith(prefix):
        return
    directory = tempfile.mkdtemp(prefix=prefix)
    environ[METRICS_VARIABLE] = directory
    atexit.register(_remove, directory, os.getpid())


def _remove(directory: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def bind(addresses: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Bind sockets for addresses, for gunicorn to listen on.

    Gunicorn would try a port that is taken for five seconds and log ten errors. Where it is handed sockets, by the
    master that it replaces (SIGUSR2) or by systemd, there is nothing to bind.

    Raises:
        StartError: naming the address that cannot be used.
    """
    if "GUNICORN_FD" in environ or environ.get("LISTEN_PID") == str(os.getpid()):
        return [_gunicorn_address(address) for address in addresses]
    return [f"fd://{_bind(address).detach()}" for address in addresses]


def _bind(address: str) -> socket.socket:
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return _bound_socket(*split_address(address))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                reason = error.strerror or str(error)
                raise StartError(f"cannot listen on {address}: {reason} (--web.listen-address)") from error
        time.sleep(0.1)


def _bound_socket(host: str, port: int) -> socket.socket:
    host = host or _any_host()
    # As Go does, of several addresses of a name the first of IPv4 is taken.
    found = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), key=lambda info: info[0] != socket.AF_INET)
    family, kind, protocol, _, target = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(target)
    except OSError:
        bound.close()
        raise
    return bound


def _any_host() -> str:
    """The host that means all interfaces, those of IPv4 included."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104  the default, as the original's


def _gunicorn_address(address: str) -> str:
    host, port = split_address(address)
    host = host or _any_host()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _local_url(name: tuple[Any, ...]) -> str:
    """The URL of a listening socket, as it can be asked from this machine."""
    host, port = name[:2]
    if host in ("::", "0.0.0.0"):  # noqa: S104
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def extend_main_loop(arbiter: Arbiter, action: Callable[[], None]) -> None:
    """Have gunicorn's master call an action about once a second, and keep back signals while it forks workers.

    It has no hook for the first, but its main loop comes by manage_workers at least that often. A thread would be
    there at the next fork of a worker, with whatever locks it holds.
    A worker has the master's signal handlers until its event loop runs: a SIGTERM would be lost before, and the
    master wait for that worker until the graceful timeout. Kept back, it arrives when the worker is ready for it.
    """
    manage_workers = arbiter.manage_workers

    def act_and_manage() -> None:
        action()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            manage_workers()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    arbiter.manage_workers = act_and_manage
