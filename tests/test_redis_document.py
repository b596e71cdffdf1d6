"""docs/redis.md: it names every key, and its session is what redis-cli shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import program_path, wait_until

from pgw.store.keys import Keys

if TYPE_CHECKING:
    from servers import RedisServer, StartServer

DOCUMENT = (Path(__file__).parent.parent / "docs" / "redis.md").read_text(encoding="utf-8")
TAG = "{pgw:0}"

VARYING = {
    r"(?<=xb0)[1-9]\d{15}": "T",  # the time of a push
    r'(?<=")[1-9]\d{15}(?="$)': "T",  # a deadline
    r'^"[0-9a-f]{16}"$': "EPOCH",
    r'(?<=^1\) ")[^:"]+:\d+(?="$)': "REPLICA",
    r'(?<=\) ")[1-9]\d{9}(?="$)': "SECONDS",
    r"(?<=xc4.x10).*(?=.x81.xa3job)": "SIGNATURE",
}


def steps() -> list[tuple[str, list[str]]]:
    """The commands of the session, each with what it shows."""
    session = DOCUMENT.partition("<!-- session -->")[2].partition("<!-- /session -->")[0]
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", session, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def steady(command: str, shown: list[str]) -> list[str]:
    """What a command shows, without what is another each time; fields of a hash come in any order."""
    lines = []
    for line in shown:
        text = line
        for pattern, name in VARYING.items():
            text = re.sub(pattern, name, text)
        lines.append(text)
    width = {"HKEYS": 1, "HGETALL": 2}.get(command.split()[1], 0)
    if not width:
        return lines
    values = [line.partition(") ")[2] for line in lines]
    return sorted(" ".join(values[start : start + width]) for start in range(0, len(values), width))


@pytest.mark.parametrize("key", [key.removeprefix(TAG) for key in (*Keys("pgw").shared, Keys("pgw").group("<name>"))])
def test_every_key_has_a_row(key: str) -> None:
    assert f"\n| `{key}` | " in DOCUMENT


def test_the_session_shows_every_kind_of_key() -> None:
    commands = " ".join(command for command, _ in steps())
    assert [key for key in Keys("pgw").shared if f"'{key}'" not in commands] == []
    assert f"'{TAG}:group:" in commands


def test_the_session_is_what_redis_cli_shows(gateway: StartServer, redis_server: RedisServer) -> None:
    server = gateway(f"--redis.url={redis_server.url}")
    program_path("redis-cli", "redis-tools")

    def shown(command: str) -> list[str]:
        raw = "" if "|" in command else " --no-raw"  # as on a terminal
        typed = command.replace("http://localhost:9091", server.url).replace("curl ", "curl -s ")
        typed = typed.replace("redis-cli", f"redis-cli -p {redis_server.port}{raw}")
        done = subprocess.run(["bash", "-c", typed], capture_output=True, text=True, check=True)
        return steady(command, done.stdout.splitlines())

    assert len(steps()) > 10
    for command, expected in steps():
        wanted = steady(command, expected)
        if re.search("telemetry|refusal|--scan", command):  # which is written once a second
            wait_until(lambda: shown(command) == wanted, command)  # noqa: B023
        assert shown(command) == wanted, command
