"""Moving in: groups of Debian's Pushgateway, of another gateway of ours and of a file, put back as they were."""

from __future__ import annotations

import io
import itertools
import json
import os
import pty
import re
import subprocess
from datetime import datetime
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
import wire
from certificates import Authority
from client import HOST
from commands import COMMAND_SECONDS, clean_environment, pgw
from google.protobuf.proto import parse_length_prefixed
from original import api_groups
from pages import OWN_PREFIXES, PUSH_TIMES, Family
from servers import Program, pgw_command, unused_port, wait_until

from pgw import cli
from pgw.formats.metrics_pb2 import MetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from servers import RedisServer, Server, StartServer

GROUPS = 1000
SIZE = "gr%C3%B6%C3%9Fe"  # a label name of UTF-8, as in a path
PROTOBUF = {
    "Content-Type": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
}
READ_PROTOBUF = {"Accept": f"{PROTOBUF['Content-Type']}; escaping=allow-utf-8"}

BODY = r"""# HELP c_total A "counter" with a \\ and\n a line end.
# TYPE c_total counter
c_total{a="%(number)d",b="x\"\\\n"} %(number)de5
c_total{a="other"} NaN
# TYPE g gauge
g -0
# TYPE u untyped
u{instance="of the body"} -Inf
no_type_%(third)d 0.1
# TYPE h histogram
h_bucket{le="1"} 3
h_bucket{le="0.1"} 1
h_sum 5.5
h_count 4
h_sum{z="1"} 5.5
# HELP s Sums up.
# TYPE s summary
s{quantile="0.99"} 3
s{quantile="0.5"} NaN
s_sum 1e9
s_count 1000000
"""
COMPOUND = wire.delimited(
    wire.family("empty", wire.GAUGE, text_help=b"A family without metrics."),
    wire.family("no_help", wire.GAUGE, wire.gauge(2.0), text_help=b""),
    wire.family("large", wire.SUMMARY, wire.summary(2**64 - 1, 2.5, (0.5, 1.0))),
    wire.family(
        "details",
        wire.HISTOGRAM,
        wire.label("e", "v")
        + wire.histogram(
            2**64 - 1,
            2.5,
            wire.bucket(0.5, 3, wire.exemplar(3, 0.4, wire.label("t", "1"))),
            wire.bucket(float("nan"), 1),
        ),
    ),
)
NATIVE = wire.delimited(
    wire.family("native", wire.HISTOGRAM, wire.label("größe", "m") + wire.NATIVE),
    wire.family("a name", wire.GAUGE_HISTOGRAM, wire.NATIVE, text_help=b"Quoted."),
)


@pytest.fixture
def old(pushgateway: StartServer) -> Server:
    """A Pushgateway of Debian; unchecked, as it takes a thousand groups in a second then."""
    return pushgateway("--push.disable-consistency-check")


@pytest.fixture(scope="module")
def filled(pushgateway_for_module: StartServer) -> Server:
    """One such that holds more than a thousand groups, for the tests that only read it."""
    server = pushgateway_for_module("--push.disable-consistency-check")
    fill(server)
    return server


@pytest.fixture
def new(gateway: StartServer, redis_server: RedisServer) -> Server:
    """A gateway of ours on the Redis of the tests."""
    return gateway(f"--redis.url={redis_server.url}", "--push.enable-utf8-names")


@pytest.fixture
def place(redis_server: RedisServer) -> str:
    """The flag that names the Redis of `new`."""
    return f"--redis.url={redis_server.url}"


def fill(server: Server) -> None:
    """Push a thousand groups of all types, each of several; every tenth ends with a failure, some consist of it."""
    for number in range(GROUPS):
        path = f"job/j{number % 7}/instance/i{number}" if number % 3 else f"job@base64/{'L3g'}/zone/z{number}"
        assert server.put(path, BODY % {"number": number, "third": number % 3}).status == 202
        if number % 5 == 0:
            assert server.post(path, "# TYPE g gauge\ng 7\n").status == 202
        if number % 10 == 0:
            assert server.post(path, "timestamped 1 1000\n").status == 202
        if number % 50 == 0:
            assert server.post(f"job/failed/instance/x{number}", "timestamped 1 1000\n").status == 202
    assert server.post("job/protobuf", COMPOUND, PROTOBUF).status == 202


