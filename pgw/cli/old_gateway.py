"""A running Pushgateway, read to the last digit: the original, or one of ours.

In: its URL.
Out: its groups; SourceError if it does not answer as a Pushgateway does.
Never: changes anything there; follows a redirect with the password.
Follows: api/v1/api.go of the original (behaviour page, section 1.3) and its scrape in protobuf.

The JSON API says which groups there are, which series each holds and when its families were pushed. The values come
from the scrape, in protobuf, which carries what the API does not: the order of buckets, exemplars, native
histograms, an empty help. The two are asked one after the other, and pushes may come between: a group counts as
read once both agree on its push times. Others are asked for again.
"""

import base64
import io
import json
import urllib.request
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlsplit

from google.protobuf.message import DecodeError
from google.protobuf.proto import parse_length_prefixed

from pgw.cli.past import Old, as_key, as_microseconds, read_moment
from pgw.cli.words import Choice
from pgw.errors import SourceError
from pgw.formats import metrics_pb2 as pb
from pgw.formats.negotiation import FAMILY, PROTOBUF
from pgw.formats.numbers import format_float
from pgw.gateway.push_times import FAILURE_TIME, PUSH_TIME
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model.family import Type
from pgw.model.grouping import INSTANCE, GroupingKey, Labels

SCHEMES = ("http", "https")
SECONDS = 120.0
"""Without a byte. The original takes ten seconds and more for a scrape of a million series, before it sends any."""
ROUNDS = 5
"""How often groups that were pushed to meanwhile are asked for again: one that is pushed to between any two requests
five times over is better taken over when its job is at rest."""

_JSON = "application/json"
_DELIMITED = f"{PROTOBUF};proto={FAMILY};encoding=delimited;escaping=allow-utf-8"
_OPENING = '{"status":"success","data":['
_LONGEST_ANSWER = 1000
"""Bytes of an error that are shown: of the original, the metric that breaks its scrape; a proxy's page is cut off."""

_Json = Mapping[str, Any]


class _Moved(Exception):
    """The API and the scrape do not show the same push of a group."""


class Reading(NamedTuple):
    """What was read."""

    groups: list[Old]
    problems: list[str]
    """Of groups that could not be read, why."""


def is_url(text: str) -> bool:
    """Tell whether this names a gateway rather than a file."""
    return text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


