"""A small client: requests to one server as any HTTP library, or a bare socket, would send them.

In: method, path, body, headers.  Out: Answer, or a Page for a scrape.
Never: changes what it is given, retries, or reuses a connection: each request may reach another worker.
"""

from __future__ import annotations

import base64
import http.client
import socket
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pages import Page, groups_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"
RAW_SECONDS = 10.0
"""For bytes that may not be HTTP, so that a server that waits for more does not hold up all tests."""


class Answer(NamedTuple):
    """One answer; header names in lower case."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Client:
    """Requests to one server, each on a connection of its own."""

    def __init__(self, port: int, timeout: float = 30) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.timeout = timeout

    def request(
        self, method: str, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request; `path` is sent as it is written."""
        raw = body.encode() if isinstance(body, str) else body
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=self.timeout)) as connection:
            connection.request(method, path, raw or None, dict(headers or {}))
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, response.reason, found, response.read())

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET a path."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """POST to `/metrics/` + path: a push."""
        return self.request("POST", f"/metrics/{path}", body, headers)

    def put(self, path: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """PUT to `/metrics/` + path: a replace."""
        return self.request("PUT", f"/metrics/{path}", body, headers)

    def delete(self, path: str) -> Answer:
        """DELETE `/metrics/` + path."""
        return self.request("DELETE", f"/metrics/{path}")

    def scrape(self, path: str = "/metrics") -> Page:
        """Scrape, and read the page strictly."""
        answer = self.get(path)
        assert answer.status == 200, answer
        return Page(answer.text)

    def raw(self, sent: bytes) -> bytes:
        """Send bytes on a new connection, and read until the server closes it."""
        with socket.create_connection((HOST, self.port), timeout=RAW_SECONDS) as connection:
            connection.sendall(sent)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def delete_all_groups(self) -> None:
        """Delete every group that a scrape shows, by the paths any client would use."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        for labels in groups_of(answer.text.split("\n")):
            self.delete(group_path(labels))
            self.delete(group_path([label for label in labels if label != ("instance", "")]))


def group_path(labels: Sequence[tuple[str, str]]) -> str:
    """The path of a group behind `/metrics/`, all values in base64, where `=` is the empty one."""
    parts = sorted(labels, key=lambda label: label[0] != "job")
    return "/".join(
        f"{name}@base64/{base64.urlsafe_b64encode(value.encode()).decode() or '='}" for name, value in parts
    )