def push_times(server: Server) -> dict[str, int]:
    """The push times of all groups in microseconds, which is as exactly as they are kept."""
    lines = [line.rpartition(" ") for line in server.scrape().lines if line.startswith(PUSH_TIMES)]
    return {series: round(float(value) * 1e6) for series, _, value in lines}


def families(server: Server) -> list[Family]:
    """All of a scrape but the gateway's own families and the push times."""
    hidden = (*OWN_PREFIXES, *PUSH_TIMES)
    return [family for family in server.scrape().families if not family.name.startswith(hidden)]


def pushed_lines(server: Server) -> list[str]:
    """A scrape, line by line, but for the gateway's own families, which tell of the requests."""
    return [line for line in server.get("/metrics").text.split("\n") if "pushgateway_" not in line]


def pushed_messages(server: Server, path: str = "/metrics") -> list[bytes]:
    """The families of a scrape in protobuf, to the byte, but for the gateway's own."""
    stream = io.BytesIO(server.get(path, READ_PROTOBUF).body)
    messages = iter(lambda: parse_length_prefixed(MetricFamily, stream), None)
    return [message.SerializeToString() for message in messages if not message.name.startswith(b"pushgateway_")]


def differing(ours: Iterable[Any], theirs: Iterable[Any]) -> list[Any]:
    """The first places where two long rows are not the same: pytest would take minutes to show all."""
    return [pair for pair in itertools.zip_longest(ours, theirs) if pair[0] != pair[1]][:3]


def family_times(server: Server) -> dict[tuple[str, str], datetime]:
    """When each family of each group was pushed, cut to microseconds, for the original knows nanoseconds."""
    found: list[dict[str, Any]] = json.loads(server.get("/api/v1/metrics").text)["data"]
    return {
        (json.dumps(group["labels"], sort_keys=True), name): datetime.fromisoformat(value["time_stamp"])
        for group in found
        for name, value in group.items()
        if name not in ("labels", "last_push_successful", *PUSH_TIMES)
    }


def test_the_scrape_after_an_import_is_that_of_the_old_gateway(filled: Server, new: Server, place: str) -> None:
    old = filled
    done = pgw("import", old.url, place, TZ="Asia/Kolkata")
    assert (done.code, done.out, done.err) == (0, f"{GROUPS + 21} groups imported\n", "")
    assert differing(families(new), families(old)) == []
    ours, theirs = push_times(new), push_times(old)
    assert differing(sorted(ours), sorted(theirs)) == []
    assert len(ours) == 2 * (GROUPS + 21)
    assert max(abs(ours[series] - theirs[series]) for series in ours) <= 1
    assert differing(api_groups(new), api_groups(old)) == []
    assert differing(sorted(family_times(new).items()), sorted(family_times(old).items())) == []


