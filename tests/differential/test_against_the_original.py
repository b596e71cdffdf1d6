"""The same requests to Debian's Pushgateway (1.5.1) and to ours: the same answers, the same scrapes.

In: requests made from a small grammar of valid and broken pieces, the same ones at every run.
Out: for each case the status and the words of every answer, the scrape and the groups of the API at the end, compared.
Never: sends what is known to damage 1.5.1 for good (a bad base64 job, values that are not UTF-8, `job` beside
`job,instance=""`, pushed failure times, gauge_histogram); tests/e2e/test_no_poison.py sends these to ours.

What differs on purpose, or between 1.5.1 and the version that we follow, stands in TRANSLATIONS (what we accept is
what the original does with the repaired body) and in tests/support/original.py.
"""

from __future__ import annotations

import base64
import gzip
import random
import re
import struct
from typing import TYPE_CHECKING

import pytest
from original import Pair, Request, api_groups, assert_same_answer, pushed_families

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = 300

# A family always has the same HELP, or never one: of two different ones the original shows either.
HELPS = {"b": "Help of b.", "h": r"A histogram, \\ and \n.", "g_bytes": ""}
PLAIN_NAMES = ("a", "b", "g_bytes", "x:y", "_z", "A9", "h_total", "push_time_seconds")
LABEL_NAMES = ("l", "m1", "_n", "instance", "job", "le", "zone")
LABEL_VALUES = (
    "",
    "1",
    "a b",
    r"q\"q",
    r"back\\slash",
    r"new\nline",
    "é",
    "日本",
    "{}",
    "a,b",
    "#",
    "=",
    "\t",
    "x" * 300,
)
NUMBERS = (
    "0", "1", "-1", "+1", "00012", "3.14", "-0", ".5", "5.", "1e3", "1E+3", "1e-7", "100000", "1000000", "123456.7",
    "12345678", "1234567890123456789", "0.0001", "0.00001", "1e-400", "4.9e-324", "1.7976931348623157e308",
    "NaN", "nan", "Inf", "+Inf", "-Inf", "inf", "-infinity", "+INFINITY",
)  # fmt: skip
BROKEN_NUMBERS = (
    "x", "", "0x10", "0x1p-2", "1_000", "1e400", "-1e400", "+NaN", "-nan", "1,5", "--1", "1e", "e5", ".", "0b1", "1d",
    "\u0661", "1\u00a0",
)  # fmt: skip
BROKEN_LINES = (
    "a", "a{", "a}", "a{}", "a{} ", "a{l} 1", "a{l=} 1", "a{l=1} 1", 'a{l="1} 1', 'a{l="1"', 'a{l="1" m="2"} 1',
    'a{l="1",,m="2"} 1', "a{,} 1", 'a{l="1",l="2"} 1', 'a{__name__="b"} 1', 'a{__r="1"} 1', 'a{l:m="1"} 1',
    r'a{l="\t"} 1', 'a{l="\\"} 1', 'a{9="1"} 1', "9a 1", "-a 1", "é 1", "a.b 1", "a-b 1", "a 1 2 3", "a 1 1000",
    "a 1 x", "a 1 1.5", "a 1 ", "a 1 1000 ", "a  1", "\ta\t1", " a 1", 'a {l="1"} 1', 'a{ l = "1" , } 1', 'a{l="1",}2',
    "a 1\ra 2", "a\x001 1", "\ufeffa 1", "# TYPE", "# TYPE a", "# TYPE a ", "# TYPE a gauge gauge", "# TYPE a gauge ",
    "# TYPE a Gauge", "# TYPE a GAUGE", "# TYPE a unknown", "# TYPE a stateset", "# TYPE a-b gauge", "#TYPE a gauge",
    "# type a gauge", "  # TYPE a gauge", "# HELP", "# HELP a", "# HELP a ", r"# HELP a \t", "# HELP a-b x", "#", "# ",
    "##", "# EOF", "# a comment", "", " ", "\t", "1", "a 1 # comment", "a;b 1", "push_time_seconds 5 123",
)  # fmt: skip
BROKEN_LABELS = (
    "a-b/1",
    "__x/1",
    "9a/1",
    "a:b/1",
    "a.b/1",
    "%C3%A9/1",
    "x@base64/!",
    "x@base64/YQ+",
    "x@base64/Y",
    "a",
)
JOBS = ("job/j", "job/j", "job/k", "job/a%20b", "job/a+b", "job@base64/ag", "job@base64/YS9i==")
MUTATIONS = ("", "", " ", "\n", "\r", '"', "\\", "{", "}", ",", "=", "#", "0", "a", "_", ".", "\xff", "\t")
METHODS = ("POST", "POST", "POST", "PUT", "PUT", "DELETE")


