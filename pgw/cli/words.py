"""The words of a command that are no settings: flags of its own, and what it is to work on.

In: the words that Settings.read_known left, and what the command knows of them.
Out: Words; SettingError for the first one that cannot be used.
Never: reads what stands behind a flag, but for selectors, which several commands take.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pgw.errors import SettingError
from pgw.model.grouping import GroupingKey
from pgw.model.selector import NAME_LABEL, Selector

MATCH = "--match"
"""The flag of commands that work on some groups only."""

Choice = Callable[[GroupingKey], bool]
"""Tells whether a group is one of those that were asked for."""


class Syntax(NamedTuple):
    """What a command takes."""

    command: str
    operands: str
    """What it works on, in words: `one group at most`."""
    least: int
    most: int | None
    """How many of them; None: any number."""
    switches: Sequence[str] = ()
    """Flags without a value."""
    values: Sequence[str] = ()
    """Flags with a value; each may be repeated."""

    def read(self, words: Sequence[str]) -> "Words":
        """Sort the words of a command line; `-` alone is an operand, and all behind `--` is."""
        found = Words([], set(), {flag: [] for flag in self.values})
        left = iter(words)
        for word in left:
            flag, equals, text = word.partition("=")
            if word == "--":
                found.operands.extend(left)
            elif flag in self.values:
                found.values[flag].append(text if equals else self._value(flag, next(left, None)))
            elif word in self.switches:
                found.switches.add(word)
            elif word.startswith("-") and word != "-":
                raise SettingError("command line", word, f"a flag of pgw {self.command} (pgw --help lists them)")
            else:
                found.operands.append(word)
        self._check_number(found.operands)
        return found

    def _value(self, flag: str, text: str | None) -> str:
        if text is None:
            raise SettingError("command line", flag, f"complete: write {flag}=...")
        return text

    def _check_number(self, operands: list[str]) -> None:
        if len(operands) < self.least:
            raise SettingError("command line", self.command, f"complete: pgw {self.command} takes {self.operands}")
        if self.most is not None and len(operands) > self.most:
            surplus = operands[self.most]
            raise SettingError("command line", surplus, f"expected: pgw {self.command} takes {self.operands}")


class Words(NamedTuple):
    """The words of one command line."""

    operands: list[str]
    switches: set[str]
    values: Mapping[str, list[str]]

    def value(self, flag: str, default: str) -> str:
        """What stands behind a flag; the last one counts."""
        return [default, *self.values[flag]][-1]

    def choice(self) -> Choice:
        """The groups that one of the selectors of `--match` selects by their grouping labels; without any, all."""
        selectors = [_read_selector(text) for text in self.values[MATCH]]
        if not selectors:
            return lambda _: True
        return lambda key: any(selector.selects(dict(key.labels)) for selector in selectors)


def _read_selector(text: str) -> Selector:
    selector = Selector.read(text)
    if any(matcher.name == NAME_LABEL for matcher in selector.matchers):
        raise SettingError(MATCH, text, "a selector of groups, which have labels but no metric name")
    return selector