class OldGateway:
    """A gateway whose groups are read."""

    def __init__(self, url: str) -> None:
        """Make a reader; `http://user:password@host:9091/prefix`.

        Raises:
            SourceError: the URL names no host.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise SourceError("the URL of a gateway names its host: http://old.example:9091")
        self._base = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
        self._authorization = _authorization(parts)

    @property
    def place(self) -> str:
        """Its URL, as it may be shown."""
        return self._base

    def read(self, choice: Choice) -> Reading:
        """Read the groups that were asked for."""
        found: dict[str, Old] = {}
        problems: dict[str, str] = {}
        path = self._telemetry_path()
        for _ in range(ROUNDS):
            problems.clear()
            moved = self._read_round(path, choice, found, problems)
            if not moved:
                break
            problems |= dict.fromkeys(moved, f"was pushed to while it was read, {ROUNDS} times")
        return Reading(
            [found[name] for name in sorted(found)],
            [f"group {name}: {reason}" for name, reason in sorted(problems.items())],
        )

    def _read_round(self, path: str, choice: Choice, found: dict[str, Old], problems: dict[str, str]) -> list[str]:
        """Read all once; returns the groups that were pushed to meanwhile."""
        scrape = _Scrape(self._get(path, _DELIMITED))
        moved = []
        for shown in _groups(self._get("/api/v1/metrics", _JSON)):
            key = as_key(shown.get("labels"))
            if key is None:
                problems[str(shown.get("labels"))] = "a family called labels hides its labels in the API"
            elif key.name not in found and choice(key):
                try:
                    found[key.name] = _join(key, shown, scrape)
                except _Moved:
                    moved.append(key.name)
                except (ValueError, KeyError, TypeError) as error:
                    problems[key.name] = f"is not shown as a Pushgateway does ({error})"
        return moved

    def _telemetry_path(self) -> str:
        """Where the gateway is scraped, as its flags say."""
        try:
            status = json.loads(self._get("/api/v1/status", _JSON))
            return f"/{status['data']['flags']['web.telemetry-path'].strip('/')}"
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SourceError(f"{self._base} is not a Pushgateway: /api/v1/status does not say so") from None

    def _get(self, path: str, accept: str) -> bytes:
        request = urllib.request.Request(self._base + path, headers={"Accept": accept})  # noqa: S310  see is_url
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310  likewise
                body: bytes = response.read()
                return body
        except HTTPError as error:
            with error:
                text = " ".join(error.read(_LONGEST_ANSWER).decode(errors="replace").split())
            raise SourceError(f"{self._base}{path} answered {error.code} {error.reason}: {text}") from None
        except (URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SourceError(f"{self._base}{path} cannot be read: {reason}") from None


def _authorization(parts: SplitResult) -> str:
    if parts.username is None:
        return ""
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(credentials.encode()).decode()


class _Scrape:
    """The families of a page, by their series."""

    def __init__(self, page: bytes) -> None:
        self._metrics: dict[tuple[str, Labels], pb.Metric] = {}
        self._families: dict[str, pb.MetricFamily] = {}
        stream = io.BytesIO(page)
        try:
            while (message := parse_length_prefixed(pb.MetricFamily, stream)) is not None:
                self._add(message)
        except (DecodeError, ValueError) as error:
            raise SourceError(f"the scrape is not protobuf of the Pushgateway: {error}") from None

    def _add(self, message: pb.MetricFamily) -> None:
        name = _text(message.name)
        for metric in message.metric:
            labels = tuple(sorted((_text(pair.name), _text(pair.value)) for pair in metric.label))
            self._metrics[name, labels] = metric
        self._families[name] = message

    def family(self, name: str, shown: _Json) -> pb.MetricFamily:
        """The family as one group holds it.

        Raises:
            _Moved: the page lacks one of its series.
        """
        whole = self._families.get(name)
        kind = Type[shown["type"]] if whole is None else whole.type
        family = pb.MetricFamily(name=name.encode(), type=int(kind))
        if "help" in shown:
            family.help = shown["help"].encode()
        elif whole is not None and whole.HasField("help") and not whole.help:
            family.help = b""  # which the API leaves out
        for metric in shown["metrics"]:
            found = self._metrics.get((name, _sorted(metric["labels"])))
            if found is None:
                raise _Moved
            family.metric.append(found)
        return family

    def push_time(self, name: str, labels: Labels) -> str | None:
        """The push time of a group on the page."""
        found = self._metrics.get((name, labels))
        return None if found is None else format_float(found.gauge.value)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")  # as in the JSON


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _groups(answer: bytes) -> Iterator[_Json]:
    """The groups of an answer of the API, one by one: all of them as Python's values would take ten times its size."""
    text = answer.decode(errors="replace")
    if not text.startswith(_OPENING):
        raise SourceError("the answer of /api/v1/metrics is not that of a Pushgateway")
    read = json.JSONDecoder().raw_decode
    position = len(_OPENING)
    try:
        while text[position] != "]":
            group, position = read(text, position)
            yield group
            position += text[position] == ","
    except (ValueError, IndexError):
        raise SourceError(f"the answer of /api/v1/metrics is cut off at byte {position}") from None


def _join(key: GroupingKey, group: _Json, scrape: _Scrape) -> Old:
    """Put together what the API and the scrape say of a group.

    Raises:
        _Moved: they speak of different pushes.
    """
    own = _sorted({INSTANCE: "", **dict(key.labels)})
    moments = {name: _push_time(group, name, own) for name in (PUSH_TIME, FAILURE_TIME)}
    for name, moment in moments.items():
        if (scrape.push_time(name, own) or "0") != moment:
            raise _Moved
    families = [
        (scrape.family(name, shown), read_moment(shown["time_stamp"]))
        for name, shown in group.items()
        if isinstance(shown, dict) and "time_stamp" in shown and name not in PUSH_TIMES
    ]
    pushed_at, failed_at = (as_microseconds(float(moment)) for moment in moments.values())
    expires_at = group.get("expires_at")  # of one of ours; a family of that name is no text
    return Old(key, pushed_at, failed_at, families, read_moment(expires_at) if isinstance(expires_at, str) else 0)


def _push_time(group: _Json, name: str, own: Labels) -> str:
    """The push time of a group in the API; the original may hold another series of that name, which was pushed."""
    for metric in group.get(name, {}).get("metrics", ()):
        if _sorted(metric["labels"]) == own:
            value: str = metric["value"]
            return value
    return "0"
