"""Settings: everything a user may choose, read once at the top.

In: the words of a command line and the variables of an environment.
Out: Settings, one frozen value; the lines of --help; SettingError for the first thing that cannot be used.
Never: reads the environment itself; opens or starts anything. Rooms below get plain values, never Settings.
Follows: the flags of the original (behaviour page, section 3): `--flag=value` or `--flag value`, switches as
`--switch` and `--no-switch`. Each flag has an environment variable; flag beats environment beats default.

To add a setting, add one field to Settings: its row names the flag, what it holds, the default and the help.
NOTE(pushgateway): a bad flag exits 2, not 1; `@file` on the command line is not read; the variables are ours.
"""

import dataclasses
import math
import os
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import urlsplit

from pgw.errors import SettingError

T = TypeVar("T")

MOST_DEFAULT_WORKERS = 8
"""Each worker holds a copy of what is scraped, and the one thread of Redis is busy before eight workers are."""

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
"""Where a Linux container finds its share of the processors: a quota and a period, or `max`."""

_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h|d|w|y)")
_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
    "d": 86400.0, "w": 7 * 86400.0, "y": 365 * 86400.0,
}  # fmt: skip
_SIZE = re.compile(r"(\d+)(B|KB|MB|GB|KiB|MiB|GiB)?")
_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\[\]:/\s]*):(?P<port>\d{1,5})")
_LAST_PORT = 65535
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


@dataclasses.dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a setting holds: how its text is read, and what is expected when it cannot be."""

    read: Callable[[str], T]
    """From text to value; ValueError or KeyError where the text is none of this kind."""
    metavar: str
    """What stands for the value in --help; empty for a switch, which takes none."""
    expected: str
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
    def variable(self) -> str:
        """The name in the environment: `PGW_REDIS_URL` for `--redis.url`."""
        return "PGW_" + self.flag.removeprefix("--").replace(".", "_").replace("-", "_").upper()

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return not self.kind.metavar

    @property
    def switch_off(self) -> str:
        """The flag that turns a switch off."""
        return "--no-" + self.flag.removeprefix("--")

    @property
    def usage(self) -> str:
        """The flag as --help shows it."""
        return f"--[no-]{self.flag.removeprefix('--')}" if self.is_switch else f"{self.flag}={self.kind.metavar}"

    def read(self, text: str, place: str) -> Any:  # noqa: ANN401  each row has a type of its own
        """Read the text that was found at a place, which is the flag or the variable."""
        try:
            return self.kind.read(text)
        except (ValueError, KeyError):
            raise SettingError(place, self.shown(text), self.kind.expected) from None

    def shown(self, text: str) -> str:
        """The text as messages may show it."""
        return without_password(text) if self.kind.secret else text

    def read_default(self) -> Any:  # noqa: ANN401  likewise
        """The value where none is given."""
        return self.read(self.default, self.flag) if isinstance(self.default, str) else self.default()


def setting(flag: str, kind: Kind[T], default: str | Callable[[], T], help: str) -> T:  # noqa: A002
    """Declare one field of Settings."""
    row = Row(flag, kind, default, help)
    return cast("T", dataclasses.field(default_factory=row.read_default, repr=not kind.secret, metadata={"row": row}))


def read_duration(text: str) -> float:
    """Seconds of a duration above zero, as Go and Prometheus write it: `500ms`, `1.5s`, `1m30s`, `1d`."""
    parts = _DURATION.findall(text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(map("".join, parts)) != text or not 0 < seconds < math.inf:
        raise ValueError(text)
    return seconds


def read_size(text: str) -> int:
    """Bytes of a size of at least one byte: `1048576`, `64MiB`, `10MB`."""
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(text)
    return int(found[1]) * _BYTES[found[2] or ""]


def read_count(text: str) -> int:
    """A whole number of at least one."""
    if not (text.isascii() and text.isdecimal()) or int(text) == 0:
        raise ValueError(text)
    return int(text)


def read_addresses(text: str) -> tuple[str, ...]:
    """Addresses with commas between them."""
    addresses = tuple(address.strip() for address in text.split(","))
    for address in addresses:
        split_address(address)
    return addresses


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `:9091`, `127.0.0.1:9091`, `localhost:0` or `[::1]:9091`; an empty host means all interfaces."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise ValueError(address)
    return found["host"].strip("[]"), int(found["port"])


def read_url(text: str) -> str:
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
    """A URL that may be shown: user and password are left out."""
    before, at, place = url.rpartition("@")
    if not at:
        return url
    scheme, separator, _ = before.rpartition("://")
    return f"{scheme}{separator}***@{place}"


ADDRESSES = Kind(read_addresses, "ADDRESS", "an address such as :9091, 127.0.0.1:9091 or [::1]:9091", many=True)
URL: Kind[str | None] = Kind(read_url, "URL", f"a URL that starts with {'://, '.join(_SCHEMES)}://", secret=True)
PREFIX = Kind(
    read_prefix, "NAME", "1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter or a digit"
)
DURATION = Kind(read_duration, "DURATION", "a duration above zero such as 500ms, 1s or 1m30s")
COUNT = Kind(read_count, "NUMBER", "a whole number of at least 1")
DIRECTORY = Kind(read_path, "DIRECTORY", "a path")
SIZE = Kind(read_size, "SIZE", "a size of at least one byte such as 1048576, 64MiB or 10MB")
SWITCH = Kind(_TRUTHS.__getitem__, "", "one of true, false, 1, 0")
SWITCH_THAT_DISABLES = dataclasses.replace(SWITCH, read=lambda text: not _TRUTHS[text])


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `Settings.read` makes them; `Settings()` are the defaults."""

    listen_addresses: tuple[str, ...] = setting(
        "--web.listen-address", ADDRESSES, ":9091",
        "Where to listen; without a host on all interfaces. May be repeated.",
    )  # fmt: skip
    redis_url: str | None = setting(
        "--redis.url", URL, lambda: None,
        "The Redis (6.2 or newer) or Valkey that keeps the groups, shared by all replicas. "
        "Without it a private redis-server is started.",
    )  # fmt: skip
    # No colon, so that a name in Redis can be split at its colons; no brace, which would move the hash tag; nothing
    # that redis-cli or a MATCH pattern takes for something else.
    redis_prefix: str = setting(
        "--redis.prefix", PREFIX, "pgw",
        "What the names of all keys in Redis start with; gateways with different prefixes share a Redis "
        "and see nothing of each other.",
    )  # fmt: skip
    # Longer than the two seconds for which Redis puts up with a slow disk before it lets clients wait for it, and
    # much less than the ten seconds after which Prometheus gives up a scrape.
    redis_timeout: float = setting(
        "--redis.timeout", DURATION, "3s",
        "How long to wait for Redis before a request is answered with 503.",
    )  # fmt: skip
    workers: int = setting(
        "--workers", COUNT, lambda: min(processors(), MOST_DEFAULT_WORKERS),
        "How many worker processes to run. Without it one for each processor that this process may use, "
        f"but no more than {MOST_DEFAULT_WORKERS}: each keeps a copy of what is scraped.",
    )  # fmt: skip
    storage_path: Path = setting(  # noqa: RUF009  a field, as the others
        "--storage.path", DIRECTORY, "pgw-data",
        "The data directory of the private redis-server; not used with --redis.url.",
    )  # fmt: skip
    check_consistency: bool = setting(
        "--push.disable-consistency-check", SWITCH_THAT_DISABLES, "false",
        "Do not compare pushes with what is stored. Faster for families that live in groups of different labels, "
        "but it lets in metrics that clash.",
    )  # fmt: skip
    # A sample line has about 100 bytes, so this is more than half a million samples in one push; the decoded push
    # takes several times its size in the memory of a worker for a moment.
    max_body_size: int = setting(
        "--push.max-body-size", SIZE, "64MiB",
        "The largest body of a push, counted after decompression; larger ones are answered with 413.",
    )  # fmt: skip
    log_level: str = setting(
        "--log.level", one_of("debug", "info", "warn", "error"), "info", "The least severe messages to log.",
    )  # fmt: skip
    log_format: str = setting("--log.format", one_of("logfmt", "json"), "logfmt", "How to write them, to stderr.")

    @property
    def redis_place(self) -> str | None:
        """The URL of Redis as it may be shown; None for the private one."""
        return None if self.redis_url is None else without_password(self.redis_url)

    @classmethod
    def read(cls, argv: Sequence[str], environ: Mapping[str, str]) -> "Settings":
        """Read a command line that holds nothing but settings.

        Raises:
            SettingError: naming the flag or the variable, its value and what was expected.
        """
        settings, rest = cls.read_known(argv, environ)
        for word in rest:
            raise SettingError("command line", word, "a flag of pgw (pgw --help lists them)")
        return settings

    @classmethod
    def read_known(cls, argv: Sequence[str], environ: Mapping[str, str]) -> tuple["Settings", list[str]]:
        """Read the settings of a command line, and leave the words that are none, in their order.

        An empty variable counts as one that is not set, because compose files pass on what they do not have as such.
        """
        given, rest = _split(argv)
        values = {}
        for name, row in rows():
            text, place = given.get(row.flag), row.flag
            if text is None:
                text, place = environ.get(row.variable) or None, row.variable
            if text is not None:
                values[name] = row.read(text, place)
        return cls(**values), rest


