"""Settings: flags, variables, defaults, and what is said about those that cannot be used."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import SettingError
from pgw.gateway.lifetime import Rule
from pgw.model.selector import Selector
from pgw.settings import Settings, describe, processors, read_duration, read_size, rows, split_address


@pytest.mark.parametrize(
    ("argv", "field", "value"),
    [
        (["--web.listen-address=:9099"], "listen_addresses", (":9099",)),
        (["--web.listen-address", ":9099"], "listen_addresses", (":9099",)),
        (["--web.listen-address=:1", "--web.listen-address=[::1]:2"], "listen_addresses", (":1", "[::1]:2")),
        (["--web.systemd-socket"], "systemd_socket", True),
        (["--web.config.file=/etc/web.yml"], "web_config_file", Path("/etc/web.yml")),
        (["--web.config.file="], "web_config_file", None),
        (["--web.telemetry-path=/m"], "telemetry_path", "/m"),
        (["--web.telemetry-path=m/n/"], "telemetry_path", "/m/n"),
        (["--web.telemetry-path=/metrics/all"], "telemetry_path", "/metrics/all"),
        (["--web.external-url=https://h:1/x/"], "external_url", "https://h:1/x/"),
        (["--web.external-url=/x"], "external_url", "/x"),
        (["--web.route-prefix=x/y"], "route_prefix", "x/y"),
        (["--web.enable-lifecycle"], "enable_lifecycle", True),
        (["--web.enable-admin-api"], "enable_admin_api", True),
        (["--persistence.interval=1d"], "persistence_interval", 86400.0),
        (["--persistence.interval=0s"], "persistence_interval", 0.0),
        (["--push.enable-utf8-names"], "utf8_names", True),
        (["--redis.url=redis://h:1/2"], "redis_url", "redis://h:1/2"),
        (["--redis.url=unix:///run/redis.sock"], "redis_url", "unix:///run/redis.sock"),
        (["--redis.prefix=team-a.pgw"], "redis_prefix", "team-a.pgw"),
        (["--redis.timeout=500ms"], "redis_timeout", 0.5),
        (["--workers=3"], "workers", 3),
        (["--storage.path=/data"], "storage_path", Path("/data")),
        (["--push.disable-consistency-check"], "check_consistency", False),
        (["--no-push.disable-consistency-check"], "check_consistency", True),
        (["--push.max-body-size=1KiB"], "max_body_size", 1024),
        (["--push.max-families=0"], "max_families", 0),
        (["--push.max-series=5000"], "max_series", 5000),
        (["--push.max-label-value-length=200"], "max_label_value_length", 200),
        (["--store.max-series=1000000"], "store_max_series", 1_000_000),
        (["--store.max-groups=9"], "store_max_groups", 9),
        (["--store.max-groups-per-job=9"], "store_max_groups_per_job", 9),
        (["--push.ttl=90s"], "ttl", 90.0),
        (["--push.ttl=0"], "ttl", 0.0),
        (["--push.ttl-max=7d"], "ttl_max", 7 * 86400.0),
        (["--push.ttl-linger=0s"], "ttl_linger", 0.0),
        (["--push.ttl-rule="], "ttl_rules", ()),
        (
            ['--push.ttl-rule={job=~"ci-.*"}=2h', '--push.ttl-rule={a="x,}\\"y=1h,",b!=\'"{\'} = 90s,{c=`,`}=0'],
            "ttl_rules",
            (
                Rule(Selector.read('{job=~"ci-.*"}'), 7200),
                Rule(Selector.read('{a="x,}\\"y=1h,",b!=\'"{\'}'), 90),
                Rule(Selector.read("{c=`,`}"), 0),
            ),
        ),
        (["--log.level=warn"], "log_level", "warn"),
        (["--log.format=json"], "log_format", "json"),
    ],
)
def test_a_flag_sets_its_field_and_no_other(argv: list[str], field: str, value: object) -> None:
    settings = Settings.read(argv, {})
    assert getattr(settings, field) == value
    for name, _ in rows():
        assert name == field or getattr(settings, name) == getattr(Settings(), name)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("PGW_WEB_LISTEN_ADDRESS", ":1, 127.0.0.1:2", "listen_addresses", (":1", "127.0.0.1:2")),
        ("PGW_REDIS_URL", "redis://h", "redis_url", "redis://h"),
        ("PGW_WORKERS", "3", "workers", 3),
        ("PGW_PUSH_DISABLE_CONSISTENCY_CHECK", "true", "check_consistency", False),
        ("PGW_PUSH_DISABLE_CONSISTENCY_CHECK", "1", "check_consistency", False),
        ("PGW_PUSH_DISABLE_CONSISTENCY_CHECK", "false", "check_consistency", True),
        ("PGW_PUSH_DISABLE_CONSISTENCY_CHECK", "0", "check_consistency", True),
        ("PGW_REDIS_URL", "", "redis_url", None),
    ],
)
def test_a_variable_sets_what_its_flag_sets(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(Settings.read([], {variable: text}), field) == value


def test_a_flag_beats_the_environment_which_beats_the_default() -> None:
    environ = {"PGW_REDIS_PREFIX": "environment", "PGW_LOG_LEVEL": "error"}
    settings = Settings.read(["--redis.prefix=flag"], environ)
    assert (settings.redis_prefix, settings.log_level, settings.log_format) == ("flag", "error", "logfmt")


def test_a_switch_on_the_command_line_beats_the_environment() -> None:
    environ = {"PGW_PUSH_DISABLE_CONSISTENCY_CHECK": "true"}
    assert Settings.read(["--no-push.disable-consistency-check"], environ).check_consistency


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--foo"], "command line: '--foo' is not a flag of pgw"),
        (["word"], "command line: 'word' is not a flag of pgw"),
        (["--work=3"], "command line: '--work=3' is not a flag of pgw"),
        (["--workers"], "--workers: '' is not a whole number of at least 1"),
        (["--workers=0"], "--workers: '0' is not a whole number of at least 1"),
        (["--workers=-1"], "--workers: '-1' is not a whole number of at least 1"),
        (["--workers=²"], "--workers: '²' is not a whole number of at least 1"),
        (["--workers=1", "--workers=2"], "--workers: '2' is not expected: give it once"),
        (["--push.disable-consistency-check=true"], "--push.disable-consistency-check: 'true' is not expected: write"),
        (["--push.disable-consistency-check", "--no-push.disable-consistency-check"], "give it once"),
        (["--web.listen-address=9091"], "--web.listen-address: '9091' is not an address such as :9091"),
        (["--web.listen-address=:65536"], "--web.listen-address: ':65536' is not an address"),
        (["--web.listen-address=::1:9091"], "--web.listen-address: '::1:9091' is not an address"),
        (["--web.listen-address=vsock://:1"], "--web.listen-address: 'vsock://:1' is not an address"),
        (["--redis.url=http://h"], "--redis.url: 'http://h' is not a URL that starts with redis://"),
        (["--redis.url="], "--redis.url: '' is not a URL"),
        (["--redis.prefix=a:b"], "--redis.prefix: 'a:b' is not 1 to 64 letters"),
        (["--redis.prefix={a}"], "--redis.prefix: '{a}' is not 1 to 64 letters"),
        (["--redis.timeout=0s"], "--redis.timeout: '0s' is not a duration above zero"),
        (["--redis.timeout=5"], "--redis.timeout: '5' is not a duration above zero"),
        (["--redis.timeout=1s,"], "--redis.timeout: '1s,' is not a duration above zero"),
        (["--push.ttl=90"], "--push.ttl: '90' is not a duration such as 90s"),
        (["--push.ttl-linger=101y"], "--push.ttl-linger: '101y' is not a duration such as 90s, 2h or 1d, 0 for ever"),
        (
            ["--push.ttl-rule=2h"],
            "--push.ttl-rule: '2h' is not a selector and a duration such as {job=~\"ci-.*\"}=2h (",
        ),
        (['--push.ttl-rule={a="b"}'], "--push.ttl-rule: '{a=\"b\"}' is not a selector and a duration"),
        (['--push.ttl-rule={a="b"}=x'], "--push.ttl-rule: '{a=\"b\"}=x' is not a selector and a duration"),
        (['--push.ttl-rule={a="b"}=1h,'], "--push.ttl-rule: '{a=\"b\"}=1h,' is not a selector and a duration"),
        (['--push.ttl-rule=up{a="b"}=1h'], "expected labels only: groups have no metric name"),
        (["--push.max-body-size=0"], "--push.max-body-size: '0' is not a size of at least one byte"),
        (["--push.max-body-size=1TB"], "--push.max-body-size: '1TB' is not a size of at least one byte"),
        (["--log.level=warning"], "--log.level: 'warning' is not one of debug, info, warn, error"),
        (["--storage.path="], "--storage.path: '' is not a path"),
        (["--web.telemetry-path=/"], "--web.telemetry-path: '/' is not a path such as /metrics that is not that of"),
        (["--web.telemetry-path=/-/ready"], "--web.telemetry-path: '/-/ready' is not a path"),
        (["--web.telemetry-path=/a/../status"], "--web.telemetry-path: '/a/../status' is not a path"),
        (["--web.telemetry-path=/api/v1/metrics"], "--web.telemetry-path: '/api/v1/metrics' is not a path"),
        (["--web.telemetry-path=/metrics/job/x"], "--web.telemetry-path: '/metrics/job/x' is not a path"),
        (["--web.telemetry-path=/{x}"], "--web.telemetry-path: '/{x}' is not a path"),
        (["--web.route-prefix=/a b"], "--web.route-prefix: '/a b' is not a path such as /pushgateway"),
        (["--web.external-url=ftp://h/"], "--web.external-url: 'ftp://h/' is not a URL such as https://"),
        (["--web.external-url=http:///x"], "--web.external-url: 'http:///x' is not a URL"),
        (["--web.external-url=http://u:hidden@h/ "], "--web.external-url: 'http://***@h/ ' is not a URL"),
        (["--persistence.interval=-1s"], "--persistence.interval: '-1s' is not a duration such as 0s, 500ms, 5m or"),
        (["--persistence.interval=5"], "--persistence.interval: '5' is not a duration"),
        (["--web.enable-lifecycle=true"], "--web.enable-lifecycle: 'true' is not expected: write"),
    ],
)
def test_a_bad_flag_is_named_with_its_value_and_what_was_expected(argv: list[str], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.read(argv, {})
    assert message in str(caught.value)


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(SettingError, match=r"^PGW_WORKERS: 'many' is not a whole number of at least 1$"):
        Settings.read([], {"PGW_WORKERS": "many"})


def test_variables_of_others_that_begin_like_ours_are_left_alone() -> None:
    assert Settings.read([], {"PGW_PORT": "tcp://10.0.0.1:9091", "PGW_SERVICE_HOST": "10.0.0.1"}) == Settings()


@pytest.mark.parametrize(
    "argv", [["--redis.url=http://u:hidden@h"], ["--redis.url=redis://h", "--redis.url=x:hidden@h"]]
)
def test_a_password_is_in_no_message(argv: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.read(argv, {})
    assert "hidden" not in str(caught.value)


def test_a_password_is_not_shown_where_redis_is_named() -> None:
    settings = Settings.read(["--redis.url=redis://user:hidden@host:6379/0"], {})
    assert settings.redis_place == "redis://***@host:6379/0"
    assert "hidden" not in repr(settings)
    assert Settings().redis_place is None


@pytest.mark.parametrize(
    ("argv", "prefix", "external"),
    [
        ([], "", ""),
        (["--web.external-url=https://h/push/"], "/push", "/push"),
        (["--web.external-url=https://h/push/", "--web.route-prefix=/"], "", "/push"),
        (["--web.external-url=https://h", "--web.route-prefix=x"], "/x", ""),
        (["--web.external-url=https://h/"], "", ""),
        (["--web.route-prefix=/a/b/"], "/a/b", ""),
    ],
)
def test_the_route_prefix_is_the_path_of_the_external_url_unless_it_is_given(
    argv: list[str], prefix: str, external: str
) -> None:
    settings = Settings.read(argv, {})
    assert (settings.prefix, settings.external_prefix) == (prefix, external)


COMPOSE = (
    "--web.listen-address=:9099 --persistence.file=/pushgateway/pushgateway_persist_file --persistence.interval=5m"
)


def test_the_command_line_of_a_pushgateway_puts_the_data_beside_its_file() -> None:
    settings = Settings.read(COMPOSE.split(), {})
    assert settings.storage_path == Path("/pushgateway/pushgateway_persist_file.pgw")
    assert not settings.sync_always


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["--persistence.file=/p", "--storage.path=/s"], {}),
        (["--persistence.file=/p"], {"PGW_STORAGE_PATH": "/s"}),
        (["--storage.path=/s"], {"PGW_PERSISTENCE_FILE": "/p"}),
    ],
)
def test_a_storage_path_beats_the_persistence_file(argv: list[str], environ: dict[str, str]) -> None:
    assert Settings.read(argv, environ).storage_path == Path("/s")


@pytest.mark.parametrize(("interval", "always"), [("0s", True), ("999ms", True), ("1s", False), ("1d", False)])
def test_an_interval_below_a_second_makes_each_write_safe(interval: str, *, always: bool) -> None:
    assert Settings.read([f"--persistence.interval={interval}"], {}).sync_always is always


def test_the_flags_are_shown_as_the_original_shows_them() -> None:
    argv = [
        "--web.listen-address=:1", "--web.listen-address=[::1]:2", "--web.external-url=https://u:hidden@h/push/",
        "--redis.url=redis://:hidden@h/0", "--push.disable-consistency-check", "--redis.timeout=1500ms",
    ]  # fmt: skip
    flags = Settings.read([*argv, *COMPOSE.split()[1:]], {}).flags()
    assert list(flags) == [row.flag.removeprefix("--") for _, row in rows()]
    expected = {
        "web.listen-address": ":1,[::1]:2",
        "web.external-url": "https://***@h/push/",
        "web.route-prefix": "/push",
        "web.telemetry-path": "/metrics",
        "web.config.file": "",
        "web.enable-admin-api": "false",
        "persistence.file": "/pushgateway/pushgateway_persist_file",
        "persistence.interval": "5m0s",
        "push.disable-consistency-check": "true",
        "push.enable-utf8-names": "false",
        "redis.url": "redis://***@h/0",
        "redis.timeout": "1.5s",
        "log.level": "info",
    }
    assert {name: flags[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("1s", 1.0), ("1m30s", 90.0), ("1.5h", 5400.0), ("1d", 86400.0), (".5s", 0.5), ("10us", 1e-5)],
)
def test_durations_are_read_as_go_and_prometheus_write_them(text: str, seconds: float) -> None:
    assert read_duration(text) == pytest.approx(seconds)


@given(st.integers(1, 10**6), st.sampled_from(["", "B", "KB", "KiB", "MB", "MiB", "GB", "GiB"]))
def test_sizes_are_read_with_units_of_a_thousand_and_of_1024(number: int, unit: str) -> None:
    power = "KMG".find(unit[:1]) + 1 if unit not in ("", "B") else 0
    assert read_size(f"{number}{unit}") == number * (1024 if "i" in unit else 1000) ** power


@given(st.text())
def test_no_text_makes_a_reader_fail_with_anything_but_a_setting_error(text: str) -> None:
    for _, row in rows():
        with suppress(SettingError):
            row.read(text, row.flag)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        (":9091", ("", 9091)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_addresses_are_split_into_host_and_port(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


@pytest.mark.parametrize(("limit", "most"), [("50000 100000\n", 1), ("100000 100000\n", 1), ("150000 100000\n", 2)])
def test_a_container_runs_no_more_workers_than_its_share_of_the_processors(
    tmp_path: Path, limit: str, most: int
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    assert processors(tmp_path / "cpu.max") == min(most, processors(tmp_path / "missing"))


def test_without_a_limit_all_usable_processors_count(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processors(tmp_path / "cpu.max") == processors(tmp_path / "missing") >= 1


def test_the_help_names_every_flag_its_variable_and_its_default() -> None:
    text = " ".join(describe().split())
    for _, row in rows():
        assert row.usage in text
        assert row.variable in text
        assert not (isinstance(row.default, str) and row.default) or f"default {row.default}" in text


RULES = ('{job=~"ci-.*",a="x,y}"}=2h', "{b='\\''}=0,{c!~\"d\"}=1m")


def test_rules_are_shown_as_they_can_be_read_again() -> None:
    settings = Settings.read([f"--push.ttl-rule={rule}" for rule in RULES], {})
    shown = settings.flags()["push.ttl-rule"]
    assert shown == """{job=~"ci-.*",a="x,y}"}=2h0m0s,{b="'"}=0s,{c!~"d"}=1m0s"""
    assert Settings.read([], {"PGW_PUSH_TTL_RULE": shown}).ttl_rules == settings.ttl_rules
