"""Scrapes over one connection, as Prometheus makes them: gzip, all of the answer read.

In: a port.
Out: how long it took, and what came.
Never: unpacks what it times.
"""

import gzip
import http.client
import sys
import time

CHUNK = 1 << 20


class Scraper:
    """One connection, so that it is always the same worker that answers."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def scrape(self) -> tuple[float, int]:
        """Scrape; returns seconds and bytes."""
        begun = time.perf_counter()
        page = self._page()
        return time.perf_counter() - begun, len(page)

    def series(self) -> int:
        """Scrape and count the samples that the bench has pushed."""
        return gzip.decompress(self._page()).count(b"\nbench_")

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _page(self) -> bytes:
        self._connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = self._connection.getresponse()
        parts = []
        while part := answer.read(CHUNK):
            parts.append(part)
        if answer.status != 200 or answer.getheader("Content-Encoding") != "gzip":
            sys.exit(f"a scrape was answered with {answer.status} {answer.getheader('Content-Encoding')}")
        return b"".join(parts)
