"""The worker: gunicorn's asgi worker, corrected where it falls short (seen with gunicorn 26.2 and gunicorn_h1c 0.6.9).

In: listening sockets and the app, from gunicorn's master.
Out: a process that serves.
Never: serves in the clear what should be encrypted; takes connections that other workers should have (shares.py).
"""

import asyncio
import gc
import logging
import os
import resource
import signal
import ssl
from contextlib import suppress
from typing import Any

from gunicorn import sock
from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

from pgw.server.pipeline import Pipeline
from pgw.server.protocol import Protocol
from pgw.server.shares import Share

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
LIFE_SECONDS = 1.0
"""Between two signs of life; the master is content with one in thirty."""
ASIDE_SECONDS = 0.002
"""For which a worker that is far ahead accepts nothing: ten pushes of work, in which any other that lives has come to
its turn, and soon over if none does."""
LOOK_SECONDS = 5.0
"""How often all connections are looked at, at a few microseconds each."""

YOUNG_OBJECTS = 10_000
"""After so many the garbage collector looks for cycles. With Python's 700 it looked, all the time, at pushes under way,
which end by themselves: a twentieth of a worker's time, with 100,000 groups an eighth. With 10,000 it leaves 256
connections alone."""
MOST_FILES = 1 << 16
"""At some 10 KB for an idle connection this is more than half a gigabyte."""
LINGER_SECONDS = 1.0
"""For requests that are on their way on connections that seem idle; more than the longest way round the earth."""
LINGER_STEPS = 20
"""How often to look whether all connections have ended before that."""

log = logging.getLogger(__name__)


