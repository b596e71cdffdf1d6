"""The gateway's own counters, summed over all workers and replicas.

In: requests as they are answered; the sums of all workers, as the store keeps them.
Out: what this worker has counted since it was last asked; the families that the page shows.
Never: talks to the store; whoever owns both carries the counts there (once a second).
Follows: handler/metrics.go of the original (behaviour page, section 4): names, labels, quantiles over ten minutes.

A counter of one process would jump from scrape to scrape behind a load balancer. The fields in the store are
`requests/<code>/<handler>/<method>`, `limits/<limit>`, `<summary>/<method>/sum`, `<summary>/<method>/count`, and for
the quantiles `<summary>/<method>/at/<slice of time>/<bucket>`: how many values fell into a bucket of a logarithmic
scale. The field `expired` is counted by the script that removes what has expired. A family is there once there is
something to count.

NOTE(pushgateway): a quantile here is off by at most 5 % of its value; the original's is off by up to 5 % in rank.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.model.series import label_notation, notation

BUILD_INFO = "pushgateway_build_info"
REQUESTS = "pushgateway_http_requests_total"
EXPIRED = "pgw_expired_groups_total"
LIMITED = "pgw_limited_pushes_total"
PUSH_SIZE = "pushgateway_http_push_size_bytes"
PUSH_DURATION = "pushgateway_http_push_duration_seconds"

OWN_TYPES: Mapping[str, Type] = {
    BUILD_INFO: Type.GAUGE,
    REQUESTS: Type.COUNTER,
    EXPIRED: Type.COUNTER,
    LIMITED: Type.COUNTER,
    PUSH_SIZE: Type.SUMMARY,
    PUSH_DURATION: Type.SUMMARY,
}
"""The families that the gateway shows beside those of the groups."""

HELPS: Mapping[str, str] = {
    BUILD_INFO: "A metric with a constant '1' value labeled by version, revision, branch of this pushgateway.",
    REQUESTS: "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
    LIMITED: "Pushes that were refused because of a limit, by the limit.",
    EXPIRED: "Groups whose metrics have expired and were removed.",
    PUSH_SIZE: "HTTP request size for pushes to the Pushgateway.",
    PUSH_DURATION: "HTTP request duration for pushes to the Pushgateway.",
}

QUANTILES = (0.1, 0.5, 0.9)
SLICE = 120
"""Seconds. The window of ten minutes is five slices, as in Go's summaries; it moves on by a slice at a time."""
SLICES = 5
NOTED = 1_000
"""Pushes that are noted, at some 70 bytes each, before they are counted. By then they are some milliseconds old, and a
second at most, when all is handed over: nothing beside a slice."""
_GROWTH = math.log(1.1)
"""Each bucket ends 10 % above the one before, so its middle is at most 5 % off."""


class _Observed:
    """What was seen of the pushes of one method. A push is only noted; many are counted at once, for less."""

    __slots__ = ("amounts", "durations", "method", "now", "sizes")

    def __init__(self, method: str) -> None:
        self.method = method
        self.sizes: list[int] = []
        self.durations: list[float] = []
        """Of those that are not among the amounts yet."""
        self.now = 0.0
        """When the last of them was answered: unix time."""
        self.amounts: Counter[str] = Counter()
        """The others, as the store keeps them."""

    def add_up(self) -> None:
        """Count what was noted."""
        moment = int(self.now) // SLICE
        for name, values in ((PUSH_SIZE, self.sizes), (PUSH_DURATION, self.durations)):
            about = f"{name}/{self.method}"
            self.amounts[f"{about}/sum"] += sum(values)  # type: ignore[assignment]  # typeshed's Counter counts ints
            self.amounts[f"{about}/count"] += len(values)
            for bucket, count in Counter(map(_bucket, values)).items():
                self.amounts[f"{about}/at/{moment}/{bucket}"] += count
        self.sizes, self.durations = [], []


class Tally:
    """What one worker has counted and not handed over yet. The names are made when it is, not for each request."""

    def __init__(self) -> None:
        self._amounts: Counter[str] = Counter()
        self._requests: Counter[tuple[int, str, str]] = Counter()
        self._pushes: dict[str, _Observed] = {}
        self._refused: tuple[str, str] | None = None

    def count_request(self, *, code: int, handler: str, method: str) -> None:
        """Count one answer."""
        self._requests[code, handler, method] += 1

    def count_limit(self, limit: str) -> None:
        """Count a push that was refused because of a limit."""
        self._amounts[f"limits/{limit}"] += 1

    def observe_push(self, *, method: str, size: int, duration: float, now: float) -> None:
        """Count one push, refused ones included: bytes of the request, seconds until the answer, unix time."""
        seen = self._pushes.get(method) or self._pushes.setdefault(method, _Observed(method.lower()))
        seen.sizes.append(size)
        seen.durations.append(duration)
        seen.now = now
        if len(seen.sizes) == NOTED:
            seen.add_up()

    def note_refusal(self, group: str, reason: str) -> None:
        """Note a push that was refused; the last one counts."""
        self._refused = (group, reason)

    def take_refusal(self) -> tuple[str, str] | None:
        """Hand over the last push that was refused since this was called before: its group and the reason."""
        refused, self._refused = self._refused, None
        return refused

    def take(self) -> dict[str, float]:
        """Hand over what was counted, and begin anew."""
        taken = self._amounts
        for (code, handler, method), count in self._requests.items():
            taken[f"requests/{code}/{handler}/{method.lower()}"] += count
        for seen in self._pushes.values():
            seen.add_up()
            taken.update(seen.amounts)
        self._amounts, self._requests, self._pushes = Counter(), Counter(), {}
        return dict(taken)

    def put_back(self, amounts: Mapping[str, float]) -> None:
        """Count again what could not be handed over."""
        for field, amount in amounts.items():
            self._amounts[field] += amount  # type: ignore[assignment]  # as above


