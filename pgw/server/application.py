"""The server: gunicorn, set up from Settings.

In: Settings.
Out: gunicorn's settings (`options`), a server that runs until it is stopped (`run`), and what the gunicorn.conf.py
in the root of the repository consists of (`configuration`).
Never: knows what the app does; imports it before the directory of prometheus_client's files is set.
Follows: gunicorn 26.2 and its asgi worker; https://prometheus.github.io/client_python/multiprocess/.
"""

import atexit
import logging
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger

from pgw import logs
from pgw.errors import PgwError, SettingError, StartError
from pgw.server.hooks import BAD_SETTING, Hooks, exit_at_sigterm
from pgw.server.sockets import bind, gunicorn_address, handed_over
from pgw.server.tls import FreshContext
from pgw.server.worker import Worker
from pgw.settings import Settings
from pgw.web_config import ConfigFile

log = logging.getLogger(__name__)

APP = "pgw.app:from_environment()"
"""What `gunicorn` alone serves."""

BACKLOG = 2048
"""Connections that wait for a worker; the kernel cuts it to net.core.somaxconn (4096 on Linux today)."""
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

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def options(settings: Settings) -> dict[str, object]:
    """The settings of gunicorn; those that are not here are its defaults.

    Raises:
        SettingError: the web configuration file, or a certificate that it names, cannot be used.
    """
    hooks = Hooks(settings)
    return {
        "proc_name": "pgw",
        "bind": [gunicorn_address(address) for address in settings.listen_addresses],
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
        "pre_fork": hooks.pre_fork,
        "child_exit": hooks.child_exit,
        "worker_exit": hooks.worker_exit,
        "on_exit": hooks.on_exit,
        **_tls_options(settings),
    }


def _tls_options(settings: Settings) -> dict[str, object]:
    """What gunicorn needs to encrypt, if the web configuration file says so."""
    if settings.web_config_file is None:
        return {}
    file = ConfigFile(settings.web_config_file)
    if file.current().tls is None:
        return {}
    context = FreshContext.of(file)
    if file.current().http2:
        log.info("TLS is on, with HTTP/1.1; HTTP/2 is not offered")

    def ssl_context(_config: object, _default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        return context

    # gunicorn encrypts where it has the name of a file; what is in it is up to the context.
    return {"certfile": str(settings.web_config_file), "ssl_context": ssl_context}


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
            self.debug = self.error_log.debug  # gunicorn says something of every request; without a step between

    return QuietLogger


def run(settings: Settings) -> int:
    """Run the server until it is stopped.

    Returns:
        The exit code of the process: 0 after a clean stop, 2 if Redis did not let us in, 1 after anything else.

    Raises:
        SettingError: a setting cannot be used, as only the app, or the files that it names, could tell.
    """
    logs.configure(settings.log_level, settings.log_format)
    exit_at_sigterm()
    master = os.getpid()
    try:
        share_metrics(os.environ)
        application = Application(settings)
        application.listen(os.environ)
        application.run()
    except SystemExit as exit_:
        if os.getpid() != master:
            raise  # a worker: its exit code tells the master why it ended
        codes = {None: 0, 0: 0, BAD_SETTING: BAD_SETTING}
        return codes.get(exit_.code, 1)  # type: ignore[arg-type]  # a message is nothing of ours
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
        found = options(settings)
    except SettingError as error:
        print(f"pgw: error: {error}", file=sys.stderr)  # noqa: T201  there is no log yet
        sys.exit(BAD_SETTING)
    share_metrics(environ)
    return {"wsgi_app": APP, **found}


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The app and the settings, as gunicorn asks for them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = options(settings)
        super().__init__(prog="pgw")

    def listen(self, environ: MutableMapping[str, str]) -> None:
        """Bind the sockets of --web.listen-address, or take those of systemd.

        NOTE(pushgateway): without systemd's sockets --web.systemd-socket exits 1 as there, but before anything else.

        Raises:
            StartError: naming what cannot be listened on.
        """
        if not self._settings.systemd_socket:
            environ.pop("LISTEN_PID", None)  # gunicorn would take its sockets without being told to
            self._options["bind"] = bind(self._settings.listen_addresses, environ)
            self.cfg.set("bind", self._options["bind"])
        elif not handed_over(environ):
            raise StartError(
                "systemd has handed over no socket (LISTEN_FDS, LISTEN_PID): start this from a .socket unit, or leave "
                "out --web.systemd-socket"
            )

    def load_config(self) -> None:
        """Set gunicorn up; called again at SIGHUP, which starts new workers with the same settings."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        """Make the app, in the master."""
        from pgw.app import create_app  # noqa: PLC0415  it imports prometheus_client, see share_metrics

        return create_app(self._settings)


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
