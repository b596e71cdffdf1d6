"""The command line as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pgw import __main__, __version__, cli
from pgw.settings import rows

if TYPE_CHECKING:
    from servers import Server

pytestmark = pytest.mark.usefixtures("plain_environment")


@pytest.mark.parametrize(
    "argv", [["--help"], ["-h"], ["--help-long"], ["serve", "--help"], ["inspect", "--workers=2", "--help"]]
)
def test_help_shows_the_commands_and_every_flag(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 0
    shown = capsys.readouterr().out
    assert "pgw inspect" in shown
    assert [row.flag for _, row in rows() if row.usage not in shown] == []


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_each_command_helps_with_its_flags_exit_codes_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [syntax] = [each for each in cli._syntaxes() if each.command == command]
    assert cli.main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"pgw {command} [FLAGS]")
    assert "Exits with 0" in shown
    assert f"\n    pgw {command} " in shown
    assert [flag.usage for flag in syntax.flags if f"\n  {flag.usage}\n        " not in shown] == []
    assert max(map(len, syntax.help().splitlines())) <= 120
    assert f"pgw {command}" in cli.USAGE.replace("[serve]", "serve")


def test_version_shows_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"pgw {__version__} ")


def test_the_manual_page_is_one_that_man_reads_without_a_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help-man"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(".TH pgw 1")
    assert [row.flag for _, row in rows() if row.usage.replace("-", "\\-") not in page] == []


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_flags_and_their_opposites(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([f"--completion-script-{shell}"]) == 0
    script = capsys.readouterr().out
    assert {*cli.COMMANDS, "--match", "--dry-run", "--workers", "--no-web.enable-lifecycle"} <= set(
        script.replace("'", " ").split()
    )


COMPLETE = """
eval "$1"
complete -p pgw
compgen -W "$(complete -p pgw | sed "s/.*-W '//; s/'.*//")" -- "$2"
"""


@pytest.fixture(scope="module")
def completion_script() -> str:
    """What a user evaluates."""
    command = [sys.executable, "-m", "pgw", "--completion-script-bash"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("begun", "completions"),
    [
        ("--persistence.f", ["--persistence.file"]),
        ("--dry", ["--dry-run"]),
        ("--su", ["--summary"]),
        ("im", ["import"]),
        ("ex", ["export"]),
        ("de", ["delete"]),
    ],
)
def test_bash_completes_what_was_begun(completion_script: str, begun: str, completions: list[str]) -> None:
    command = ["bash", "-c", COMPLETE, "bash", completion_script, begun]
    defined, *found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == completions
    assert "-o default" in defined, "names of files are completed too"


def test_ctrl_c_before_anything_is_imported_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert __main__.main() == 130


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--foo"], "command line: '--foo' is not a flag of pgw (pgw --help lists them)"),
        (["serve", "--workers=none"], "--workers: 'none' is not a whole number of at least 1"),
        (["serve", "extra"], "command line: 'extra' is not a flag of pgw (pgw --help lists them)"),
        (["fly"], "command line: 'fly' is not a command: write serve, inspect, check, export, import or delete"),
        (["inspect", "--jsn"], "command line: '--jsn' is not a flag of pgw inspect (which takes one group at most)"),
        (["inspect", "job/a", "job/b"], "command line: 'job/b' is not a flag of pgw inspect"),
        (["inspect", "job/a", "--summary"], "command line: 'job/a' is not expected beside --summary: it is one group"),
        (["inspect", "job/a", "--list"], "command line: 'job/a' is not expected beside --list: it is one group"),
        (["inspect", "--list", "--summary"], "command line: '--summary' is not expected beside --list: it is one or"),
        (["delete"], "command line: 'delete' is not complete: it takes --match=SELECTOR"),
        (["delete", "--match={job=~'.*'}"], "selector '{job=~\".*\"}': at character 1 found"),
        (["delete", "--match=up"], "selector '{__name__=\"up\"}': at character 1 found"),
        (["delete", "--match={job='a'}", "--older-than=1"], "--older-than: '1' is not a duration, such as 24h or"),
        (["delete", "--match={job='a'}", "job/a"], "command line: 'job/a' is not a flag of pgw delete (which takes"),
        (["inspect", "--match"], "command line: '--match' is not complete: write --match=SELECTOR"),
        (["inspect", "--match", "{job=}"], "selector '{job=}': at character 6 found '}', expected a value in quotes"),
        (["inspect", "--match=up"], "--match: 'up' is not a selector of groups, which have labels but no metric name"),
        (["export"], "command line: 'export' is not complete: it takes one file, or - for stdout"),
        (["import", "a", "b"], "command line: 'b' is not a flag of pgw import (which takes one file, - for stdin, or"),
        (["check", "--format=json", "x"], "--format: 'json' is not one of text, protobuf"),
        (["check", "--group=a/b", "x"], "--group: 'a/b' is not a group such as job/some_job/instance/some_instance"),
        (["check", "--group=job/", "x"], "--group: 'job/' is not a group such as job/some_job/instance/some_instance"),
        (["inspect", "--redis.url=ftp://h"], "--redis.url: 'ftp://h' is not a URL that starts with redis://"),
    ],
)
def test_a_bad_command_line_exits_2_with_one_sentence(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(argv) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"pgw: error: {sentence}")
    assert shown.err.count("\n") == 1


def test_a_bad_variable_exits_2_and_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGW_LOG_FORMAT", "xml")
    assert cli.main([]) == 2
    assert capsys.readouterr().err == "pgw: error: PGW_LOG_FORMAT: 'xml' is not one of logfmt, json\n"


def test_a_url_that_only_the_store_can_refuse_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", "--redis.url=redis://h:port"]) == 2
    assert "--redis.url" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--redis.url=redis://127.0.0.1:1"], "Redis cannot be reached"),
        (["--storage.path=/nonexistent"], "no gateway is running on /nonexistent (--storage.path)"),
    ],
)
def test_inspect_without_a_redis_exits_1_with_one_sentence(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", *argv]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"pgw: error: {sentence}")
    assert shown.count("\n") == 1


class TestInspectOfARunningGateway:
    """What `pgw inspect` shows of groups that were pushed over HTTP."""

    @pytest.fixture
    def storage(self, shared_gateway: Server) -> str:
        """The flag that names the storage of a gateway that holds two groups."""
        body = b"# HELP done How many.\n# TYPE done counter\ndone 2\n# TYPE at gauge\nat 3\n"
        assert shared_gateway.post("job/backup/instance/db%201", body).status == 200
        assert shared_gateway.post("job/clash", b"# TYPE done gauge\ndone 1\n").status == 400
        return f"--storage.path={shared_gateway.program.directory / 'storage'}"

    def test_the_listing_has_a_line_for_each_group(self, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["inspect", storage, "--list"]) == 0
        head, backup, clash = capsys.readouterr().out.splitlines()
        assert head.split() == ["GROUP", "FAMILIES", "BYTES", "LAST", "PUSH"]
        assert backup.split()[:3] == ["job/backup/instance/db%201", "2", str(self.bytes_of_backup())]
        assert backup.endswith("s ago)")
        assert clash.split()[:4] == ["job/clash", "0", "0", "never"]
        assert "FAILED" in clash
        assert "FAILED" not in backup

    @staticmethod
    def bytes_of_backup() -> int:
        return sum(len(f'{name}{{instance="db 1",job="backup"}} {value}\n') for name, value in (("done", 2), ("at", 3)))

    @pytest.mark.parametrize(
        "group", ["job/backup/instance/db%201", "job/backup/instance/db 1", "instance/db 1/job/backup/"]
    )
    def test_a_group_is_shown_as_it_is_scraped(
        self, storage: str, group: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["inspect", storage, group]) == 0
        shown = capsys.readouterr().out
        assert 'labels      instance="db 1", job="backup"\n' in shown
        assert '# HELP done How many.\n# TYPE done counter\ndone{instance="db 1",job="backup"} 2\n' in shown
        assert '\n# TYPE at gauge\nat{instance="db 1",job="backup"} 3\n' in shown

    def test_the_listing_as_json(self, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["inspect", "--list", "--json", storage]) == 0
        backup, clash = json.loads(capsys.readouterr().out)
        assert backup["labels"] == {"instance": "db 1", "job": "backup"}
        assert (backup["family_count"], backup["last_push_successful"], backup["last_failure"]) == (2, True, None)
        assert (clash["family_count"], clash["last_push_successful"], clash["last_push"]) == (0, False, None)

    def test_deadlines_are_shown(
        self, storage: str, shared_gateway: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        shared_gateway.put("job/later", "a 1\n", {"X-Pushgateway-TTL": "2h"})
        shared_gateway.put("job/over", "a 1\n", {"X-Pushgateway-TTL": "1us"})
        assert cli.main(["inspect", storage, "--list"]) == 0
        _, backup, _, later, over = capsys.readouterr().out.splitlines()
        assert "expires" not in backup
        assert later.endswith("Z (in 1h)")
        assert "expires" in later
        assert "Z (EXPIRED " in over
        assert cli.main(["inspect", storage, "job/later"]) == 0
        assert "Z (in 1h)\n" in capsys.readouterr().out.partition("\nexpires     ")[2]
        assert cli.main(["inspect", storage, "--list", "--json"]) == 0
        deadlines = {each["labels"]["job"]: each["expires_at"] for each in json.loads(capsys.readouterr().out)}
        assert deadlines["backup"] is None
        assert deadlines["over"] < deadlines["later"]

    def test_a_group_as_json(self, storage: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["inspect", storage, "job/backup/instance/db%201", "--json"]) == 0
        shown = json.loads(capsys.readouterr().out)
        families = {family["name"]: family for family in shown["families"]}
        assert (families["done"]["type"], families["done"]["help"]) == ("counter", "How many.")
        assert (families["at"]["type"], families["at"]["help"]) == ("gauge", None)
        assert families["at"]["samples"] == ['at{instance="db 1",job="backup"} 3']

    @pytest.mark.parametrize(
        ("group", "sentence"),
        [("job/none", "there is no group job/none"), ("backup", "'backup' is not a group: write it as job/some_job")],
    )
    def test_an_unknown_group_exits_1_with_one_sentence(
        self, storage: str, group: str, sentence: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["inspect", storage, group]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith(f"pgw: error: {sentence}")

    def test_an_empty_store_is_said_to_be_empty(
        self, shared_gateway: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        storage = f"--storage.path={shared_gateway.program.directory / 'storage'}"
        assert cli.main(["inspect", storage, "--list"]) == 0
        assert capsys.readouterr().out == "no groups are stored\n"
        assert cli.main(["inspect", storage, "--list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    command = [sys.executable, "-m", "pgw", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
