"""The words of a command that are no settings: flags of its own, and what it is to work on.

In: the words that Settings.read_known left, and what the command knows of them.
Out: Words; SettingError for the first one that cannot be used; the help of the command.
Never: reads what stands behind a flag, but for selectors, which several commands take.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pgw.errors import SettingError
from pgw.gateway.lifetime import read_lifetime
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector, one_selects

HELP_WIDTH = 100
"""Columns, as the help of the settings has."""

Choice = Callable[[GroupingKey], bool]
"""Tells whether a group is one of those that were asked for."""


class Flag(NamedTuple):
    """A flag of a command."""

    name: str
    help: str
    value: str = ""
    """What stands behind it, in capitals: `SELECTOR`; nothing for a switch. Flags with a value may be repeated."""

    @property
    def usage(self) -> str:
        """How it is written: `--match=SELECTOR`."""
        return f"{self.name}={self.value}" if self.value else self.name


MATCH = Flag(
    "--match",
    "Only groups whose labels (those of the grouping key) this selects, in Prometheus' syntax: "
    """'{job="ci",instance=~"runner-.*"}'. May be repeated: groups that one of them selects.""",
    "SELECTOR",
)
"""The flag of commands that work on some groups only."""


class Syntax(NamedTuple):
    """What a command takes, and what it says of itself."""

    command: str
    usage: str
    """Its operands, as help shows them: `[GROUP]`."""
    operands: str
    """The same in words, for errors: `one group at most`."""
    least: int
    most: int | None
    """How many of them; None: any number."""
    about: str
    """What it does, what it answers and exits with; examples, indented."""
    flags: Sequence[Flag] = ()

    def help(self) -> str:
        """All that is to be said of the command, but for the settings."""
        parts = [f"pgw {self.command} [FLAGS] {self.usage}".rstrip(), self.about.strip("\n")]
        if self.flags:
            parts.append("\n".join(map(_describe, self.flags)))
        return "\n\n".join(parts) + "\n"

    def read(self, words: Sequence[str]) -> "Words":
        """Sort the words of a command line; `-` alone is an operand, and all behind `--` is."""
        known = {flag.name: flag for flag in self.flags}
        found = Words([], set(), {name: [] for name, flag in known.items() if flag.value})
        left = iter(words)
        for word in left:
            name, equals, text = word.partition("=")
            if word == "--":
                found.operands.extend(left)
            elif name in found.values:
                found.values[name].append(text if equals else self._value(known[name], next(left, None)))
            elif word in known:
                found.switches.add(word)
            elif word.startswith("-") and word != "-":
                raise SettingError("command line", word, self._expected("a flag of"))
            else:
                found.operands.append(word)
        self._check_number(found.operands)
        return found

    def _value(self, flag: Flag, text: str | None) -> str:
        if text is None:
            raise SettingError("command line", flag.name, f"complete: write {flag.usage}")
        return text

    def _check_number(self, operands: list[str]) -> None:
        if len(operands) < self.least:
            raise SettingError("command line", self.command, f"complete: it takes {self.operands}")
        if self.most is not None and len(operands) > self.most:
            raise SettingError("command line", operands[self.most], self._expected("a flag of"))

    def _expected(self, what: str) -> str:
        return f"{what} pgw {self.command} (which takes {self.operands})"


class Words(NamedTuple):
    """The words of one command line."""

    operands: list[str]
    switches: set[str]
    values: Mapping[str, list[str]]

    def has(self, flag: Flag) -> bool:
        """Whether a flag was given."""
        return flag.name in self.switches or bool(self.values.get(flag.name))

    def value(self, flag: Flag, default: str) -> str:
        """What stands behind a flag; the last one counts."""
        return [default, *self.values[flag.name]][-1]

    def duration(self, flag: Flag) -> float | None:
        """The seconds of a duration behind a flag; None if it was not given."""
        text = self.value(flag, "")
        try:
            return read_lifetime(text) if self.has(flag) else None
        except ValueError:
            raise SettingError(flag.name, text, "a duration, such as 24h or 1h30m") from None

    def choice(self) -> Choice:
        """The groups that one of the selectors of `--match` selects by their grouping labels; without any, all."""
        selectors = [_read_selector(text) for text in self.values[MATCH.name]]
        if not selectors:
            return lambda _: True
        return lambda key: one_selects(selectors, key)


def _read_selector(text: str) -> Selector:
    selector = Selector.read(text)
    if selector.names_metric:
        raise SettingError(MATCH.name, text, "a selector of groups, which have labels but no metric name")
    return selector


def _describe(flag: Flag) -> str:
    text = textwrap.fill(flag.help, HELP_WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"  {flag.usage}\n{text}"
