"""One connection of a client that speaks HTTP/1.1, for many requests one after the other, many at a time.

In: requests as bytes.  Out: Reply.
Never: retries, or hides how a connection broke.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Address = tuple[str, int]
HEAD_BYTES = 1 << 16
"""More than any head that we send."""


class Reply(NamedTuple):
    """One answer; the names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A request as it is sent."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """Connects when it must."""

    def __init__(self, address: Address, *, keeps_alive: bool = True) -> None:
        self._address = address
        self._keeps_alive = keeps_alive
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: bytes) -> Reply:
        """Send a request and read its answer.

        Raises:
            OSError, asyncio.IncompleteReadError: the connection broke, and is closed.
        """
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._address, limit=HEAD_BYTES)
        reader, writer = self._streams
        try:
            writer.write(sent)
            reply = await _read(reader)
        except BaseException:
            self.close()
            raise
        if not self._keeps_alive or reply.headers.get("connection", "").lower() == "close":
            self.close()
        return reply

    def close(self) -> None:
        """Close it; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def _read(reader: asyncio.StreamReader) -> Reply:
    head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    if headers.get("transfer-encoding") == "chunked":
        return Reply(int(head.split(" ")[1]), headers, await _read_chunks(reader))
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(head.split(" ")[1]), headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    chunks = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        chunks += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return chunks
