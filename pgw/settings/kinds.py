"""What settings hold: how the text of each kind is read, shown, and asked for when it cannot be used.

In: the text that stands behind a flag or in a variable.
Out: a value; ValueError or KeyError where the text is none of that kind, SettingError from Row.read.
Never: opens what a path or an address names.
Follows: the flags of the original (behaviour page, section 3).
"""

import dataclasses
import math
import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from pgw.durations import read_duration, read_interval, show_duration
from pgw.errors import SelectorError, SettingError
from pgw.gateway.lifetime import EXPECTED, read_lifetime
from pgw.settings.rules import read_rules, show_rules

T = TypeVar("T")

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Where a Linux container finds its share of the processors: a quota and a period, or `max`."""

_SIZE = re.compile(r"(\d+)(B|KB|MB|GB|KiB|MiB|GiB)?")
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\[\]:/\s]*):(?P<port>\d{1,5})")
_PASSWORD = re.compile(r"(?<=password=)[^&#]*")
_LAST_PORT = 65535
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_URL_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")
"""The characters of a path that mean themselves (RFC 3986 pchar without percent-escapes)."""
_OWN_PATHS = re.compile(
    r"/|/status|/delete-all|/(?:-|static|api|debug|group|raw|delete)(?:/.*)?|/metrics/job(?:@base64)?(?:/.*)?"
)
"""Paths that mean something else than a scrape."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a setting holds: how its text is read, and what is expected when it cannot be."""

    read: Callable[[str], T]
    """From text to value; ValueError or KeyError where the text is none of this kind."""
    metavar: str
    """What stands for the value in --help; empty for a switch, which takes none."""
    expected: str
    show: Callable[[T], str] = str
    """From value to text, as the status of the gateway shows it."""
    many: bool = False
    """The flag may be repeated; in the environment commas stand between the values."""
    secret: bool = False
    """The text may hold a password, which no message may show."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One setting, as the command line, the environment and the documentation know it."""

    flag: str
    kind: Kind[Any]
    default: str | Callable[[], Any]
    """The text of the default, or what works it out; the help must then say it."""
    help: str

    @property
    def name(self) -> str:
        """The flag without its dashes."""
        return self.flag.removeprefix("--")

    @property
    def variable(self) -> str:
        """The name in the environment: `PGW_REDIS_URL` for `--redis.url`."""
        return "PGW_" + self.name.replace(".", "_").replace("-", "_").upper()

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return not self.kind.metavar

    @property
    def switch_off(self) -> str:
        """The flag that turns a switch off."""
        return f"--no-{self.name}"

    @property
    def usage(self) -> str:
        """The flag as --help shows it."""
        return f"--[no-]{self.name}" if self.is_switch else f"{self.flag}={self.kind.metavar}"

    def read(self, text: str, place: str) -> Any:  # noqa: ANN401  each row has a type of its own
        """Read the text that was found at a place, which is the flag or the variable."""
        try:
            return self.kind.read(text)
        except SelectorError as error:
            raise SettingError(place, text, f"{self.kind.expected} ({error})") from None
        except (ValueError, KeyError):
            raise SettingError(place, self.shown(text), self.kind.expected) from None

    def shown(self, text: str) -> str:
        """The text as messages may show it."""
        return without_password(text) if self.kind.secret else text

    def show(self, value: Any) -> str:  # noqa: ANN401  likewise
        """The value as it may be shown to anyone; empty for none."""
        return "" if value is None else self.shown(self.kind.show(value))

    def read_default(self) -> Any:  # noqa: ANN401  likewise
        """The value where none is given."""
        return self.read(self.default, self.flag) if isinstance(self.default, str) else self.default()


def setting(flag: str, kind: Kind[T], default: str | Callable[[], T], help: str) -> T:  # noqa: A002
    """Declare one field of Settings."""
    row = Row(flag, kind, default, help)
    return cast("T", dataclasses.field(default_factory=row.read_default, repr=not kind.secret, metadata={"row": row}))


def read_size(text: str) -> int:
    """Bytes of a size of at least one byte: `1048576`, `64MiB`, `10MB`."""
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(text)
    return int(found[1]) * _BYTES[found[2] or ""]


def read_number(text: str) -> int:
    """A whole number."""
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


def read_count(text: str) -> int:
    """A whole number of at least one."""
    if read_number(text) == 0:
        raise ValueError(text)
    return int(text)


def read_addresses(text: str) -> tuple[str, ...]:
    """Addresses with commas between them."""
    addresses = tuple(address.strip() for address in text.split(","))
    for address in addresses:
        split_address(address)
    return addresses


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `:9091`, `127.0.0.1:9091`, `localhost:0` or `[::1]:9091`; an empty host means all interfaces.

    NOTE(pushgateway): `vsock://:9091`, which reaches a virtual machine from its host, is not known.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise ValueError(address)
    return found["host"].strip("[]"), int(found["port"])


