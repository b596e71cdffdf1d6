"""What a client says it can read, and what it gets.

In: the values of Accept headers.
Out: a name out of those that are offered.
Never: refuses; who cannot be pleased gets plain text.
Follows: negotiateContentEncoding of client_golang 1.2x behind the original's /metrics.
"""

import re

IDENTITY = "identity"
GZIP = "gzip"
OFFERS = (IDENTITY, GZIP)
"""In the order in which a wildcard picks from them."""

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
