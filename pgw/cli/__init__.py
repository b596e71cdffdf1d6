"""The command line: `pgw serve` and the commands for those who operate it.

In: the words behind `pgw`, and the environment.
Out: an exit code: 0 done, 2 a flag or a variable that cannot be used, 1 anything else; in both cases with one
sentence on stderr.
Never: shows a traceback for what a user can set right.
Follows: the original's command line, where a bare `pgw --web.listen-address=:9099` serves.

A command is a module with a SYNTAX and a function `run(words, environ)`, and a line in COMMANDS and USAGE. It is
imported only when it is called for: `serve` must set up what others would import, and nobody waits for more than what
is used.
"""

import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, cast

from pgw import __version__
from pgw.cli.console import complain, show
from pgw.cli.words import Syntax
from pgw.errors import PgwError, SelectorError, SettingError
from pgw.settings import Settings, complete, describe, manual

SERVE = "serve"
COMMANDS: Mapping[str, str] = {
    SERVE: "serve",
    "inspect": "inspect",
    "check": "check",
    "export": "export_groups",
    "import": "import_groups",
    "delete": "delete_groups",
}
"""Each command and its module in here."""

USAGE = """\
pgw takes pushed metrics and shows them to Prometheus; any number of replicas share one Redis.

  pgw [serve] [FLAGS]            run the gateway
  pgw inspect [FLAGS] [GROUP]    what is stored: a summary, all groups, or one group decoded
  pgw check [FLAGS] FILE...      would these bodies be accepted as pushes?
  pgw export [FLAGS] FILE        write the groups to a file, to be kept
  pgw import [FLAGS] FILE|URL    put them back, or take over those of a running Pushgateway
  pgw delete [FLAGS] --match=... delete the groups that a selector selects, of any age or old ones
  pgw COMMAND --help             what a command does, and its flags
  pgw --version                  which version this is
"""
SETTINGS = """\
The settings, of all commands. Each has an environment variable, which is named in brackets. Flag beats environment
beats default.
"""


class Command(Protocol):
    """The module of a command."""

    SYNTAX: Syntax

    def run(self, words: list[str], environ: Mapping[str, str]) -> int:
        """Run it; returns the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; without one, that of this process. Returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words.pop(0) if words and not words[0].startswith("-") else ""
    try:
        module = _module(name or SERVE)
        if _answered(name, words, os.environ):
            return 0
        return _load(module).run(words, os.environ)
    except (SettingError, SelectorError) as error:
        complain(f"pgw: error: {error}")
        return 2
    except PgwError as error:
        complain(f"pgw: error: {error}")
        return 1
    except BrokenPipeError:  # `pgw inspect | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _module(name: str) -> str:
    if name not in COMMANDS:
        *others, last = COMMANDS
        raise SettingError("command line", name, f"a command: write {', '.join(others)} or {last}")
    return COMMANDS[name]


def _load(module: str) -> Command:
    return cast("Command", importlib.import_module(f"{__name__}.{module}"))


def _syntaxes() -> Iterator[Syntax]:
    return (_load(module).SYNTAX for module in COMMANDS.values())


def _answered(name: str, words: list[str], environ: Mapping[str, str]) -> bool:
    """Answer --help, --version and their like wherever they stand, if they do."""
    _, rest = Settings.read_known(words, environ)
    answers: dict[str, Callable[[], str]] = {
        "-h": lambda: _help(name),
        "--help": lambda: _help(name),
        "--help-long": lambda: _help(name),
        "--help-man": lambda: manual("\n".join([USAGE, *(syntax.help() for syntax in _syntaxes())])),
        "--version": _version,
        "--completion-script-bash": lambda: complete("bash", _own_words()),
        "--completion-script-zsh": lambda: complete("zsh", _own_words()),
    }
    wanted = [answers[word] for word in rest if word in answers]
    for make_answer in wanted[:1]:
        show(make_answer())
    return bool(wanted)


def _help(name: str) -> str:
    return "\n".join([_load(COMMANDS[name]).SYNTAX.help() if name else USAGE, SETTINGS, describe()])


def _own_words() -> list[str]:
    """What can be completed and is no setting."""
    flags = (flag.name for syntax in _syntaxes() for flag in syntax.flags)
    return [*COMMANDS, "--help", "--version", *dict.fromkeys(flags)]


def _version() -> str:
    return f"pgw {__version__} (Python {platform.python_version()}, {platform.system()} {platform.machine()})"