class Grammar:
    """Requests made from pieces, by luck that is the same at every run."""

    def __init__(self, seed: int) -> None:
        self.luck = random.Random(seed)

    def case(self) -> list[Request]:
        """The requests of one case: few paths, so that they meet in the same groups."""
        paths = [self.path() for _ in range(self.luck.randint(1, 3))]
        requests = [self.request(self.luck.choice(paths)) for _ in range(self.luck.randint(1, 6))]
        return [self.mutated(requests[0])] if self.luck.random() < 0.3 else requests

    def request(self, path: str) -> Request:
        """One request to a path."""
        body = self.body().encode()
        luck = self.luck.random()
        if luck < 0.1:
            packed = gzip.compress(body, mtime=0)
            return Request(self.luck.choice(METHODS[:5]), path, packed, {"Content-Encoding": "gzip"})
        if luck < 0.2:
            return Request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        return Request(self.luck.choice(METHODS), path, body, {})

    def path(self) -> str:
        """A path to a group; one in ten is broken."""
        parts = [self.job(), *(self.label() for _ in range(self.luck.choice((0, 0, 1, 1, 2, 3))))]
        if self.luck.random() < 0.1:
            parts.insert(self.luck.randint(1, len(parts)), self.luck.choice(BROKEN_LABELS))
        return "/metrics/" + "/".join(parts) + self.luck.choice(("", "", "", "", "", "/", "?q=1"))

    def job(self) -> str:
        """The first part of a path."""
        return self.luck.choice(
            ("job/j", "job/j", "job/k", "job/a%20b", "job/a+b", "job@base64/ag", "job@base64/YS9i==")
        )

    def label(self) -> str:
        """A valid label of a path."""
        name, value = self.luck.choice(("x", "x", "y", "l", "instance")), self.luck.choice(("1", "2", "db 1", "é"))
        if self.luck.random() < 0.3:
            digits = base64.urlsafe_b64encode(value.encode()).decode()
            return f"{name}@base64/{digits.rstrip('=') if self.luck.random() < 0.5 else digits}"
        return f"{name}/{''.join(f'%{byte:02X}' for byte in value.encode())}"

    def body(self) -> str:
        """Families, each complete, with broken lines in one of four bodies, and the line ends of any system."""
        names = self.luck.sample(PLAIN_NAMES, self.luck.randint(0, 3))
        blocks = [self.plain(name) for name in names]
        blocks += self.luck.sample([self.histogram(), self.summary()], self.luck.choice((0, 0, 1, 2)))
        if self.luck.random() < 0.25:
            blocks.append(self.luck.choice(BROKEN_LINES) + "\n")
        self.luck.shuffle(blocks)
        body = "".join(blocks)
        luck = self.luck.random()
        return body.removesuffix("\n") if luck < 0.07 else body.replace("\n", "\r\n") if luck < 0.14 else body

    def plain(self, name: str) -> str:
        """A counter, gauge or untyped family."""
        kind = self.luck.choice(("", "", "gauge", "gauge", "counter", "untyped"))
        return self.head(name, kind) + "".join(self.sample(name) for _ in range(self.luck.choice((1, 1, 2, 3))))

    def head(self, name: str, kind: str) -> str:
        """HELP, if the family has one, and TYPE, if there is one."""
        lines = [f"# HELP {name} {HELPS[name]}\n"] if name in HELPS else []
        lines += [f"# TYPE {name} {kind}\n"] if kind else []
        self.luck.shuffle(lines)
        return "".join(lines)

    def sample(self, name: str) -> str:
        """A sample with labels and a number of any form."""
        blank = self.luck.choice((" ", " ", " ", "  ", "\t"))
        return f"{name}{self.labels()}{blank}{self.number()}\n"

    def labels(self, *more: str) -> str:
        """Labels in braces, in any order."""
        names = self.luck.sample(LABEL_NAMES, self.luck.choice((0, 0, 1, 2, 3)))
        pairs = [f'{name}="{self.luck.choice(LABEL_VALUES)}"' for name in names if f"{name}=" not in str(more)] + [
            *more
        ]
        self.luck.shuffle(pairs)
        return "{" + self.luck.choice((",", ",", ", ")).join(pairs) + "}" if pairs else self.luck.choice(("", "{}"))

    def number(self) -> str:
        """A number: one in thirty is broken, half are any float in any notation."""
        luck = self.luck.random()
        if luck < 0.03:
            return self.luck.choice(BROKEN_NUMBERS)
        if luck < 0.5:
            return self.luck.choice(NUMBERS)
        (value,) = struct.unpack("d", self.luck.randbytes(8))
        return self.luck.choice(("{!r}", "{:.17g}", "{:e}", "{:.3f}")).format(value).replace("-nan", "nan")

    def histogram(self) -> str:
        """A histogram; parts may be missing or in any order."""
        series = self.labels().replace("le=", "el=").strip("{}")
        bounds = self.luck.sample(("0.1", "1", "1.0", "2", "1e6", "+Inf", "NaN"), self.luck.randint(0, 4))
        lines = [f"h_bucket{_braces(series, le=bound)} {self.luck.randint(0, 9)}\n" for bound in bounds]
        lines += self.luck.sample([f"h_sum{_braces(series)} {self.number()}\n", f"h_count{_braces(series)} 7\n"], 1)
        return self.head("h", "histogram") + "".join(lines)

    def summary(self) -> str:
        """A summary; parts may be missing or in any order."""
        series = self.labels().strip("{}")
        ranks = self.luck.sample(("0.5", ".9", "0.99", "1", "NaN"), self.luck.randint(0, 3))
        lines = [f"s{_braces(series, quantile=rank)} {self.number()}\n" for rank in ranks]
        lines += [f"s_sum{_braces(series)} {self.number()}\n", f"s_count{_braces(series)} {self.luck.randint(0, 99)}\n"]
        self.luck.shuffle(lines)
        return self.head("s", "summary") + "".join(lines[self.luck.randint(0, 1) :])

    def mutated(self, request: Request) -> Request:
        """The request with one character more, less or changed, unless that makes what 1.5.1 does not know."""
        text = request.body.decode(errors="replace")
        if request.headers or not text or "histogram" in text:
            return request
        at = self.luck.randrange(len(text))
        piece = self.luck.choice(
            ("", " ", "\n", "\r", '"', "\\", "{", "}", ",", "=", "#", "0", "a", "_", ".", "\xff", "\t")
        )
        changed = text[:at] + piece + text[at + self.luck.randint(0, 1) :]
        unknown = re.search(r'(^|[{,\n])\s*\w*"|^\s*\{|# HELP .*\\"|# (HELP|TYPE) \S*"', changed, re.MULTILINE)
        return request if unknown else request._replace(method="POST", body=changed.encode())


