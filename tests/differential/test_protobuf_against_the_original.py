"""The same protobuf pushes to Debian's Pushgateway (1.5.1) and to ours, and all forms of the scrape compared.

In: families of all types that 1.5.1 knows, made by the encoder of tests/support/wire.py, the same ones at every run.
Out: for each case the status and the words of every answer; at the end the page as text, as delimited protobuf and in
both text forms of protobuf, and the groups of the API.
Never: sends what is known to damage 1.5.1 for good (a family without a name or of an unknown type, a gauge histogram).
"""

from __future__ import annotations

import gzip
import math
import random
import struct
from typing import TYPE_CHECKING

import pytest
import wire
from original import Pair, Request, api_groups, assert_same_answer, is_own, pushed_families, reasons
from pages import PUSH_TIMES
from unwire import Tree, read_compact, read_delimited, read_lines, without

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

CASES = 80
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding="
DELIMITED = PROTOBUF + "delimited"
HOMES = {
    "c": wire.COUNTER,
    "c_created": None,  # a counter, which is what no type means
    "g": wire.GAUGE,
    "s": wire.SUMMARY,
    "u": wire.UNTYPED,
    "h": wire.HISTOGRAM,
    "x:y": wire.GAUGE,
}
HELPS = {"c": b"Help of c.", "g": b"", "h": 'é "\\\n\t'.encode(), "c_created": b" blanks "}
LABELS = ("l", "m1", "_n", "instance", "job", "zone", "A")
TEXTS = ("", "1", "a b", 'q"q', "back\\slash", "new\nline", "é日", "\t", "x" * 200, "\x01", "\u2028", "<&>")
NUMBERS = (0.0, -0.0, 1.0, 1e6, 123456.7, 1e21, 1e-5, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf)
COUNTS = (0, 1, 7, 10**6, 2**53 + 1, 2**63, 2**64 - 1)
BOUNDS = (-1.0, 0.1, 1.0, 2.5, 1e6, math.inf)
PATHS = ("/metrics/job/j", "/metrics/job/j", "/metrics/job/j/l/1", "/metrics/job/k/instance/i")

UNKNOWN_TO_1_5_1 = frozenset({"created_timestamp", "exemplars"})
"""Fields that it keeps, but cannot name in the text forms: they came into the format later."""

COUNTER = (("type", wire.COUNTER), ("type", "COUNTER"))
SKIPPED = {
    "a label name that is no legacy name": "1.5.1: 400; 1.11.3: any UTF-8",
    "a family name that is no legacy name": "1.5.1 prints it as it is; 1.11.3 escapes it",
    "a float or a native histogram with float counts": "1.5.1 does not know the fields and shows 0; 1.11.3 shows them",
    "a length that is cut off": "1.5.1: 200, the rest is ignored; 1.11.3: 400",
    "an `le` label of a histogram": "both originals let it pass, and Prometheus refuses the scrape: we answer 400",
    "a native histogram whose spans do not fit": "both originals store it; we answer 400",
    "no metrics in a family of another type than in other groups": "whether the originals take it is chance",
    "a label without a name": "400, but the originals take it for a label that comes twice",
    "a message of no bytes": "both originals keep a family without a name, which only the API shows; we leave it out",
    "a unit": "1.5.1 does not know the field; we leave it out, as Prometheus refuses what does not end the name",
}
"""What is not sent, because ours cannot be as 1.5.1: that differs from 1.11.3, or we do from both on purpose."""