def rows() -> Iterator[tuple[str, Row]]:
    """All settings in the order of --help: the name of the field and its row."""
    for field in dataclasses.fields(Settings):
        yield field.name, field.metadata["row"]


def describe() -> str:
    """All settings as --help shows them."""
    return "\n".join(_describe(row) for _, row in rows())


def _describe(row: Row) -> str:
    default = f", default {row.default}" if isinstance(row.default, str) else ""
    text = f"{row.help} [{row.variable}{default}]"
    return f"  {row.usage}\n" + textwrap.fill(text, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _split(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Split a command line into the text of each flag that is a setting, and the words that are none."""
    flags = {row.flag: row for _, row in rows()}
    switches_off = {row.switch_off: row for row in flags.values() if row.is_switch}
    given: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, equals, text = word.partition("=")
        row = flags.get(flag) or switches_off.get(flag)
        if row is None:
            rest.append(word)
            continue
        if row.is_switch:
            text = _switch_text(row, flag, text if equals else None)
        elif not equals:
            text = next(words, "")
        given[row.flag] = _joined(row, given.get(row.flag), text)
    return given, rest


def _switch_text(row: Row, flag: str, text: str | None) -> str:
    if text is not None:
        raise SettingError(row.flag, text, f"expected: write {row.flag} or {row.switch_off}")
    return "true" if flag == row.flag else "false"


def _joined(row: Row, before: str | None, text: str) -> str:
    if before is None:
        return text
    if not row.kind.many:
        raise SettingError(row.flag, row.shown(text), "expected: give it once")
    return f"{before},{text}"
