"""The command line: `pgw serve` and the commands for those who operate it.

In: the words behind `pgw`, and the environment.
Out: an exit code: 0 done, 2 a flag or a variable that cannot be used, 1 anything else; in both cases with one
sentence on stderr.
Never: shows a traceback for what a user can set right.
Follows: the original's command line, where a bare `pgw --web.listen-address=:9099` serves.

A command is a module with a function `run(words, environ)`. It is imported only when it is called for: `serve` must
set up what others would import, and nobody waits for more than what is used.
"""

import importlib
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence

from pgw import __version__
from pgw.cli.console import complain, show
from pgw.errors import PgwError, SelectorError, SettingError
from pgw.settings import Settings, complete, describe, manual

COMMANDS: Mapping[str, str] = {
    "serve": "serve",
    "inspect": "inspect",
    "check": "check",
    "export": "export_groups",
    "import": "import_groups",
}
"""Each command and its module in here."""

USAGE = """\
pgw takes pushed metrics and shows them to Prometheus; any number of replicas share one Redis.

  pgw [serve] [flags]            run the gateway
  pgw inspect [flags] [GROUP]    tell what is stored: all in all, or one group (job/some_job) decoded
      --groups                       a line for each group
  pgw check [flags] FILE...      would these bodies be accepted as pushes? - is stdin; exits 1 if one would not
      --format=text|protobuf         what they are, default text; FILE.gz is unpacked
      --group=GROUP                  the group that they would be pushed to, default job/check
  pgw export [flags] FILE        write the groups to a file, with the times of their pushes; - is stdout
  pgw import [flags] FILE|URL    put them back, or take over those of a running Pushgateway (http://old:9091)
      --dry-run                      only tell what would be done

  --match='{job="ci"}'           inspect, export, import: only groups with such labels; may be repeated
  --json                         inspect: for programs
  pgw --version                  which version this is
  pgw --help                     this text

Each flag below has an environment variable, which is named in brackets. Flag beats environment beats default.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; without one, that of this process. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words.pop(0) if words and not words[0].startswith("-") else "serve"
    try:
        module = _module(name)
        if _answered(words, os.environ):
            return 0
        code: int = importlib.import_module(f"{__name__}.{module}").run(words, os.environ)
    except (SettingError, SelectorError) as error:
        complain(f"pgw: error: {error}")
        return 2
    except PgwError as error:
        complain(f"pgw: error: {error}")
        return 1
    except BrokenPipeError:  # `pgw inspect | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _module(name: str) -> str:
    if name not in COMMANDS:
        *others, last = COMMANDS
        raise SettingError("command line", name, f"a command: write {', '.join(others)} or {last}")
    return COMMANDS[name]


def _answered(words: list[str], environ: Mapping[str, str]) -> bool:
    """Answer --help, --version and their like wherever they stand, if they do."""
    _, rest = Settings.read_known(words, environ)
    answers: dict[str, Callable[[], str]] = {
        "-h": _help,
        "--help": _help,
        "--help-long": _help,
        "--help-man": lambda: manual(USAGE),
        "--version": _version,
        "--completion-script-bash": lambda: complete("bash"),
        "--completion-script-zsh": lambda: complete("zsh"),
    }
    wanted = [answers[word] for word in rest if word in answers]
    for make_answer in wanted[:1]:
        show(make_answer())
    return bool(wanted)


def _help() -> str:
    return f"{USAGE}\n{describe()}"


def _version() -> str:
    return f"pgw {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})"
