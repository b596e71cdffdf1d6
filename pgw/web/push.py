"""POST, PUT and DELETE on `/metrics/job/<job>{/<label>/<value>}`.

In: a request whose path begins with `/metrics/job/` or `/metrics/job@base64/`.
Out: 200 with nothing (202 where nothing was checked, and for DELETE), or a line that says what is wrong.
Never: does the work; bodies, grouping, formats and gateway do, in this order.
Follows: handler/push.go and handler/delete.go of the original.

NOTE(pushgateway): DELETE answers when the group is gone; the original only promises to delete it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import falcon.asgi

from pgw.errors import OverLimit, PushError
from pgw.formats.forms import Filled
from pgw.formats.negotiation import is_protobuf
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.regulars import Regulars
from pgw.formats.text_reader import TextReader
from pgw.gateway.gateway import Gateway
from pgw.model.family import Exposition
from pgw.model.grouping import GroupingKey
from pgw.web.bodies import plain_body, read_body
from pgw.web.elsewhere import redirected
from pgw.web.lifetime import asked_lifetime
from pgw.web.paths import unescape
from pgw.web.problems import answer
from pgw.web.request import Request

PATH = r"/metrics/job(?:@base64)?/"
"""What a group's path begins with, behind the prefix of the site; always here, wherever the scrape is."""
ALLOW = "DELETE, OPTIONS, POST, PUT"
KEYS_REMEMBERED = 100_000
"""Grouping keys that are read once, 240 to 340 bytes each: 24 to 34 MB in a worker that is pushed so many groups."""
LONG_BODY = 256 << 10
"""Bytes from which on a body is read in a thread: on the event loop it would hold up all others for milliseconds."""

_Apply = Callable[[GroupingKey, Exposition | Filled, float | None], Awaitable[None]]


class Pushes:
    """All that is done to one group at a time. A sink: only the raw path tells which of its bytes were encoded."""

    def __init__(self, gateway: Gateway, *, prefix: str, max_body_size: int, utf8_names: bool) -> None:
        self._gateway = gateway
        self._base = f"{prefix}/metrics/".encode()
        self._utf8_names = utf8_names
        self._max_body_size = max_body_size
        self._reader = TextReader(utf8_names=utf8_names)
        self._long_reader = TextReader(utf8_names=utf8_names)
        self._long_turn = asyncio.Lock()
        self._keys: Regulars[GroupingKey] = Regulars(KEYS_REMEMBERED)
        self._pushed_status = 200 if gateway.checks else 202
        self._pushes: Mapping[str, _Apply] = {"POST": gateway.push, "PUT": gateway.replace}

    def __call__(self, req: Request, resp: falcon.asgi.Response | None, **_: object) -> Coroutine[Any, Any, None]:
        """Answer any method."""
        raw: bytes = req.scope["raw_path"].partition(b"?")[0]
        # Falcon's signature: only a websocket has no response.
        if resp is None or (raw not in self._keys.known and not self._is_plain(raw, req, resp)):
            return _done()
        apply = self._pushes.get(req.method)
        return self._answer(req, resp, raw) if apply is None else self._push(req, resp, raw, apply)

    async def _push(self, request: Request, response: falcon.asgi.Response, raw: bytes, apply: _Apply) -> None:
        request.handler = "push"
        key, lifetime = self._key(raw), asked_lifetime(request)
        try:
            body = plain_body(request, self._max_body_size)
            if body is None:
                body = await read_body(request, self._max_body_size)
            protobuf = is_protobuf(request.content_type)
            if len(body) >= LONG_BODY:
                pushed = await self._read_long(body, protobuf=protobuf)
            else:
                pushed = read_protobuf(body) if protobuf else self._reader.recognize(body)
            await apply(key, pushed, lifetime)
        except (PushError, OverLimit) as error:
            request.refusal = (key.name, str(error))
            raise
        response.status = self._pushed_status

    async def _answer(self, request: Request, response: falcon.asgi.Response, raw: bytes) -> None:
        """Answer whatever is no push."""
        if request.method == "DELETE":
            request.handler = "delete"
            await self._gateway.delete(self._key(raw))
            response.status = 202
            return
        response.set_header("Allow", ALLOW)
        if request.method != "OPTIONS":
            answer(response, 405, "Method Not Allowed")

    async def _read_long(self, body: bytes, *, protobuf: bool) -> Exposition | Filled:
        async with self._long_turn:
            return await asyncio.to_thread(read_protobuf if protobuf else self._long_reader.recognize, body)

    def _is_plain(self, raw: bytes, request: Request, response: falcon.asgi.Response) -> bool:
        """Tell whether a path can be read as it is; answers if not."""
        path = unescape(raw)
        if path is None:
            answer(response, 400, "400 Bad Request")
        elif not redirected(request, response):
            if path.removeprefix(self._base) not in (b"job/", b"job@base64/"):
                return True
            answer(response, 404, "404 page not found")
        return False

    def _key(self, raw: bytes) -> GroupingKey:
        key = self._keys.known.get(raw)
        if key is None:
            key = GroupingKey.from_path((unescape(raw) or b"").removeprefix(self._base), utf8_names=self._utf8_names)
            self._keys.meet(raw, key)
        return key


async def _done() -> None:
    """For what was answered at once."""
