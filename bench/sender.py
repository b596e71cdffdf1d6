"""Pushes over one connection, as cheaply as Python can: requests made beforehand, answers only counted.

In: a port, and the numbers of groups.
Out: nothing; an answer that is no success ends the program.
Never: measures; it fills servers and changes what they hold.
"""

import socket
import sys
from collections.abc import Iterable
from itertools import islice

from payload import body

AT_ONCE = 32
"""Requests on their way; what their answers take fits in any buffer of a socket."""


def request(method: str, path: str, content: bytes, *headers: str) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Sender:
    """One connection."""

    def __init__(self, port: int, method: str = "PUT", base: str = "/metrics/job/") -> None:
        self._method, self._base = method, base
        self._socket = socket.create_connection(("127.0.0.1", port))

    def push(self, groups: Iterable[int], *, samples: int = 10, variant: int = 0) -> None:
        """Push to groups, a few at a time, and wait for all answers."""
        content, numbers = body(samples, variant), iter(groups)
        while some := list(islice(numbers, AT_ONCE)):
            self._socket.sendall(b"".join(request(self._method, f"{self._base}j{i}", content) for i in some))
            self._take(len(some))

    def _take(self, count: int) -> None:
        """Wait for so many answers, which all are without a body."""
        taken = b""
        while taken.count(b"\r\n\r\n") < count:
            more = self._socket.recv(1 << 16)
            taken += more
            if not more or taken.count(b"HTTP/1.1 ") != taken.count(b"HTTP/1.1 2"):
                sys.exit(f"a push was not answered, or not with success: {taken.decode(errors='replace')[-500:]}")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
