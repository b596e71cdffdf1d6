"""Settings: everything a user may choose, read once at the top.

In: the words of a command line and the variables of an environment.
Out: Settings, one frozen value; SettingError for the first thing that cannot be used.
Never: reads the environment itself; opens or starts anything. Rooms below get plain values, never Settings.
Follows: the flags of the original (behaviour page, section 3). Each flag has an environment variable; flag beats
environment beats default.

To add a setting, add one field to Settings: its row names the flag, what it holds, the default and the help.
NOTE(pushgateway): a bad flag exits 2, not 1; `@file` on the command line is not read; the variables are ours.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pgw.errors import SettingError
from pgw.gateway.lifetime import Rule
from pgw.gateway.limits import PushLimits
from pgw.settings import kinds
from pgw.settings.command_line import split
from pgw.settings.kinds import Row, processors, setting, without_password

MOST_DEFAULT_WORKERS = 8
"""Each worker holds a copy of what is scraped, and the one thread of Redis is busy before eight workers are."""

EVERY_SECOND = 1.0
"""Seconds. How often the private Redis makes data safe unless it has to do so at each write; see sync_always."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All settings. `Settings.read` makes them; `Settings()` are the defaults."""

    listen_addresses: tuple[str, ...] = setting(
        "--web.listen-address", kinds.ADDRESSES, ":9091",
        "Where to listen; without a host on all interfaces. May be repeated.",
    )  # fmt: skip
    systemd_socket: bool = setting(
        "--web.systemd-socket", kinds.SWITCH, "false",
        "Listen on the sockets that systemd hands over (socket activation) instead of --web.listen-address.",
    )  # fmt: skip
    web_config_file: Path | None = setting(  # noqa: RUF009  a field, as the others
        "--web.config.file", kinds.FILE, "",
        "A YAML file that sets up TLS, passwords, HTTP headers and a rate limit, as Prometheus' exporter-toolkit "
        "defines it. Read again when it changes.",
    )  # fmt: skip
    telemetry_path: str = setting(
        "--web.telemetry-path", kinds.TELEMETRY_PATH, "/metrics",
        "Where Prometheus scrapes, behind the route prefix. Pushes go to /metrics whatever this is.",
    )  # fmt: skip
    external_url: str = setting(
        "--web.external-url", kinds.EXTERNAL_URL, "",
        "The URL under which clients see this gateway, if a proxy stands before it.",
    )  # fmt: skip
    route_prefix: str = setting(
        "--web.route-prefix", kinds.ROUTE_PREFIX, "",
        "What all paths begin with. Without it the path of --web.external-url; / for nothing.",
    )  # fmt: skip
    enable_lifecycle: bool = setting(
        "--web.enable-lifecycle", kinds.SWITCH, "false", "Let clients stop the gateway: PUT /-/quit.",
    )  # fmt: skip
    enable_admin_api: bool = setting(
        "--web.enable-admin-api", kinds.SWITCH, "false",
        "Let clients remove many groups at once: PUT /api/v1/admin/wipe, POST /api/v1/admin/delete_groups.",
    )  # fmt: skip
    redis_url: str | None = setting(
        "--redis.url", kinds.REDIS_URL, lambda: None,
        "The Redis (6.2 or newer) or Valkey that keeps the groups, shared by all replicas. "
        "Without it a private redis-server is started.",
    )  # fmt: skip
    # No colon, so that a name in Redis can be split at its colons; no brace, which would move the hash tag; nothing
    # that redis-cli or a MATCH pattern takes for something else.
    redis_prefix: str = setting(
        "--redis.prefix", kinds.PREFIX, "pgw",
        "What the names of all keys in Redis start with; gateways with different prefixes share a Redis "
        "and see nothing of each other.",
    )  # fmt: skip
    # Longer than the two seconds for which Redis puts up with a slow disk before it lets clients wait for it, and
    # much less than the ten seconds after which Prometheus gives up a scrape.
    redis_timeout: float = setting(
        "--redis.timeout", kinds.DURATION, "3s",
        "How long to wait for Redis before a request is answered with 503.",
    )  # fmt: skip
    redis_wait_replicas: int = setting(
        "--redis.wait-replicas", kinds.NUMBER, "0",
        "Answer a push only after so many replicas of Redis have it too (WAIT), and with 503 if they are fewer; the "
        "push may be stored all the same.",
    )  # fmt: skip
    # A replica that is well confirms in about a round trip; one that takes a second is in trouble, and a client is
    # better told than kept.
    redis_wait_timeout: float = setting(
        "--redis.wait-timeout", kinds.DURATION, "1s",
        "How long the replicas of --redis.wait-replicas are given.",
    )  # fmt: skip
    workers: int = setting(
        "--workers", kinds.COUNT, lambda: min(processors(), MOST_DEFAULT_WORKERS),
        "How many worker processes to run. Without it one for each processor that this process may use, "
        f"but no more than {MOST_DEFAULT_WORKERS}: each keeps a copy of what is scraped.",
    )  # fmt: skip
    storage_path: Path = setting(  # noqa: RUF009  a field, as the others
        "--storage.path", kinds.DIRECTORY, "pgw-data",
        "The data directory of the private redis-server; not used with --redis.url.",
    )  # fmt: skip
    # NOTE(pushgateway): without a file the original keeps its groups in memory only; ours survive in pgw-data.
    persistence_file: Path | None = setting(  # noqa: RUF009  a field, as the others
        "--persistence.file", kinds.FILE, "",
        "For the command line of a Pushgateway: without --storage.path the data directory is this path with .pgw "
        "behind it. A file of the original at this path is neither read nor changed. Not used with --redis.url.",
    )  # fmt: skip
    persistence_interval: float = setting(
        "--persistence.interval", kinds.INTERVAL, "5m",
        "How long an answered push may wait until it is safe from a power cut. The private redis-server makes all safe "
        "each second, and at every write where this is less than a second. Not used with --redis.url.",
    )  # fmt: skip
    check_consistency: bool = setting(
        "--push.disable-consistency-check", kinds.SWITCH_THAT_DISABLES, "false",
        "Do not compare pushes with what is stored. Faster for families that live in groups of different labels, "
        "but it lets in metrics that clash.",
    )  # fmt: skip
    utf8_names: bool = setting(
        "--push.enable-utf8-names", kinds.SWITCH, "false",
        "Accept any UTF-8 in the names of metrics and labels, also in the path of a push, where U__ marks escapes.",
    )  # fmt: skip
    # A sample line has about 100 bytes, so this is more than half a million samples in one push; the decoded push
    # takes several times its size in the memory of a worker for a moment.
    max_body_size: int = setting(
        "--push.max-body-size", kinds.SIZE, "64MiB",
        "The largest body of a push, counted after decompression; larger ones are answered with 413.",
    )  # fmt: skip
    # Redis takes some 27 µs for each family that is new to a group and serves nobody else meanwhile: a quarter of a
    # second for so many.
    max_families: int = setting(
        "--push.max-families", kinds.NUMBER, "10000",
        "The most metric families in one push; more are answered with 400. 0 for no limit, as for all that follow.",
    )  # fmt: skip
    max_series: int = setting(
        "--push.max-series", kinds.NUMBER, "0",
        "The most series (lines of samples, as they are scraped) in one push; more are answered with 400.",
    )  # fmt: skip
    max_label_value_length: int = setting(
        "--push.max-label-value-length", kinds.NUMBER, "0",
        "The most bytes in the value of a label, in a push or in its path; more are answered with 400.",
    )  # fmt: skip
    store_max_series: int = setting(
        "--store.max-series", kinds.NUMBER, "0",
        "The most series in all groups together; a push that adds to them beyond that is answered with 429.",
    )  # fmt: skip
    store_max_groups: int = setting(
        "--store.max-groups", kinds.NUMBER, "0",
        "The most groups; a push that would make another is answered with 429.",
    )  # fmt: skip
    store_max_groups_per_job: int = setting(
        "--store.max-groups-per-job", kinds.NUMBER, "0",
        "The most groups of one job; a push that would make another is answered with 429.",
    )  # fmt: skip
    ttl: float = setting(
        "--push.ttl", kinds.LIFETIME, "0s",
        "How long a group lives after its last successful push, if neither the push (X-Pushgateway-TTL: 90s, or "
        "?ttl=90s) nor a rule says otherwise; 0 for ever.",
    )  # fmt: skip
    ttl_rules: tuple[Rule, ...] = setting(
        "--push.ttl-rule", kinds.LIFETIME_RULES, "",
        'How long the groups live that a selector selects: {job=~"ci-.*"}=2h. May be repeated; the first that fits '
        "counts.",
    )  # fmt: skip
    ttl_max: float = setting(
        "--push.ttl-max", kinds.LIFETIME, "0s",
        "No group lives longer without a push; a push that asks for more is answered with 400. 0 for no bound.",
    )  # fmt: skip
    ttl_linger: float = setting(
        "--push.ttl-linger", kinds.LIFETIME, "24h",
        "How long a group whose metrics have expired still shows its push times, so that alerts on them keep working; "
        "then the group is gone. The same for all replicas.",
    )  # fmt: skip
    log_level: str = setting(
        "--log.level", kinds.one_of("debug", "info", "warn", "error"), "info", "The least severe messages to log.",
    )  # fmt: skip
    log_format: str = setting(
        "--log.format", kinds.one_of("logfmt", "json"), "logfmt", "How to write them, to stderr.",
    )  # fmt: skip

    @property
    def redis_place(self) -> str | None:
        """The URL of Redis as it may be shown; None for the private one."""
        return None if self.redis_url is None else without_password(self.redis_url)

    @property
    def push_limits(self) -> PushLimits:
        """How large one push may be; imports and `pgw check` have the same limits."""
        return PushLimits(self.max_families, self.max_series, self.max_label_value_length)

    @property
    def prefix(self) -> str:
        """What all paths begin with: "" or "/x"."""
        return _as_prefix(self.route_prefix or self._external_path)

    @property
    def external_prefix(self) -> str:
        """What the paths begin with that clients see: "" or "/x"."""
        return _as_prefix(self._external_path)

    @property
    def page_prefix(self) -> str:
        """What the paths of the web page begin with: as clients see them, if that was said."""
        return self.external_prefix if self.external_url else self.prefix

    @property
    def external_origin(self) -> str:
        """Scheme and host of the external URL: `https://host`; "" if it has none."""
        url = urlsplit(self.external_url)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}" if url.netloc else ""

    @property
    def _external_path(self) -> str:
        return urlsplit(self.external_url).path

    @property
    def sync_always(self) -> bool:
        """Whether the private Redis makes each write safe before it is answered, not all of them each second."""
        return self.persistence_interval < EVERY_SECOND

    def flags(self) -> dict[str, str]:
        """Every flag, without its dashes, and its value as the original's /api/v1/status shows it."""
        shown = {row.name: row.show(getattr(self, name)) for name, row in rows()}
        return {**shown, "web.route-prefix": self.prefix}

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
        given, rest = split(argv, [row for _, row in rows()])
        values: dict[str, Any] = {}
        for name, row in rows():
            text, place = given.get(row.flag), row.flag
            if text is None:
                text, place = environ.get(row.variable) or None, row.variable
            if text is not None:
                values[name] = row.read(text, place)
        return cls(**_with_storage(values)), rest


def rows() -> Iterator[tuple[str, Row]]:
    """All settings in the order of --help: the name of the field and its row."""
    for field in dataclasses.fields(Settings):
        yield field.name, field.metadata["row"]


def _with_storage(values: dict[str, Any]) -> dict[str, Any]:
    """Put the data beside the persistence file, if that is all that says where it should be.

    A volume that was mounted for the file then holds the data. Never the path itself, which may be a file of the
    original's; and always the same place, whether there is such a file or not.
    """
    file = values.get("persistence_file")
    if file is None or "storage_path" in values:
        return values
    return {**values, "storage_path": Path(f"{file}.pgw")}


def _as_prefix(path: str) -> str:
    return "/" + path.strip("/") if path.strip("/") else ""
