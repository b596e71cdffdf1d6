"""Who may come in, how often, and the headers that every answer carries, as the web configuration file says.

In: every request, before any other page sees it.
Out: 401 for those without a right password, 429 for too many at once, 503 while too many passwords are being checked,
500 while the file is broken; nothing for all others.
Never: keeps a password, or the hash of one without a random key; lets anybody wait who came in before.
Follows: prometheus/exporter-toolkit web/handler.go, which checks in this order.

NOTE(pushgateway): the file is looked at once a second, not at every request.
NOTE(pushgateway): checks that wait are bounded; the original lets any number of them queue up.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import mmap
import os
import secrets
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Any, NamedTuple

import bcrypt
import falcon.asgi

from pgw.errors import SettingError
from pgw.web.problems import answer
from pgw.web.request import Request
from pgw.web_config import ConfigFile, RateLimit

log = logging.getLogger(__name__)

MOST_WAITING = 16
"""Checks that wait, per worker. One of cost 10 takes some 60 ms, so that nobody waits much more than a second."""
MOST_WRONG = 1024
"""Wrong passwords that are remembered: a client with an old one may ask often, and costs nothing after the first."""
NICENESS = 10
"""Of the thread that checks: where processors are short it gets a tenth of what the pushes get (Linux)."""
PASSWORD_BYTES = 72
"""What bcrypt looks at; Go's leaves the rest out, Python's refuses it."""
DIGEST_BYTES = 32
"""Of BLAKE2b: as many as of its key, far beyond guessing."""
SLOTS = 1 << 14
"""Of the board: half a megabyte of which only the pages in use cost memory; two logins in one slot are very rare."""
RETRY_AFTER = "1"
"""Seconds, within which all waiting checks are done."""


class Login(NamedTuple):
    """What a client says of itself."""

    user: str
    password: bytes


def access_middleware(file: ConfigFile | None, clock: Callable[[], float] = time.monotonic) -> list[object]:
    """The middleware for a web configuration file; none without a file.

    To be made before the workers are forked: they share the rate limit. To stand behind what counts requests.
    `clock` counts seconds, the same in all processes.
    """
    return [] if file is None else [Access(file, clock)]


class Verdict(Enum):
    """What there is to say of a login."""

    RIGHT = auto()
    WRONG = auto()
    NOT_NOW = auto()
    """As many are being checked as may be."""


class Access:
    """The middleware."""

    def __init__(self, file: ConfigFile, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._passwords = Passwords()
        self._bucket = Bucket(clock)
        self._told: SettingError | None = None

    async def process_request(self, request: Request, response: falcon.asgi.Response) -> None:
        """Refuse what may not come in."""
        try:
            config = self._file.current()
        except SettingError as error:
            self._tell(error)
            _refuse(response, 500, "Internal Server Error")
            return
        if config.rate_limit is not None and not self._bucket.allows(config.rate_limit):
            _refuse(response, 429, "Too Many Requests")
            return
        for name, value in config.headers.items():
            response.set_header(name, value)
        if config.users:
            await self._ask_for_password(request, response, config.users)

    async def process_shutdown(self, _scope: dict[str, Any], _event: dict[str, Any]) -> None:
        """Check nothing any more."""
        self._passwords.close()

    async def _ask_for_password(
        self, request: Request, response: falcon.asgi.Response, users: Mapping[str, bytes]
    ) -> None:
        login = read_login(request.get_header("Authorization"))
        verdict = Verdict.WRONG if login is None else await self._passwords.judge(login, users)
        if verdict is Verdict.NOT_NOW:
            response.set_header("Retry-After", RETRY_AFTER)
            _refuse(response, 503, f"{MOST_WAITING} passwords are being checked already")
        elif verdict is Verdict.WRONG:
            response.set_header("WWW-Authenticate", "Basic")
            _refuse(response, 401, "Unauthorized")

    def _tell(self, error: SettingError) -> None:
        """Log once for each time that the file was found to be broken."""
        if error is not self._told:
            self._told = error
            log.error("every request is answered with 500: %s", error)


class Board:
    """Where workers read what others have found to be right: digests in shared memory, each in a slot of its own.

    No lock, which a worker that is killed could hold for ever: half a digest is not right, and is found out again.
    """

    def __init__(self) -> None:
        self._slots = mmap.mmap(-1, SLOTS * DIGEST_BYTES)

    def put(self, digest: bytes) -> None:
        """Tell that it is right."""
        start = self._start(digest)
        self._slots[start : start + DIGEST_BYTES] = digest

    def holds(self, digest: bytes) -> bool:
        """Whether somebody has told so."""
        start = self._start(digest)
        return hmac.compare_digest(self._slots[start : start + DIGEST_BYTES], digest)

    @staticmethod
    def _start(digest: bytes) -> int:
        return int.from_bytes(digest[:8], "big") % SLOTS * DIGEST_BYTES


class Passwords:
    """Which logins are right: found out once each, in a thread, one at a time."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(DIGEST_BYTES)
        self._right: dict[str, bytes] = {}
        self._board = Board()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._thread: ThreadPoolExecutor | None = None

    async def judge(self, login: Login, users: Mapping[str, bytes]) -> Verdict:
        """Whether the user is known and the password is that user's."""
        # A user that is unknown costs what one with a wrong password does.
        stored = users.get(login.user) or next(iter(users.values()))
        digest = self._digest(login, stored)
        if login.user in users and self._is_known(login.user, digest):
            return Verdict.RIGHT
        if digest in self._wrong:
            return Verdict.WRONG
        check = self._check(digest, login.password, stored)
        if check is None:
            return Verdict.NOT_NOW
        # A client that goes away does not take the answer with it that others wait for.
        if await asyncio.shield(check) and login.user in users:
            self._right[login.user] = digest
            self._board.put(digest)
            return Verdict.RIGHT
        self._remember_wrong(digest)
        return Verdict.WRONG

    def _is_known(self, user: str, digest: bytes) -> bool:
        """Whether the login was right before, here or in another worker."""
        if hmac.compare_digest(self._right.get(user, b""), digest):
            return True
        if self._board.holds(digest):
            self._right[user] = digest
            return True
        return False

    def close(self) -> None:
        """End the thread, if there is one; the next check would start another."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _digest(self, login: Login, stored: bytes) -> bytes:
        """What stands for a login as long as the user's hash is the same; worthless to others without the key."""
        user = login.user.encode()
        parts = struct.pack(">I", len(user)) + user + struct.pack(">I", len(stored)) + stored + login.password
        return hashlib.blake2b(parts, key=self._key, digest_size=DIGEST_BYTES).digest()

    def _check(self, digest: bytes, password: bytes, stored: bytes) -> asyncio.Task[bool] | None:
        """Begin to run bcrypt, or find who does for the same; None where too many others wait."""
        check = self._checks.get(digest)
        if check is None and len(self._checks) < MOST_WAITING:
            check = asyncio.create_task(self._run(password, stored))
            self._checks[digest] = check
            check.add_done_callback(lambda _: self._checks.pop(digest, None))
        return check

    async def _run(self, password: bytes, stored: bytes) -> bool:
        if self._thread is None:  # not before: a fork would not take it along
            self._thread = ThreadPoolExecutor(1, "bcrypt", initializer=_step_back)
        return await asyncio.get_running_loop().run_in_executor(self._thread, _matches, password, stored)

    def _remember_wrong(self, digest: bytes) -> None:
        self._wrong[digest] = None
        if len(self._wrong) > MOST_WRONG:
            self._wrong.popitem(last=False)


class Bucket:
    """A token bucket that all workers share: the time until which what was let in lasts.

    It is one number in shared memory, without a lock, which a worker that is killed could hold for ever. Two workers
    that look at it in the same microsecond may let in one request more.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lasts_until = mmap.mmap(-1, 8)

    def allows(self, limit: RateLimit) -> bool:
        """Whether one more may come in; it is counted then."""
        now = self._clock()
        lasts_until = max(now, struct.unpack("d", self._lasts_until[:])[0])
        if lasts_until - now > (limit.burst - 1) * limit.interval:
            return False
        self._lasts_until[:] = struct.pack("d", lasts_until + limit.interval)
        return True


def read_login(header: str | None) -> Login | None:
    """The login in an Authorization header, as Go's Request.BasicAuth reads it; None if there is none."""
    scheme, _, coded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(coded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return Login(user.decode(errors="replace"), password) if colon else None


def _matches(password: bytes, stored: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:PASSWORD_BYTES], stored)
    except ValueError:  # a NUL in the password, or a hash that only looked like one
        return False


def _step_back() -> None:
    """Let the threads that serve go first."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _refuse(response: falcon.asgi.Response, status: int, reason: str) -> None:
    answer(response, status, reason)
    response.complete = True