class Worker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """A worker process."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  gunicorn's
        super().__init__(*args, **options)
        self.share: Share | None = None
        """Set by the master before it forks, see Hooks.pre_fork."""
        self.connections: set[Protocol] = set()
        self.has_served = False
        self._stopping = asyncio.Event()

    def init_process(self) -> None:
        """Answer malformed requests with 400, and speak our Protocol.

        gunicorn answers some errors of the parser in C (its limits, bad chunk extensions), and lets others fall
        through: the client then gets no answer and the log a traceback. All of them are ValueErrors.
        """
        ASGIProtocol._check_h1c_protocol_available()  # noqa: SLF001  it sets the attribute, the first time only
        ASGIProtocol._h1c_invalid_chunk_extension = ValueError  # noqa: SLF001
        ASGIProtocol._h1c_protocol_class = Pipeline  # noqa: SLF001
        self.cfg: Any = Settled(self.cfg)
        _allow_many_files()
        gc.freeze()  # what was imported stays: to walk through it took 40 ms, once a second under load
        gc.set_threshold(YOUNG_OBJECTS)
        super().init_process()

    def connection_begins(self, connection: Protocol) -> None:
        """Note a connection; the next ones are left to the other workers for a moment if this one is far ahead."""
        self.connections.add(connection)
        if self.share is not None:
            self.share.note(len(self.connections))
            if self.servers and self.share.is_ahead(len(self.connections)):
                self._accept_no_more()
                self.loop.call_later(ASIDE_SECONDS, self._accept)

    def connection_ends(self, connection: Protocol) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if self.share is not None:
            self.share.note(len(self.connections))
            self.share.note_end(self.loop.time() - connection.began)

    def handle_exit_signal(self) -> None:
        """Stop gracefully, at once: gunicorn looks once a second whether it should."""
        super().handle_exit_signal()
        self._stopping.set()

    def handle_quit_signal(self) -> None:
        """Stop without waiting for anybody."""
        super().handle_quit_signal()
        self._stopping.set()

    async def _serve(self) -> None:
        """Serve until the end, as gunicorn does, but with sockets that can be left alone, see _accept.

        The signals that were kept back since the fork (extend_main_loop) are taken here: uvloop sees none before.
        """
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        self.lifespan = LifespanManager(self.asgi, self.log, self.state)
        try:
            await self.lifespan.startup()
        except RuntimeError as error:
            log.error("%s", error)  # noqa: TRY400  the app has logged where it comes from
            return
        await self._listen()
        self.has_served = True
        log.debug("the worker accepts connections")
        watching = asyncio.create_task(self._watch())
        await self._live()
        watching.cancel()
        await self._shutdown()

    async def _live(self) -> None:
        """Give signs of life to the master and to the other workers, until this one is to stop."""
        while self.alive and self.ppid == os.getppid():
            self.notify()
            if self.share is not None:
                self.share.live()
            with suppress(TimeoutError):
                async with asyncio.timeout(LIFE_SECONDS):
                    await self._stopping.wait()

    def _accept(self) -> None:
        """Accept connections again."""
        self._opening = self.loop.create_task(self._listen_again())

    async def _listen_again(self) -> None:
        """Listen, or try it later: there may be no descriptor left for it, which another connection gives back."""
        try:
            await self._listen()
        except OSError as error:
            log.warning("cannot accept connections, will try again: %s", error)
            self._accept_no_more()
            self.loop.call_later(LIFE_SECONDS, self._accept)

    async def _listen(self) -> None:
        """Accept connections, by duplicates of the sockets: they are closed where no more are to be accepted.

        The length of the queue is said each time, because asyncio's own, 100, counts for the socket otherwise: of the
        jobs of a whole site that push at the full minute, those beyond it would be let in a second later.
        """
        context = self._get_ssl_context()
        for each in self.sockets if self.alive else ():
            server = await self.loop.create_server(
                lambda: Protocol(self), sock=each.sock.dup(), ssl=context, backlog=self.cfg.backlog
            )
            self.servers.append(server)

    def _accept_no_more(self) -> None:
        while self.servers:
            self.servers.pop().close()

    async def _watch(self) -> None:
        """End connections whose clients take too long, for which gunicorn has but one limit, see Protocol."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self.loop.time()
            for connection in list(self.connections):
                connection.end_if_late(now)

    def _get_ssl_context(self) -> ssl.SSLContext | None:
        """What to encrypt with. gunicorn would go on without where that fails."""
        context: ssl.SSLContext | None = sock.ssl_context(self.cfg) if self.cfg.is_ssl else None
        return context

    async def _shutdown(self) -> None:
        """Stop without failing anybody who asks in time.

        Connections that wait to be accepted are lost with the socket when the last worker closes it: take them first.
        Idle ones gunicorn counts as requests under way, and waits for them until the graceful timeout, though every
        Prometheus that scrapes us keeps one. They are ended, but not at once: a request may be on its way, and its
        answer tells the client that the connection ends.
        """
        if self.share is not None:
            self.share.end()
        taken = self._take_waiting()
        self._accept_no_more()
        for each in self.sockets:
            each.close()
        await self._linger()
        for connection in list(self.connections):
            connection.end_if_idle()
        await super()._shutdown()
        log.debug("%d connections were taken at the last moment", len(taken))

    def _take_waiting(self) -> list[asyncio.Task[Any]]:
        """Accept all connections that wait; only what comes between this and the closing of the socket is lost."""
        context = self._get_ssl_context()
        taken = []
        for listener in self.sockets:
            with suppress(BlockingIOError):
                while True:
                    connection, _ = listener.sock.accept()
                    begin = self.loop.connect_accepted_socket(lambda: Protocol(self), connection, ssl=context)
                    taken.append(self.loop.create_task(begin))
        return taken

    async def _linger(self) -> None:
        """Let those who use a connection be told that it ends; one step at least, in which new ones can begin."""
        for _ in range(LINGER_STEPS):
            if self._quick_shutdown:
                return
            await asyncio.sleep(LINGER_SECONDS / LINGER_STEPS)
            if not self.connections:
                return


class Settled:
    """gunicorn's settings as they are when a worker begins, so that none of the seven that every request asks for has
    to be looked up again.
    """

    def __init__(self, config: Any) -> None:  # noqa: ANN401  gunicorn's
        self._config = config
        plain = (name for name in config.settings if not hasattr(type(config), name))
        vars(self).update({name: getattr(config, name) for name in plain})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  what gunicorn makes of settings, as `is_ssl`
        return getattr(self._config, name)


def _allow_many_files() -> None:
    """Let this process open as many files, connections among them, as it may allow itself.

    The customary 1024 are for programs that use select; a thousand clients that do nothing would keep out all others.
    """
    own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    if own != resource.RLIM_INFINITY and own < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