class OwnFamilies:
    """Writes the gateway's own families as the page shows them."""

    def __init__(self, *, version: str, number: Callable[[float], str]) -> None:
        """Make a writer for a version of this program; `number` writes a number as the text format does."""
        self._version = version
        self._number = number

    def __call__(self, sums: Mapping[str, float], now: int) -> list[Fragment]:
        """Write the families.

        Args:
            sums: the counters of all workers, as the store keeps them.
            now: unix time in seconds, by the clock of the store.
        """
        lines: dict[str, Iterator[str]] = {
            BUILD_INFO: iter([self._line(BUILD_INFO, 1, branch="", revision="", version=self._version)]),
            REQUESTS: self._requests(sums),
            EXPIRED: iter([self._line(EXPIRED, sums["expired"])] if "expired" in sums else []),
            LIMITED: self._limited(sums),
            PUSH_SIZE: self._summary(PUSH_SIZE, sums, now),
            PUSH_DURATION: self._summary(PUSH_DURATION, sums, now),
        }
        texts = {name: "".join(each).encode() for name, each in lines.items()}
        return [Fragment(name, OWN_TYPES[name], HELPS[name], text) for name, text in texts.items() if text]

    def _requests(self, sums: Mapping[str, float]) -> Iterator[str]:
        for field in sorted(sums):
            if field.startswith("requests/"):
                code, _, rest = field.removeprefix("requests/").partition("/")
                handler, _, method = rest.rpartition("/")  # a handler may be called api/v1/status
                yield self._line(REQUESTS, sums[field], code=code, handler=handler, method=method)

    def _limited(self, sums: Mapping[str, float]) -> Iterator[str]:
        for field in sorted(sums):
            if field.startswith("limits/"):
                yield self._line(LIMITED, sums[field], limit=field.removeprefix("limits/"))

    def _summary(self, name: str, sums: Mapping[str, float], now: int) -> Iterator[str]:
        for field in sorted(sums):
            if field.startswith(name) and field.endswith("/count"):
                method = field.split("/")[1]
                buckets = _recent_buckets(f"{name}/{method}/at/", sums, now)
                for quantile in QUANTILES:
                    value = _quantile(quantile, buckets)
                    yield self._line(name, value, method=method, quantile=self._number(quantile))
                yield self._line(f"{name}_sum", sums[f"{name}/{method}/sum"], method=method)
                yield self._line(f"{name}_count", sums[field], method=method)

    def _line(self, name: str, value: float, **labels: str) -> str:
        text = ",".join(label_notation(label, text) for label, text in labels.items())
        return f"{notation(name, text)} {self._number(value)}\n"


def pushes(sums: Mapping[str, float]) -> float:
    """How many pushes were answered so far, refused ones included."""
    return sum(each for field, each in sums.items() if field.startswith(PUSH_DURATION) and field.endswith("/count"))


def expired(sums: Mapping[str, float], now: int) -> list[str]:
    """The fields of slices that no quantile needs any more."""
    oldest = now // SLICE - SLICES
    return [field for field in sums if (parts := field.split("/"))[2:3] == ["at"] and int(parts[3]) <= oldest]


def _bucket(value: float) -> int:
    return math.ceil(math.log(value) / _GROWTH) if value > 0 else 0


def _recent_buckets(prefix: str, sums: Mapping[str, float], now: int) -> dict[int, float]:
    """How many values of the last ten minutes fell into each bucket."""
    oldest = now // SLICE - SLICES
    buckets: Counter[int] = Counter()
    for field, count in sums.items():
        if field.startswith(prefix):
            moment, bucket = field.removeprefix(prefix).split("/")
            if int(moment) > oldest:
                buckets[int(bucket)] += int(count)
    return dict(sorted(buckets.items()))


def _quantile(quantile: float, buckets: Mapping[int, float]) -> float:
    """The middle of the bucket in which the quantile lies; NaN if there were no values, as in the original."""
    rank, below = quantile * sum(buckets.values()), 0.0
    for bucket, count in buckets.items():
        below += count
        if below >= rank:
            return math.exp((bucket - 0.5) * _GROWTH)
    return math.nan