def _braces(series: str, **more: str) -> str:
    pairs = ",".join([*([series] if series else []), *(f'{name}="{value}"' for name, value in more.items())])
    return f"{{{pairs}}}" if pairs else ""


# The bodies that we accept and the original does not -> the same in its words.
TRANSLATIONS: dict[str, Callable[[bytes], bytes]] = {
    "lines may end in CR LF": lambda body: re.sub(rb"\r(?=\n|\Z)", b"", body),
    "the last line needs no end": lambda body: body if body.endswith(b"\n") or not body else body + b"\n",
}


def translated(request: Request) -> Request:
    """What the original is sent."""
    body = request.body
    packed = request.headers.get("Content-Encoding") == "gzip"
    body = gzip.decompress(body) if packed else body
    for translate in TRANSLATIONS.values():
        body = translate(body)
    return request._replace(body=gzip.compress(body) if packed else body)


@pytest.mark.parametrize("number", range(CASES))
def test_the_same_requests_are_answered_alike(pair: Pair, number: int) -> None:
    for request in Grammar(number).case():
        ours = pair.ours.request(*request)
        theirs = pair.theirs.request(*translated(request))
        assert_same_answer(ours, theirs, request)

    pair.settle()
    assert pushed_families(pair.ours) == pushed_families(pair.theirs)
    assert api_groups(pair.ours) == api_groups(pair.theirs)
