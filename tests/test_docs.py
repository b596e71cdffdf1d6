"""The documents say what the code does: settings, routes and own metrics are all in the README."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from servers import pgw_command

from pgw.cli import COMMANDS
from pgw.settings import Row, rows
from pgw.telemetry.shared import OWN_TYPES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def row_in_readme(row: Row) -> str:
    """What the table of settings in the README has to say of a setting."""
    default = f"`{row.default}`" if isinstance(row.default, str) and row.default else ""
    return f"| `{row.usage}` | `{row.variable}` | {default} | {row.help} |"


def test_the_readme_lists_every_setting_as_it_is() -> None:
    found = re.search(r"<!-- settings -->\n(.*)\n<!-- /settings -->", README, re.DOTALL)

    assert found is not None
    assert found[1].split("\n")[2:] == [row_in_readme(row) for _, row in rows()]


@pytest.mark.parametrize("room", sorted(path.name for path in (ROOT / "pgw").iterdir() if path.suffix in ("", ".py")))
def test_the_architecture_names_every_room(room: str) -> None:
    if not room.startswith("_"):
        assert f"`{room.removesuffix('.py')}`" in ARCHITECTURE or f"`{room}/`" in ARCHITECTURE


@pytest.mark.parametrize("metric", OWN_TYPES)
def test_the_changelog_or_the_readme_tells_of_every_family_of_our_own(metric: str) -> None:
    assert metric in README


def test_the_hook_of_the_readme_stops_a_bad_file(tmp_path: Path) -> None:
    """Run as pre-commit does: the words of the entry, and the files that fit."""
    found = re.search(r"<!-- hook -->\n```yaml\n(.*?)```\n<!-- /hook -->", README, re.DOTALL)
    assert found is not None
    [repository] = yaml.safe_load(found[1])["repos"]
    [hook] = repository["hooks"]
    assert (repository["repo"], hook["language"]) == ("local", "system")
    good, bad, other = (tmp_path / name for name in ("good.prom", "bad.prom", "other.txt"))
    good.write_text("a 1\n")
    bad.write_text("a 1\na 2\n")
    files = [path for path in map(str, (good, bad, other)) if re.search(hook["files"], path)]
    assert files == [str(good), str(bad)]
    program, *words = shlex.split(hook["entry"])
    assert program == "pgw"
    done = subprocess.run([*pgw_command(), *words, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith(f"{bad}:2: ")) == (1, True)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_and_the_architecture_tell_of_every_command(command: str) -> None:
    assert f"\npgw {command} " in README
    assert re.search(rf"\b{command}\b", next(line for line in ARCHITECTURE.split("\n") if line.startswith("| `cli")))


def test_every_knowing_difference_is_marked_in_the_code() -> None:
    marked = sum(path.read_text(encoding="utf-8").count("NOTE(pushgateway)") for path in (ROOT / "pgw").rglob("*.py"))

    assert marked >= 10