def read_redis_url(text: str) -> str:
    """A URL of Redis; the store reads what is behind the scheme."""
    scheme, separator, rest = text.partition("://")
    if scheme not in _SCHEMES or not separator or not rest:
        raise ValueError(text)
    urlsplit(text)  # a ValueError of its own, for a bracket that is not closed
    return text


def read_prefix(text: str) -> str:
    """The first part of all names in Redis."""
    if _PREFIX.fullmatch(text) is None:
        raise ValueError(text)
    return text


def read_path(text: str) -> Path:
    """A path, made absolute: the server may change its directory later."""
    if not text or "\0" in text:
        raise ValueError(text)
    return Path(text).absolute()


def read_optional_path(text: str) -> Path | None:
    """A path, or nothing for an empty text."""
    return read_path(text) if text else None


def read_telemetry_path(text: str) -> str:
    """A path below which nothing else is, cleaned as the original does: `/metrics`, or `metrics/` for the same.

    NOTE(pushgateway): the original ends with a panic where the path is that of another page.
    """
    path = posixpath.normpath("/" + text.lstrip("/"))
    if _URL_PATH.fullmatch(text) is None or _OWN_PATHS.fullmatch(path):
        raise ValueError(text)
    return path


def read_route_prefix(text: str) -> str:
    """What all paths begin with, as it was written: empty, `/`, `/x` or `x/`."""
    if _URL_PATH.fullmatch(text) is None:
        raise ValueError(text)
    return text


def read_external_url(text: str) -> str:
    """A URL with a host, a path alone, or nothing."""
    url = urlsplit(text)
    if _URL_PATH.fullmatch(url.path) is None or (url.scheme, bool(url.netloc)) not in _EXTERNAL_FORMS:
        raise ValueError(text)
    return text


_EXTERNAL_FORMS = {("http", True), ("https", True), ("", False)}


def one_of(*words: str) -> Kind[str]:
    """The kind that holds one of these words."""
    return Kind({word: word for word in words}.__getitem__, "|".join(words), f"one of {', '.join(words)}")


def processors(limit: Path = CPU_LIMIT) -> int:
    """How many processors this process may use: those it may run on, or its container's share where that is less."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = map(int, limit.read_text().split())
    except (OSError, ValueError):  # not Linux, no container, or no limit (`max`)
        return usable
    return max(1, min(usable, math.ceil(quota / period)))


def without_password(url: str) -> str:
    """A URL that may be shown: user and passwords are left out."""
    before, at, place = url.rpartition("@")
    place = _PASSWORD.sub("***", place)
    if not at:
        return place
    scheme, separator, _ = before.rpartition("://")
    return f"{scheme}{separator}***@{place}"


def _show_switch(value: bool) -> str:  # noqa: FBT001  the value itself
    return str(value).lower()


ADDRESSES = Kind(
    read_addresses, "ADDRESS", "an address such as :9091, 127.0.0.1:9091 or [::1]:9091", show=",".join, many=True
)
REDIS_URL: Kind[str | None] = Kind(
    read_redis_url, "URL", f"a URL that starts with {'://, '.join(_SCHEMES)}://", secret=True
)
EXTERNAL_URL = Kind(read_external_url, "URL", "a URL such as https://metrics.example/pushgateway/", secret=True)
TELEMETRY_PATH = Kind(
    read_telemetry_path, "PATH", "a path such as /metrics that is not that of another page and needs no escapes"
)
ROUTE_PREFIX = Kind(read_route_prefix, "PATH", "a path such as /pushgateway that needs no escapes")
PREFIX = Kind(
    read_prefix, "NAME", "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"
)
DURATION = Kind(read_duration, "DURATION", "a duration above zero such as 500ms, 1s or 1m30s", show=show_duration)
INTERVAL = Kind(read_interval, "DURATION", "a duration such as 0s, 500ms, 5m or 1d", show=show_duration)
LIFETIME = Kind(read_lifetime, "DURATION", EXPECTED, show=show_duration)
LIFETIME_RULES = Kind(
    read_rules, "SELECTOR=DURATION", 'a selector and a duration such as {job=~"ci-.*"}=2h', show=show_rules, many=True
)
NUMBER = Kind(read_number, "NUMBER", "a whole number")
COUNT = Kind(read_count, "NUMBER", "a whole number of at least 1")
DIRECTORY = Kind(read_path, "DIRECTORY", "a path")
FILE: Kind[Path | None] = Kind(read_optional_path, "FILE", "a path")
SIZE = Kind(read_size, "SIZE", "a size of at least one byte such as 1048576, 64MiB or 10MB")
SWITCH = Kind(_TRUTHS.__getitem__, "", "one of true, false, 1, 0", show=_show_switch)
SWITCH_THAT_DISABLES = Kind(
    lambda text: not _TRUTHS[text], "", SWITCH.expected, show=lambda value: _show_switch(not value)
)
