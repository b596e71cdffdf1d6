"""A grouping key: the labels that name a group, from and to the path of a request and the name in Redis.

In: the percent-decoded path behind `/metrics/` (`job/x/instance/db-1`, `job@base64/eA`), or a stored name.
Out: GroupingKey, a value with all that a push needs of the labels at hand.
Never: knows about HTTP or Redis; only about labels.
Follows: handler/push.go splitLabels and decodeBase64 of the original (behaviour page, section 1.1).
"""

import base64
import re
import sys
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import quote, unquote

from pgw.errors import BadGroupingKey
from pgw.model.names import RESERVED_PREFIX, escape_value, is_label_name, is_utf8, quoted, unescape_name

JOB = "job"
INSTANCE = "instance"
BASE64_SUFFIX = "@base64"

SHAPES_REMEMBERED = 64
"""Sets of label names, of which a fleet has a handful; they are asked for with each new series."""

Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
"""What `quote` leaves as it is, as it does with nearly all keys; it takes ten times as long to find that out."""
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


class GroupingKey:
    """The labels of one group, sorted by name; `job` is among them and not empty.

    A worker keeps 100,000 of them. So a key holds what every push needs and no more, in 64 bytes and one text of its
    own, and the rest is told from its name: what a push reads of its group the processor's caches do not hold, and what
    is kept between the many objects that come and go with each push spreads these over more of the memory.
    """

    __slots__ = ("is_utf8", "left", "name", "shape")

    def __init__(self, labels: Labels) -> None:
        names, values = zip(*labels, strict=True)
        is_plain = _UNRESERVED.fullmatch("".join(names + values)) is not None
        parts = [part for label in _job_first(labels) for part in label]
        self.name = "/".join(parts if is_plain else map(_percent, parts))
        """Readable and injective: `job/backup/instance/db-1`, percent-encoded, job first."""
        self.shape = sys.intern(",".join(names if is_plain else map(_percent, names)))
        """The label names as one string; groups of one shape can never hold the same series."""
        self.is_utf8 = is_plain or is_utf8("".join(values))
        """Whether every value is valid UTF-8; a group with any other cannot be scraped."""
        self.left = b""
        """The signature of what was left in the group, and nothing else, by whoever stores it; empty: not known."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GroupingKey) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"GroupingKey({self.labels!r})"

    @property
    def labels(self) -> Labels:
        """The label names and values."""
        return tuple(zip(self.names, self._values(), strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """The label names, sorted."""
        return names_of(self.shape)

    @property
    def values(self) -> tuple[str, ...]:
        """The label values in the order of `names`, escaped for the text format."""
        values = self._values()
        return tuple(map(escape_value, values) if "%" in self.name else values)

    @property
    def ordered(self) -> Labels:
        """The labels as people write them: job first, the others sorted by name."""
        return _job_first(self.labels)

    @property
    def twin(self) -> str | None:
        """The name of the one group whose push times would be the same series as ours, if there is one.

        A group without `instance` shows its push times with `instance=""`, as the group with an empty one does.
        """
        parts, names = self.name.split("/"), self.names
        behind = 2 * bisect_left(names, INSTANCE) + 2  # the job comes first in the name, in `names` behind `instance`
        has_instance = INSTANCE in names
        if has_instance and parts[behind + 1]:
            return None
        parts[behind : behind + 2 * has_instance] = [] if has_instance else [INSTANCE, ""]
        return "/".join(parts)

    def _values(self) -> list[str]:
        values = _split(self.name, "/")[1::2]
        values.insert(self.names.index(JOB), values.pop(0))
        return values

    def require_utf8(self) -> None:
        """Refuse a key that could never be scraped.

        NOTE(pushgateway): the original answers 400 too, but keeps the group, and every later scrape fails.
        """
        if self.is_utf8:
            return
        for name, value in self.labels:
            if not is_utf8(value):
                raise BadGroupingKey(
                    f"the grouping key has a label named {quoted(name)} whose value is not utf8: {quoted(value)}"
                )

    @classmethod
    def from_name(cls, name: str) -> "GroupingKey":
        """Read a key back from its `name`."""
        parts = _split(name, "/")
        return cls(tuple(sorted(zip(parts[::2], parts[1::2], strict=True))))

    @classmethod
    def from_path(cls, path: bytes, *, utf8_names: bool = False) -> "GroupingKey":
        """Read the percent-decoded path behind `/metrics/`.

        Args:
            path: `job/x/instance/db-1`.
            utf8_names: label names may be any UTF-8, also as `U__` escapes.

        Raises:
            BadGroupingKey: in the original's words and order: job base64, label string, empty job.
        """
        kind, _, rest = path.decode(errors="surrogateescape").partition("/")
        job, slash, labels = rest.partition("/")
        if kind == JOB + BASE64_SUFFIX:
            job = _decode_job(job)
        found = _split_labels(slash + labels, read_utf8_name if utf8_names else read_legacy_name)
        if not job:
            raise BadGroupingKey("job name is required")
        found[JOB] = job  # `job` again as a later label is overridden by the first
        return cls(tuple(sorted(found.items())))


def _job_first(labels: Labels) -> Labels:
    at = [name for name, _ in labels].index(JOB)
    return (labels[at], *labels[:at], *labels[at + 1 :])


def _percent(part: str) -> str:
    if _UNRESERVED.fullmatch(part):
        return part
    return quote(part, safe="", errors="surrogateescape")


@lru_cache(SHAPES_REMEMBERED)
def names_of(shape: str) -> tuple[str, ...]:
    """The label names of a shape, sorted."""
    return tuple(_split(shape, ","))


def _split(text: str, separator: str) -> list[str]:
    parts = text.split(separator)
    return [unquote(part, errors="surrogateescape") for part in parts] if "%" in text else parts


def _split_labels(path: str, read_name: Callable[[str], str]) -> dict[str, str]:
    """Split `/a/1/b/2` into labels; of a label that comes twice the last one wins."""
    if path in ("", "/"):
        return {}
    parts = path[1:].split("/")
    if len(parts) % 2:
        raise BadGroupingKey(f"odd number of components in label string {quoted(path)}")
    return dict(_label(name, value, read_name) for name, value in zip(parts[::2], parts[1::2], strict=True))


def read_legacy_name(name: str) -> str:
    """Read a label name of a path."""
    if not is_label_name(name) or name.startswith(RESERVED_PREFIX):
        raise BadGroupingKey(f"improper label name {quoted(name)}")
    return name


def read_utf8_name(name: str) -> str:
    """Read a label name of a path, which may be any UTF-8, written as it is or escaped.

    NOTE(pushgateway): the original lets an escaped name pass that unescapes to a reserved one, and no scrape succeeds.
    """
    unescaped = unescape_name(name)
    if not unescaped or not is_utf8(unescaped) or unescaped.startswith(RESERVED_PREFIX):
        raise BadGroupingKey(f"improper label name {quoted(name)}")
    return unescaped


def _label(name: str, value: str, read_name: Callable[[str], str]) -> tuple[str, str]:
    encoded = name.endswith(BASE64_SUFFIX)
    name = read_name(name.removesuffix(BASE64_SUFFIX))
    if not encoded:
        return name, value
    decoded, fault = decode_base64(value)
    if fault is not None:
        raise BadGroupingKey(
            f"invalid base64 encoding for label {name}={quoted(value)}: illegal base64 data at input byte {fault}"
        )
    return name, decoded


def _decode_job(job: str) -> str:
    decoded, fault = decode_base64(job)
    if fault is not None:
        raise BadGroupingKey(
            f"invalid base64 encoding in job name {quoted(decoded)}: illegal base64 data at input byte {fault}"
        )
    return decoded


def decode_base64(text: str) -> tuple[str, int | None]:
    """Decode base64url as Go does after the padding is cut off.

    Returns:
        What was decoded, and where the first fault stands (None: nowhere). Line ends are skipped, bits beyond the
        last byte are ignored; with a fault, what came before its quantum of four is decoded.
    """
    digits = text.rstrip("=")
    if _BASE64URL.fullmatch(digits) and len(digits) % 4 != 1:
        return _decode_digits(digits), None
    kept: list[str] = []
    for position, digit in enumerate(digits):
        if digit in "\r\n":
            continue
        if not _BASE64URL.fullmatch(digit):
            return _decode_digits("".join(kept[: len(kept) // 4 * 4])), len(
                digits[:position].encode(errors="surrogateescape")
            )
        kept.append(digit)
    if len(kept) % 4 == 1:
        return _decode_digits("".join(kept[:-1])), len(digits) - 1
    return _decode_digits("".join(kept)), None


def _decode_digits(digits: str) -> str:
    padding = "=" * (-len(digits) % 4)
    return base64.urlsafe_b64decode(digits + padding).decode(errors="surrogateescape")