def test_what_was_exported_comes_back_to_the_byte(
    filled: Server, new: Server, place: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert pgw("import", filled.url, place).code == 0
    assert new.post(f"job/native/{SIZE}/2", NATIVE, PROTOBUF).status == 200
    lines, messages, times = pushed_lines(new), pushed_messages(new), family_times(new)
    file = tmp_path / "groups.jsonl"
    assert pgw("export", file, place).err == f"{GROUPS + 22} groups exported\n"
    assert list(tmp_path.iterdir()) == [file]
    assert redis_server.command("FLUSHALL") == b"+OK"
    assert new.scrape().groups() == set()
    assert pgw("import", file, place).out == f"{GROUPS + 22} groups imported\n"
    assert differing(pushed_lines(new), lines) == []
    assert differing(pushed_messages(new), messages) == []
    assert differing(family_times(new).items(), times.items()) == []
    again = pgw("export", "-", place).out
    assert differing(again.splitlines(), file.read_text().splitlines()) == []


def test_groups_of_our_own_gateway_are_taken_over_with_all_that_protobuf_carries(
    gateway: StartServer, new: Server, place: str
) -> None:
    source = gateway("--push.enable-utf8-names", "--web.telemetry-path=/scrape")
    for path in (f"job/native/{SIZE}/2", f"job/native/{SIZE}/3", "job/other"):
        assert source.request("PUT", f"/metrics/{path}", NATIVE, PROTOBUF).status == 200
    done = pgw("import", source.url, place)
    assert (done.code, done.out) == (0, "3 groups imported\n"), done.err
    assert differing(pushed_messages(new), pushed_messages(source, "/scrape")) == []


def expiries(server: Server) -> dict[str, Any]:
    """When the groups expire, by job."""
    return {
        each["labels"]["job"]: each.get("expires_at") for each in json.loads(server.get("/api/v1/metrics").text)["data"]
    }


def test_deadlines_come_along_from_a_file_and_from_a_gateway(
    gateway: StartServer, new: Server, place: str, tmp_path: Path
) -> None:
    source = gateway("--push.enable-utf8-names")
    for job, lifetime in (("long", "2h"), ("over", "1us"), ("ever", "0s")):
        assert source.put(f"job/{job}", "a 1\n", {"X-Pushgateway-TTL": lifetime}).status == 200
    expected, file = expiries(source), tmp_path / "groups.jsonl"
    assert [job for job in sorted(expected) if expected[job]] == ["long", "over"]
    assert pgw("import", source.url, place).out == "3 groups imported\n"
    assert expiries(new) == expected
    assert new.delete("job/long").status == 202
    assert pgw("export", file, f"--storage.path={source.program.directory / 'storage'}").code == 0
    assert pgw("import", file, place).out == "3 groups imported, 2 of them in the place of stored ones\n"
    assert expiries(new) == expected
    assert {line for line in new.scrape().lines if line.startswith("a{")} == {
        'a{instance="",job="ever"} 1',
        'a{instance="",job="long"} 1',
    }


def test_what_a_limit_keeps_out_is_told(old: Server, new: Server, place: str) -> None:
    assert old.post("job/a", "a 1\nb 1\n").status == 202
    assert old.post("job/b", "a 1\n").status == 202
    for flag, reason in (
        ("--push.max-families=1", "group job/a: the push holds 2 metric families, and the limit is 1"),
        ("--store.max-groups=1", "group job/b: "),
    ):
        done = pgw("import", old.url, place, flag)
        assert (done.code, done.out.partition(",")[0].strip()) == (1, "1 group imported"), done.err
        assert done.err.startswith(reason)
        assert len(new.scrape().groups()) == 1
        assert new.delete("job/b").status == 202


def test_a_group_that_clashes_is_told_and_the_others_come(old: Server, new: Server, place: str) -> None:
    assert new.post("job/mine", "# TYPE a counter\na 1\n").status == 200
    assert new.post("job/twice/instance/x", "b 1\n").status == 200
    assert old.post("job/clash", "# TYPE a gauge\na 1\n").status == 202
    assert old.post("job/twice", 'b{instance="x"} 1\n').status == 202
    assert old.post("job/twin/instance@base64/=", "c 1\n").status == 202
    assert new.post("job/twin", "c 1\n").status == 200
    assert old.post("job/fine", "c 2\n").status == 202
    rehearsed = pgw("import", old.url, place, "--dry-run")
    assert (rehearsed.code, rehearsed.out) == (1, "1 group would be imported\n")
    assert len(new.scrape().groups()) == 3, "a dry run writes nothing"
    done = pgw("import", old.url, place)
    assert (done.code, done.out, done.err) == (1, "1 group imported\n", rehearsed.err)
    clash, twice, twin, last = done.err.splitlines()
    assert clash.startswith("group job/clash: pushed metrics are invalid or inconsistent with existing metrics: ")
    assert "was collected before" in twice
    assert twin.startswith("group job/twin/instance/: ")
    assert last == "pgw: error: 3 of 4 groups cannot be imported"
    assert {line.partition("{")[0] for line in new.scrape().lines if 'job="clash"' in line} == set()
    assert 'c{instance="",job="fine"} 2' in new.scrape().lines


def test_an_import_replaces_what_the_group_held(old: Server, new: Server, place: str) -> None:
    assert new.post("job/a", "mine 1\n").status == 200
    assert old.post("job/a", "theirs 1\n").status == 202
    assert pgw("import", old.url, place, "--dry-run").out == (
        "1 group would be imported, 1 of them in the place of stored ones\n"
    )
    assert [family.name for family in families(new)] == ["mine"], "a dry run writes nothing"
    assert pgw("import", old.url, place).code == 0
    assert [family.name for family in families(new)] == ["theirs"]


def test_selectors_choose_what_is_moved(old: Server, new: Server, place: str, tmp_path: Path) -> None:
    for number in range(4):
        assert old.post(f"job/ci/instance/{number}", "a 1\n").status == 202
        assert old.post(f"job/backup/instance/{number}", "a 1\n").status == 202
    chosen = ('--match={job="ci",instance=~"[01]"}', "--match", '{job="backup",instance="3"}')
    assert pgw("import", old.url, place, *chosen).out == "3 groups imported\n"
    file = tmp_path / "ci.jsonl"
    assert pgw("export", file, place, '--match={job="ci"}').err == "2 groups exported\n"
    labels = [json.loads(line).get("labels") for line in file.read_text().splitlines()]
    assert [each["job"] for each in labels if each] == ["ci", "ci"]
    assert pgw("import", file, place, '--match={instance="0"}').out == (
        "1 group imported, 1 of them in the place of stored ones\n"
    )
    assert len(new.scrape().groups()) == 3


def test_a_file_that_is_cut_off_is_refused_as_a_whole(
    new: Server, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        assert new.post(f"job/j{number}", "a 1\n").status == 200
    whole = pgw("export", "-", place).out
    new.delete_all_groups()
    broken = [
        "",
        "a 1\n",
        whole.rpartition('{"groups"')[0],
        whole[: len(whole) // 2],
        whole + "{}\n",
        whole.replace('{"groups": 3}', '{"groups": 4}'),
        whole.replace('"untyped"', '"tuned"', 1),
        whole.replace('"pushed"', '"pushd"', 1),
        whole.replace('"job": "j1"', '"job": ""'),
        whole.replace('job=\\"j1\\"}', "job=}"),
        whole.replace('"a{', '"b{', 1),
        whole.replace('{"pgw_export": 1}', '{"pgw_export": 2}'),
    ]
    for text in broken:
        assert text != whole
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code, (out, err) = cli.main(["import", "-", place]), capsys.readouterr()
        assert (code, out) == (1, ""), text
        assert re.match(r"pgw: error: stdin:\d+: expected .*\n$", err), err
    assert new.scrape().groups() == set()
    assert pgw("import", "-", place, stdin=whole.encode()).out == "3 groups imported\n"


@pytest.mark.usefixtures("new")
def test_passwords_and_tls_of_the_old_gateway(tmp_path: Path, place: str) -> None:
    authority = Authority(tmp_path)
    authority.issue("server", f"IP:{HOST}")
    users = f"basic_auth_users:\n  alice: {bcrypt.hashpw(b'wonder land', bcrypt.gensalt(4)).decode()}\n"
    (tmp_path / "web.yml").write_text(f"{users}tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n")
    port = unused_port()
    flags = [
        f"--web.config.file={tmp_path / 'web.yml'}",
        "--web.route-prefix=/sub",
        f"--storage.path={tmp_path / 's'}",
        "--workers=1",
    ]
    program = Program([*pgw_command(), f"--web.listen-address={HOST}:{port}", *flags], tmp_path)
    program.start()
    try:
        wait_until(lambda: "push a first metric" in program.log, "the gateway serves")
        trusted = str(authority.cert)
        done = pgw("import", f"https://alice:wonder%20land@{HOST}:{port}/sub", place, SSL_CERT_FILE=trusted)
        assert (done.code, done.out) == (0, "0 groups imported\n"), done.err
        refused = pgw("import", f"https://alice:queen%20hearts@{HOST}:{port}/sub", place, SSL_CERT_FILE=trusted)
        assert (refused.code, "401 Unauthorized" in refused.err, "queen" in refused.err) == (1, True, False)
        distrusted = pgw("import", f"https://alice:wonder%20land@{HOST}:{port}/sub", place)
        assert (distrusted.code, "CERTIFICATE_VERIFY_FAILED" in distrusted.err) == (1, True)
        assert program.end() == 0
    finally:
        program.kill_session()


def test_a_terminal_shows_a_bar_and_a_pipe_does_not(new: Server, place: str, tmp_path: Path) -> None:
    for number in range(20):
        assert new.post(f"job/j{number}", "a 1\n").status == 200
    file = tmp_path / "groups.jsonl"
    assert pgw("export", file, place).err == "20 groups exported\n"
    shown = on_terminal("import", str(file), place)
    assert "importing: 100%" in shown
    assert "20/20" in shown


def on_terminal(*words: str) -> str:
    """Run a command whose stderr is a terminal; what was shown there."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*pgw_command(), *words],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            check=False,
            timeout=COMMAND_SECONDS,
            env=clean_environment(),
        )
        os.write(theirs, b"(end)")  # so that there is something to read
        shown = os.read(ours, 65536).decode()
        assert done.returncode == 0, shown
        return shown
    finally:
        os.close(ours)
        os.close(theirs)
