"""What a client says it can read and what it gets; and what it says it sends.

In: the values of Accept, Accept-Encoding and Content-Type headers.
Out: a choice out of what is offered; whether a body is protobuf.
Never: refuses; who cannot be pleased gets plain text.
Follows: negotiateContentEncoding of client_golang 1.23, Negotiate of prometheus/common 0.69 with the syntax of
goautoneg, and ParseMediaType of Go, as they stand behind the original's /metrics and pushes.

NOTE(pushgateway): to the original, a format with `q=0` is the one that is liked least; here it is not wanted at all.
"""

import enum
import re
from collections.abc import Mapping
from typing import NamedTuple

from pgw.formats.escaping import Scheme

IDENTITY = "identity"
GZIP = "gzip"
OFFERS = (IDENTITY, GZIP)
"""In the order in which a wildcard picks from them."""

PROTOBUF = "application/vnd.google.protobuf"
FAMILY = "io.prometheus.client.MetricFamily"


class Kind(enum.Enum):
    """The formats of a scrape, with their content types."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    DELIMITED = f"{PROTOBUF}; proto={FAMILY}; encoding=delimited"
    PROTO_TEXT = f"{PROTOBUF}; proto={FAMILY}; encoding=text"
    COMPACT_TEXT = f"{PROTOBUF}; proto={FAMILY}; encoding=compact-text"


class Format(NamedTuple):
    """How a scrape is written."""

    kind: Kind
    escaping: Scheme

    @property
    def content_type(self) -> str:
        """The Content-Type of the answer."""
        return f"{self.kind.value}; escaping={self.escaping}"


class _Clause(NamedTuple):
    """One of the media types of an Accept header."""

    type: str
    parameters: Mapping[str, str]
    quality: float


_ENCODINGS = {"delimited": Kind.DELIMITED, "text": Kind.PROTO_TEXT, "compact-text": Kind.COMPACT_TEXT}
_SCHEMES = {scheme.value: scheme for scheme in Scheme}
_TEXT_VERSIONS = ("", "0.0.4")

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  a token of HTTP is no secret
_MEDIA_TYPE = re.compile(rf"\s*({_TOKEN}/{_TOKEN})\s*").match
_PARAMETER = re.compile(rf'\s*;\s*({_TOKEN})\s*=\s*(?:({_TOKEN})|"([^"\\]*+(?:\\.[^"\\]*+)*)")')
_NO_MORE = re.compile(r"\s*;?\s*").fullmatch
_QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")


def choose_encoding(accept_encoding: str | None) -> str:
    """Choose between `identity` and `gzip`; of equal qualities the first offer wins, so `*` means identity."""
    best, chosen = -1.0, IDENTITY
    accepted = _qualities(accept_encoding or "")
    for offer in OFFERS:
        for name, quality in accepted:
            if quality > best and name in ("*", offer):
                best, chosen = quality, offer
    return chosen if best != 0 else IDENTITY


def _qualities(header: str) -> list[tuple[str, float]]:
    return [_quality(item) for item in header.split(",") if item.strip()]


def _quality(item: str) -> tuple[str, float]:
    name, _, parameters = item.partition(";")
    found = _QUALITY.fullmatch(parameters.strip())
    return name.strip(), float(found[1]) if found else 1.0


def choose_format(accept: str | None) -> Format:
    """Choose how a scrape is written: the format that is liked best of those that are offered, else plain text.

    An `escaping` counts even if it stands with a format that is not offered, up to the one that is chosen.
    """
    escaping = Scheme.UNDERSCORES
    for clause in _clauses(accept or ""):
        escaping = _SCHEMES.get(clause.parameters.get("escaping", ""), escaping)
        kind = _offered(clause)
        if kind is not None:
            return Format(kind, escaping)
    return Format(Kind.TEXT, escaping)


def is_protobuf(content_type: str | None) -> bool:
    """Tell whether a body is length-delimited protobuf; every other is text."""
    if content_type is None or PROTOBUF not in content_type.lower():
        return False  # as nearly always
    parsed = _media_type(content_type)
    if parsed is None:
        return False
    media_type, parameters = parsed
    return media_type == PROTOBUF and parameters.get("encoding") == "delimited" and parameters.get("proto") == FAMILY


def _offered(clause: _Clause) -> Kind | None:
    if clause.type == "text/plain" and clause.parameters.get("version", "") in _TEXT_VERSIONS:
        return Kind.TEXT
    if clause.type == PROTOBUF and clause.parameters.get("proto") == FAMILY:
        return _ENCODINGS.get(clause.parameters.get("encoding", ""))
    return None


def _clauses(header: str) -> list[_Clause]:
    """The media types that are wanted, the best first; of equal ones the first."""
    clauses = [_clause(item) for item in header.split(",")]
    return sorted((clause for clause in clauses if clause.quality > 0), key=lambda clause: -clause.quality)


def _clause(item: str) -> _Clause:
    media_type, *rest = (part.strip() for part in item.split(";"))
    pairs = (part.partition("=") for part in rest)
    parameters = {name.strip(): value.strip() for name, _, value in pairs}
    return _Clause(media_type, parameters, _weight(parameters.get("q", "1")))


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0


def _media_type(text: str) -> tuple[str, Mapping[str, str]] | None:
    """Take a Content-Type apart; None where Go would not, which is also where a parameter comes twice."""
    found = _MEDIA_TYPE(text)
    if found is None:
        return None
    media_type = found[1].lower()
    parameters: dict[str, str] = {}
    position = found.end()
    while (parameter := _PARAMETER.match(text, position)) is not None:
        name = parameter[1].lower()
        if name in parameters:
            return None
        parameters[name] = parameter[2] or re.sub(r"\\(.)", r"\1", parameter[3] or "")
        position = parameter.end()
    return (media_type, parameters) if _NO_MORE(text, position) else None
