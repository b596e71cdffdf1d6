"""`pgw check`: what it finds, on which line, and that it agrees with the gateway."""

from __future__ import annotations

import gzip
import subprocess
from typing import TYPE_CHECKING

import pytest
import wire
from commands import clean_environment, pgw
from hypothesis import given
from hypothesis import strategies as st
from servers import pgw_command

from pgw import cli
from pgw.cli.check import SYNTAX, Check
from pgw.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from servers import Server

pytestmark = pytest.mark.usefixtures("plain_environment")

GOOD = """\
# HELP done How many.
# TYPE done counter
done 2

# TYPE took histogram
took_bucket{le="1"} 1
took_bucket{le="+Inf"} 2
took_sum 3
took_count 2
"""

BAD: dict[str, tuple[str, int, str]] = {
    "a value that is no number": ("a 1\nb 3,14\n", 2, 'expected float as value, got "3,14"'),
    "an unknown type": ("# TYPE a guage\na 1\n", 1, 'unknown metric type "guage"'),
    "a type behind the samples": ("a 1\n# TYPE a gauge\n", 2, "TYPE reported after samples"),
    "a timestamp": ("a 1\n\nb 2 1395066363000\nc 1\n", 3, "pushed metrics must not have timestamps (line 3)"),
    "a series twice": ('a{x="1"} 1\n# a comment\nb 1\na{x="1"} 2\nc 1\n', 4, "was collected before with the same name"),
    "a label of Prometheus' own": ('a 1\na{__x="1"} 1\na{__x="2"} 1\n', 2, "has a label with an invalid name: __x"),
    "an explicit quantile in the key": ("# TYPE a summary\na_sum 1\na_count 1\n", 2, 'explicit "quantile" label'),
    "a name that a histogram takes up": (
        "took_count 1\nother 1\n# TYPE took histogram\ntook_sum 3\nmore 1\n",
        4,
        'collected metric "took_count" collides with previously collected histogram named "took"',
    ),
    "a type that the gateway itself gives": (
        "a 1\n# TYPE pushgateway_http_requests_total gauge\npushgateway_http_requests_total 1\n",
        3,
        "is not a family of type counter",
    ),
    "Windows' line ends": ("a 1\r\nb 1\r\na 2\r\nc 1\r\n", 3, "was collected before"),
    "no last line end": ("a 1\nb 1\na 2", 3, "was collected before"),
    "nothing but a fault": ("a\n", 1, "expected float as value"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_fault_is_found_on_its_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, line, reason = BAD[name]
    file = tmp_path / "metrics.prom"
    file.write_bytes(text.encode())
    group = ["--group=job/a/quantile/b"] if "quantile" in name else []
    assert cli.main(["check", str(file), *group]) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith(f"{file}:{line}: ")
    assert reason in shown.out
    assert (shown.out.count("\n"), shown.err) == (1, "")


def test_a_good_file_is_passed_over_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.prom").write_text(GOOD)
    (tmp_path / "empty.prom").write_text("")
    assert cli.main(["check", *map(str, sorted(tmp_path.iterdir()))]) == 0
    assert capsys.readouterr() == ("", "")


def test_every_bad_file_of_several_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "1.prom").write_text(GOOD)
    (tmp_path / "2.prom").write_text("a x\n")
    (tmp_path / "3.prom.gz").write_bytes(gzip.compress(b"a 1\nb 1\na 1\n"))
    (tmp_path / "4.prom.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "5.prom.gz").write_bytes(b"a 1\n")
    missing, directory = tmp_path / "6.prom", tmp_path / "7.prom"
    directory.mkdir()
    names = [*map(str, sorted(tmp_path.iterdir())), str(missing)]
    assert cli.main(["check", *names]) == 1
    shown = {line.removeprefix(f"{tmp_path}/").split(": ")[0] for line in capsys.readouterr().out.splitlines()}
    assert shown == {"2.prom:1", "3.prom.gz:3", "5.prom.gz", "6.prom", "7.prom"}


def test_stdin_is_a_file_too() -> None:
    assert pgw("check", "-", stdin=GOOD.encode()) == (0, "", "")
    bad = pgw("check", "-", stdin=b"a 1\na 2\n")
    assert (bad.code, bad.err) == (1, "")
    assert bad.out.startswith("stdin:2: collected metric")


def test_protobuf_is_checked_without_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, twice = tmp_path / "good", tmp_path / "twice"
    good.write_bytes(wire.delimited(wire.family("a", wire.GAUGE, wire.gauge(1.0))))
    twice.write_bytes(wire.delimited(wire.family("a", wire.GAUGE, wire.gauge(1.0), wire.gauge(2.0))))
    assert cli.main(["check", "--format=protobuf", str(good), str(twice)]) == 1
    assert capsys.readouterr().out.startswith(f'{twice}: collected metric "a"')


def test_the_settings_of_the_gateway_are_heeded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "utf8.prom"
    file.write_text('{"größe"} 1\n')
    assert cli.main(["check", str(file)]) == 1
    assert cli.main(["check", "--push.enable-utf8-names", str(file)]) == 0
    assert cli.main(["check", "--push.enable-utf8-names", "--push.max-body-size=10B", str(file)]) == 1
    assert "the body is larger than 10 bytes" in capsys.readouterr().out
    twice = tmp_path / "twice.prom"
    twice.write_text("a 1\na 2\n")
    assert cli.main(["check", "--push.disable-consistency-check", str(twice)]) == 0
    timestamp = tmp_path / "timestamp.prom"
    timestamp.write_text("a 1 1000\n")
    assert cli.main(["check", "--push.disable-consistency-check", str(timestamp)]) == 1, "nothing of it would be kept"


def test_labels_of_the_group_make_two_series_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "metrics.prom"
    file.write_text('a{instance="x"} 1\na{instance="y"} 1\n')
    assert cli.main(["check", str(file)]) == 0
    assert cli.main(["check", "--group", "job/a/instance/z", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f'{file}:2: collected metric "a" {{instance="z",job="a"}} was collected')


HOOK = """
set -e
git init -q .
printf 'a 1\\n' > good.prom
printf 'a 1\\na 2\\n' > bad.prom
git add .
printf '#!/bin/sh\\ngit diff --cached --name-only -- "*.prom" | xargs {pgw} check\\n' > .git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
git -c user.name=a -c user.email=a@b commit -qm x
"""


def test_a_commit_of_a_bad_file_is_stopped_by_a_hook(tmp_path: Path) -> None:
    script = HOOK.format(pgw=" ".join(pgw_command()))
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, env=clean_environment()
    )
    assert done.returncode != 0
    assert "bad.prom:2: collected metric" in done.stdout + done.stderr
    assert "good.prom" not in done.stdout + done.stderr


LINES = st.lists(
    st.sampled_from(
        [
            "# TYPE a counter", "# TYPE a histogram", "# TYPE a_sum summary", "# HELP a Helps.", "", "# said",
            "a 1", 'a{x="1"} 2', 'a{__x="1"} 2', "a_sum 1", "a_count 2", 'a_bucket{le="1"} 1', "a 1 1000", "b nan",
            "b x", "pushgateway_build_info 1",
        ]
    ),
    max_size=12,
)  # fmt: skip
CHECK = Check(Settings(), SYNTAX.read(["-"]))


@given(lines=LINES, end=st.sampled_from(["\n", "\r\n"]))
def test_the_line_that_is_told_is_the_first_without_which_the_rest_would_do(lines: list[str], end: str) -> None:
    def finding(count: int) -> int | None:
        found = CHECK.of_body("".join(line + end for line in lines[:count]).encode())
        return None if found is None else found.line

    line = finding(len(lines))
    if line is None:
        assert all(finding(count) is None for count in range(len(lines)))
    else:
        assert finding(line - 1) != line
        assert finding(line) == line


@pytest.mark.parametrize(
    ("flag", "text", "reason"),
    [
        ("--push.max-families=1", "a 1\nb 1\n", "the push holds 2 metric families, and the limit is 1"),
        ("--push.max-series=1", 'a 1\na{x="1"} 1\n', "the push holds 2 series, and the limit is 1"),
        ("--push.max-label-value-length=5", 'a{x="123456"} 1\n', "the value of the label x of the metric a has 6"),
    ],
)
def test_the_limits_of_a_gateway_are_those_of_its_flags(
    tmp_path: Path, flag: str, text: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "body.prom"
    file.write_text(text)
    assert cli.main(["check", str(file)]) == 0
    assert cli.main(["check", flag, str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}: {reason}")


def test_it_agrees_with_a_running_gateway(shared_gateway: Server, capsys: pytest.CaptureFixture[str]) -> None:
    for number, (text, line, reason) in enumerate(BAD.values()):
        if "quantile" not in reason:
            answer = shared_gateway.post(f"job/j{number}", text.encode())
            assert answer.status == 400, text
            finding = CHECK.of_body(text.encode())
            assert finding is not None
            assert (finding.line, finding.reason.partition("{")[0] in answer.text) == (line, True), answer.text
    assert shared_gateway.post("job/good", GOOD).status == 200
    assert CHECK.of_body(GOOD.encode()) is None
    assert capsys.readouterr().out == ""