class Grammar:
    """Pushes made from pieces, by luck that is the same at every run."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)
        self.pick = self.luck.choice

    def case(self) -> list[Request]:
        """The requests of one case."""
        return [self.request() for _ in range(self.luck.randint(1, 5))]

    def request(self) -> Request:
        """A push, one in ten of it broken, one in ten as gzip."""
        names = self.luck.sample(sorted(HOMES), self.luck.choice((0, 1, 2, 3)))
        body = wire.delimited(*(self.family(name) for name in names))
        headers = {"Content-Type": DELIMITED}
        luck = self.luck.random()
        if luck < 0.1:
            body = self.pick(BREAKS)(body)
        elif luck < 0.2:
            body, headers["Content-Encoding"] = gzip.compress(body, mtime=0), "gzip"
        return Request(self.pick(("POST", "POST", "PUT")), self.pick(PATHS), body, headers)

    def family(self, name: str) -> bytes:
        """A family of the type that the name mostly has."""
        kind = HOMES[name] if self.luck.random() < 0.95 else self.pick(tuple(HOMES.values()))
        number = self.pick((0, 1, 1, 2, 3) if kind == HOMES[name] else (1, 2, 3))
        metrics = [self.metric(wire.COUNTER if kind is None else kind) for _ in range(number)]
        return wire.family(name, kind, *metrics, text_help=HELPS.get(name))

    def metric(self, kind: int) -> bytes:
        """Labels and a value; one in fifty has one of another type, or a timestamp."""
        labels = b"".join(wire.label(name, self.pick(TEXTS)) for name in self.luck.sample(LABELS, self.pick((0, 1, 2))))
        luck = self.luck.random()
        value = self.value(kind if luck > 0.01 else self.luck.randrange(5))
        return labels + value + (wire.integer(6, 0) if luck > 0.99 else b"")

    def value(self, kind: int) -> bytes:
        """The value of a metric."""
        match kind:
            case wire.COUNTER:
                more = [wire.exemplar(2, self.number(), wire.label("t", self.pick(TEXTS)))] if self.one_in(3) else []
                return wire.counter(self.number(), *more, *self.created(3))
            case wire.GAUGE:
                return wire.gauge(self.number())
            case wire.UNTYPED:
                return wire.untyped(self.number())
            case wire.SUMMARY:
                quantiles = [
                    (each, self.number()) for each in self.luck.sample((0.5, 0.9, 1.0), self.luck.randint(0, 3))
                ]
                return wire.summary(self.pick(COUNTS), self.number(), *quantiles)
            case _:
                return wire.NATIVE if self.one_in(5) else self.histogram()

    def histogram(self) -> bytes:
        """A histogram with buckets in any order, and exemplars."""
        buckets = []
        for bound in self.luck.sample(BOUNDS, self.luck.randint(0, 4)):
            more = [wire.exemplar(3, self.number(), wire.label("t", "é"))] if self.one_in(3) else []
            buckets.append(wire.bucket(bound, self.pick(COUNTS), *more))
        return wire.histogram(self.pick(COUNTS), self.number(), *buckets, *self.created(15))

    def created(self, number: int) -> list[bytes]:
        """Perhaps the time when a metric began."""
        return [wire.created(number, 1_700_000_000)] if self.one_in(4) else []

    def number(self) -> float:
        """Half are any float."""
        (value,) = struct.unpack("d", self.luck.randbytes(8))
        return self.pick(NUMBERS) if self.one_in(2) or math.isnan(value) else float(value)

    def one_in(self, times: int) -> bool:
        """Luck."""
        return self.luck.random() < 1 / times


BREAKS: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: body[:-1] if len(body) > 2 else body,
    lambda body: body + wire.delimited(b"\xff\xff"),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, wire.gauge(1), wire.gauge(2))),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, b"")),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, wire.label("a", b"\xff") + wire.gauge(1))),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, wire.label("__x", "1") + wire.gauge(1))),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, wire.label("a", "1") * 2 + wire.gauge(1))),
    lambda body: (
        body + wire.delimited(wire.family("s", wire.SUMMARY, wire.label("quantile", "1") + wire.summary(1, 1)))
    ),
    lambda body: body + wire.delimited(wire.family("h_count", wire.GAUGE, wire.gauge(1))),
    lambda body: body + wire.delimited(wire.family("g", wire.GAUGE, wire.gauge(1)), wire.family("g", None)),
)


def assert_same(pair: Pair, request: Request) -> None:
    """Send a request to both. What a protobuf library says of bytes that are no message is its own affair."""
    ours, theirs = pair.ask(request)
    if theirs.text.startswith(("unexpected EOF", "proto:")) and ours.status == 400:
        assert reasons(ours) != {""}
        return
    assert_same_answer(ours, theirs, request)


def scraped(server: Server, encoding: str) -> bytes:
    """A page in one of the forms of protobuf."""
    answer = server.get("/metrics", {"Accept": PROTOBUF + encoding})
    assert answer.headers["content-type"].removesuffix("; escaping=underscores") == PROTOBUF + encoding
    return answer.body


def pushed(families: list[Tree]) -> list[Tree]:
    """The families that were pushed; metrics sorted, for their order is free, and `T` for the push times but 0.

    Without a type it is a counter to every reader: whether the field is there nobody sees but who looks at the bytes.
    """
    found = []
    for family in families:
        name = dict(family)["name"].decode()
        head = tuple(field for field in family if field[0] != "metric" and field not in COUNTER)
        metrics = [_without_time(metric) if name in PUSH_TIMES else metric for key, metric in family if key == "metric"]
        metrics = [metric for metric in metrics if not is_own(name, _labels(metric))]
        if metrics:
            found.append((*head, ("metrics", tuple(sorted(metrics, key=repr)))))
    return found


def _labels(metric: Tree) -> str:
    return "".join(f'{{{dict(label)["name"].decode()}="' for key, label in metric if key == "label")


def _without_time(metric: Tree) -> Tree:
    values = [dict(value)["value"] for name, value in metric if name == "gauge"]
    return (*(field for field in metric if field[0] == "label"), ("time", values[0] if float(values[0]) == 0 else "T"))


def known(families: list[Tree]) -> list[Tree]:
    """The families without what 1.5.1 cannot name."""
    return [without(family, UNKNOWN_TO_1_5_1) for family in families]


@pytest.mark.parametrize("number", range(CASES))
def test_the_same_protobuf_pushes_are_answered_and_shown_alike(pair: Pair, number: int) -> None:
    for request in Grammar(number).case():
        assert_same(pair, request)

    pair.settle()
    ours, theirs = pair
    assert pushed_families(ours) == pushed_families(theirs)
    assert pushed(read_delimited(scraped(ours, "delimited"))) == pushed(read_delimited(scraped(theirs, "delimited")))
    for encoding, read in (("text", read_lines), ("compact-text", read_compact)):
        assert pushed(known(read(scraped(ours, encoding)))) == pushed(read(scraped(theirs, encoding)))
    assert api_groups(ours) == api_groups(theirs)


@pytest.mark.parametrize("text_break", BREAKS)
def test_each_broken_push_is_answered_alike(pair: Pair, text_break: Callable[[bytes], bytes]) -> None:
    body = wire.delimited(wire.family("h", wire.HISTOGRAM, wire.histogram(1, 1)))
    for path in PATHS[1:]:
        assert_same(pair, Request("POST", path, text_break(body), {"Content-Type": DELIMITED}))
    pair.settle()
    assert pushed_families(pair.ours) == pushed_families(pair.theirs)


CONTENT_TYPES = (
    DELIMITED,
    DELIMITED.upper(),
    DELIMITED.replace("application", "Application"),
    DELIMITED.replace("proto=", "PROTO="),
    DELIMITED.replace("; ", ";"),
    DELIMITED.replace("; ", " ; "),
    DELIMITED.replace("=", " = "),
    DELIMITED.replace("delimited", '"delimited"'),
    DELIMITED.replace("delimited", "Delimited"),
    DELIMITED.replace("MetricFamily", "Metric"),
    "application/vnd.google.protobuf; encoding=delimited; proto=io.prometheus.client.MetricFamily",
    f"{DELIMITED}; charset=utf-8",
    f"{DELIMITED}; escaping=values",
    f"{DELIMITED};",
    f"{DELIMITED}; x",
    f"{DELIMITED}; encoding=delimited",
    PROTOBUF + "text",
    "application/vnd.google.protobuf",
    "application/x-protobuf",
    "text/plain",
    "",
)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_same_content_types_mean_protobuf(pair: Pair, content_type: str) -> None:
    body = wire.delimited(wire.family("g", wire.GAUGE, wire.gauge(1)))
    assert_same(pair, Request("POST", "/metrics/job/j", body, {"Content-Type": content_type}))
    assert_same(pair, Request("POST", "/metrics/job/j", b"a 1\n", {"Content-Type": content_type}))
