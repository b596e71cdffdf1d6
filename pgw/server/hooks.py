"""What happens when in the life of a server; gunicorn's server hooks.

In: Settings, and what gunicorn tells.
Out: a private Redis that lives as long as the server; what the log says at the start and the end.
Never: acts in a worker on what the master owns.
"""

import asyncio
import atexit
import logging
import os
import signal
import sys
from collections.abc import Callable

from gunicorn.arbiter import Arbiter

from pgw import __version__
from pgw.embedded import PrivateRedis
from pgw.errors import SettingError, StartError
from pgw.server.shares import Shares
from pgw.server.sockets import local_url
from pgw.server.worker import STOP_SIGNALS, Worker
from pgw.settings import Settings

log = logging.getLogger(__name__)

BAD_SETTING = 2
"""The exit code where a setting cannot be used."""


class Hooks:
    """The hooks of one server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._redis: PrivateRedis | None = None
        self._shares = Shares(settings.workers)

    def on_starting(self, arbiter: Arbiter) -> None:
        """In the master, first of all: start the private Redis or greet that of the user; see to the main loop."""
        if self._settings.redis_url is None:
            self._start_redis()
        else:
            self._greet_redis()
        extend_main_loop(arbiter, self._watch)

    def _start_redis(self) -> None:
        exit_at_sigterm()
        self._redis = PrivateRedis(
            self._settings.storage_path, os.environ.get("PATH"), sync_always=self._settings.sync_always
        )
        atexit.register(self._redis.stop)  # also when gunicorn gives up halfway, without on_exit
        try:
            self._redis.start()
        except StartError as error:
            log.error("%s", error)  # noqa: TRY400  the sentence says it all
            sys.exit(1)

    def _greet_redis(self) -> None:
        from pgw.app import greet_store  # noqa: PLC0415  not before the directory of its metrics is set

        try:
            asyncio.run(greet_store(self._settings))
        except SettingError as error:
            log.error("%s", error)  # noqa: TRY400  the sentence says it all
            sys.exit(BAD_SETTING)

    def _watch(self) -> None:
        if self._redis is not None:
            self._redis.watch()

    def when_ready(self, arbiter: Arbiter) -> None:
        """In the master, once it listens: say where, where the data is, and what to do next."""
        if sys.stdin is not None and sys.stdin.isatty():
            arbiter.handle_hup = arbiter.handle_term  # its terminal is closed; to daemons it means: new workers
        scheme = "https" if arbiter.cfg.is_ssl else "http"
        urls = [local_url(listener.getsockname(), scheme) for listener in arbiter.LISTENERS]
        log.info("pgw %s listens on %s with %d workers", __version__, ", ".join(urls), self._settings.workers)
        log.info("the groups are kept in %s", self._place())
        self._tell_of_persistence()
        log.info(
            "push a first metric: echo 'some_metric 3.14' | curl --data-binary @- %s%s/metrics/job/some_job",
            urls[0],
            self._settings.prefix,
        )

    def _place(self) -> str:
        if self._redis is None:
            return f"Redis at {self._settings.redis_place}"
        often = "at every write" if self._settings.sync_always else "each second"
        return f"{self._redis.storage}, by a private Redis {self._redis.version}, made safe {often}"

    def _tell_of_persistence(self) -> None:
        """Say what becomes of --persistence.file, which users of the original have."""
        file = self._settings.persistence_file
        if file is None:
            return
        if self._redis is None:
            log.info("--persistence.file and --persistence.interval are not used: Redis owns durability")
        elif file.is_file():
            log.warning("%s, written by another Pushgateway, is neither read nor changed (--persistence.file)", file)

    def pre_fork(self, arbiter: Arbiter, worker: Worker) -> None:
        """In the master, before a worker is forked: give it its share."""
        others = [each.share for each in arbiter.WORKERS.values()]
        worker.share = self._shares.share(other.slot for other in others if other is not None)

    @staticmethod
    def child_exit(_arbiter: Arbiter, worker: Worker) -> None:
        """In the master, after a worker ended: neither its connections nor its gauges count any more."""
        if worker.share is not None:
            worker.share.end()
        from prometheus_client import multiprocess  # noqa: PLC0415  not before its directory is set

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

    @staticmethod
    def worker_exit(_arbiter: Arbiter, worker: Worker) -> None:
        """In a worker, at its end: one that never served gives up the whole server.

        Without this the master would start workers for ever when the app fails to start: the asgi worker ends as
        if all were well then.
        """
        if worker.alive and not worker.has_served:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    def on_exit(self, _arbiter: Arbiter) -> None:
        """In the master, after the last worker: stop the private Redis."""
        if self._redis is not None:
            self._redis.stop()
        log.info("pgw has stopped")


def exit_at_sigterm() -> None:
    """Make SIGTERM a clean stop, which leaves nothing behind, until gunicorn handles signals."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


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
