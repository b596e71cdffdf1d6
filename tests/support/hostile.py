"""Requests as a hostile or broken client would send them: from a small grammar, with pieces torn out and bytes changed.

In: a seed.
Out: requests, the same for the same seed.
Never: breaks the framing of HTTP (tests/e2e/test_over_sockets.py does); whatever these hold must be answered.
"""

import gzip
import random
from collections.abc import Iterator
from typing import NamedTuple

import cramjam

NAMES = ["a", "b", "c_total", "h", "h_count", "h_sum", "s", "s_bucket", "up", "push_time_seconds"]
NAMES += ["pushgateway_build_info"]
LABELS = ["x", "y", "z"] * 5 + ["instance", "job", "le", "quantile", "__x", "z-z", "é"]
VALUES = ["", "1", "a/b", 'q"q', "back\\slash", "line\nfeed", "%s", "é", "\u202e", "x" * 300, "\x00"]
NUMBERS = ["1", "42", "3.14"] * 8 + [
    "0",
    "-0",
    "1e6",
    "NaN",
    "+Inf",
    "1e400",
    "0x1",
    "",
    "1_0",
    "12345678901234567890",
    "1 1000",
]
TYPES = ["counter", "gauge", "summary", "untyped", "histogram", "gaugehistogram", "info", ""]
HOMES = dict.fromkeys(NAMES, "gauge") | {"c_total": "counter", "h": "histogram", "s": "summary"}
"""The types that names mostly have, so that not every push clashes with those before."""
HELPS = ["help", "", r"back\\slash", r"bad\x", "é"]
METHODS = ["POST"] * 6 + ["PUT"] * 6 + ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "FOO"]
PAGES = ["/metrics", "/", "/api/v1/metrics", "/api/v1/status", "/-/ready", "/-/metrics", "/metrics/", "/x", "//metrics"]
JOB_LABELS = ["job", "job", "job", "job@base64", "JOB"]
JOBS = ["j1", "j2", "j3"] * 4 + ["ajE", "", "=", "%ff", "a%2Fb", "%zz", "%0d%0aX:y"]
PATH_LABELS = ["x", "instance"] * 4 + ["le", "x@base64", "__x", "U__x_2e_y", "%C3%A9", ""]
PATH_VALUES = ["1", "2"] * 3 + ["", "_-8", "%00", "..", "%0d%0aX:y"]
NOISE = [b"", b"\x00", b"\xff", b"\n", b'"', b"{", b"}", b" 1 1"]
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
HEADERS = {
    "Accept": ["*/*", PROTOBUF, "text/plain;escaping=values", ";;,q="],
    "Accept-Encoding": ["gzip", "gzip;q=0", ",,"],
}


class Request(NamedTuple):
    """What is sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def encoded(self) -> bytes:
        """The bytes of the request."""
        headers = {"Host": "fuzz", "Content-Length": str(len(self.body)), **self.headers}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Hostile:
    """A source of requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._pick = self._random.choice

    def requests(self) -> Iterator[Request]:
        """Requests without end."""
        while True:
            body, headers = self._packed(*self._body())
            headers |= {name: self._pick(values) for name, values in HEADERS.items() if self._chance(0.2)}
            yield Request(self._pick(METHODS), self._path(), headers, body)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _path(self) -> str:
        if self._chance(0.1):
            return self._pick(PAGES)
        parts = [self._pick(JOB_LABELS), self._pick(JOBS)]
        for _ in range(self._pick([0, 0, 1, 1, 2])):
            parts += [self._pick(PATH_LABELS), self._pick(PATH_VALUES)]
        return "/metrics/" + "/".join(parts) + self._pick(["", "", "", "/", "?q=1"])

    def _body(self) -> tuple[bytes, dict[str, str]]:
        if self._chance(0.3):
            families = [self._family() for _ in range(self._random.randint(0, 3))]
            return b"".join(varint(len(each)) + each for each in families), {"Content-Type": PROTOBUF}
        lines = [self._line() for _ in range(self._random.randint(0, 8))]
        return self._pick(["\n", "\n", "\n", "", "\r\n"]).join([*lines, ""]).encode(), {}

    def _packed(self, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        body = self._torn(body, share=0.1)
        if self._chance(0.15):
            return self._torn(gzip.compress(body, 1), share=0.2), {**headers, "Content-Encoding": "gzip"}
        if self._chance(0.1):
            snapped = bytes(cramjam.snappy.compress(body))
            return self._torn(snapped, share=0.2), {**headers, "Content-Encoding": "snappy"}
        return body, headers

    def _torn(self, body: bytes, *, share: float = 1) -> bytes:
        """Now and then, cut a piece out or put other bytes in its place."""
        if not self._chance(share):
            return body
        start = self._random.randint(0, len(body))
        end = self._random.randint(start, min(len(body), start + 20))
        return body[:start] + self._pick(NOISE) + body[end:]

    def _line(self) -> str:
        kind = self._random.random()
        if kind < 0.2:
            name = self._pick(NAMES)
            return f"# TYPE {name} {self._pick(TYPES) if self._chance(0.1) else HOMES[name]}"
        if kind < 0.3:
            return f"# HELP {self._pick(NAMES)} {self._pick(HELPS)}"
        labels = ",".join(f'{self._pick(LABELS)}="{self._value()}"' for _ in range(self._random.randint(0, 3)))
        name = self._pick(NAMES) + self._pick(["", "_count", "_sum", "_bucket"])
        return f"{name}{{{labels}}} {self._pick(NUMBERS)}"

    def _value(self) -> str:
        return self._pick(VALUES).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

    def _family(self) -> bytes:
        name = field(1, self._pick([*NAMES, "sp ace"]).encode())
        text_help = self._pick([b"", field(2, b"help")])
        kind = b"\x18" + varint(self._pick([0, 1, 2, 3, 4, 5, 9]))
        return name + text_help + kind + b"".join(self._metric() for _ in range(self._random.randint(0, 3)))

    def _metric(self) -> bytes:
        labels = [
            field(1, field(1, self._pick(LABELS).encode()) + field(2, self._pick(VALUES).encode()))
            for _ in range(self._random.randint(0, 2))
        ]
        double = b"\x09" + self._random.randbytes(8)
        content = self._pick([b"", double, double, b"\x08\x05", self._random.randbytes(6)])
        return field(4, b"".join(labels) + field(self._pick([2, 3, 4, 5, 7]), content))


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number: int, content: bytes) -> bytes:
    """A field of bytes as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(content)) + content
