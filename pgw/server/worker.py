"""The worker: gunicorn's asgi worker, corrected in five places (seen with gunicorn 26.2 and gunicorn_h1c 0.6.9).

In: listening sockets and the app, from gunicorn's master.
Out: a process that serves.
Never: serves in the clear what should be encrypted.
"""

import asyncio
import inspect
import signal
import ssl
from typing import Any

from gunicorn import sock
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from pgw.server.pipeline import Pipeline
from pgw.server.protocol import Protocol

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker process."""

    def init_process(self) -> None:
        """Answer malformed requests with 400, and speak our Protocol.

        gunicorn answers some errors of the parser in C (its limits, bad chunk extensions), and lets others fall
        through: the client then gets no answer and the log a traceback. All of them are ValueErrors.
        The class of its connections it takes from its own module.
        """
        ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001  it sets the attribute, the first time only
        ASGIProtocol._h1c_invalid_chunk_extension = ValueError  # noqa: SLF001
        ASGIProtocol._h1c_protocol_class = Pipeline  # noqa: SLF001
        gasgi.ASGIProtocol = Protocol
        super().init_process()

    async def _serve(self) -> None:
        """Take the signals that were kept back since the fork (extend_main_loop): uvloop sees none before this."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        await super()._serve()

    def _get_ssl_context(self) -> ssl.SSLContext | None:
        """What to encrypt with. gunicorn would go on without where that fails."""
        context: ssl.SSLContext | None = sock.ssl_context(self.cfg) if self.cfg.is_ssl else None
        return context

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
    """Tell whether a task belongs to a connection that waits for a request.

    A task that has not begun yet must not be cancelled: it would end without closing its connection.
    """
    coroutine = task.get_coro()
    if not inspect.iscoroutine(coroutine) or inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        return False
    connection = inspect.getcoroutinelocals(coroutine).get("self")
    return isinstance(connection, ASGIProtocol) and connection._current_request is None  # noqa: SLF001
