"""Places of a YAML file: what stands where, read strictly.

In: the nodes that PyYAML has composed, which know their lines.
Out: texts, numbers, lists and fields; SettingError that names file, line and field for what is not as expected.
Never: builds objects from tags; knows what the fields mean.
Follows: yaml.v2's UnmarshalStrict, which refuses fields that are unknown or come twice.
"""

from pathlib import Path
from typing import NamedTuple

import yaml

from pgw.durations import read_interval
from pgw.errors import SettingError

_NULL, _BOOL, _INT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int"))
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

_MOST_DIGITS = 9
"""A burst of a billion requests is none any more."""


class File(NamedTuple):
    """A YAML file: how messages name it, and what paths in it are relative to."""

    name: str
    directory: Path


class Place:
    """A node of the YAML tree and where it stands."""

    def __init__(self, node: yaml.Node | None, file: "File", name: str = "", line: int = 0) -> None:
        self.node = node
        self.name = name
        self._file = file
        self._line = line if node is None else node.start_mark.line + 1

    def __str__(self) -> str:
        """The place as messages name it: the file, the line, and the name of the field."""
        line = f", line {self._line}" if self._line else ""
        return f"{self._file.name}{line}{f', {self.name}' if self.name else ''}"

    def refused(self, value: str, expected: str) -> SettingError:
        """The error for what was found here."""
        return SettingError(str(self), value, expected)

    @property
    def is_null(self) -> bool:
        """Whether nothing is said here."""
        return self.node is None or self.node.tag == _NULL

    def fields(self) -> dict[str, "Place"]:
        """The places of a mapping by name; each comes once."""
        if self.is_null:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.refused(self.shown, "a mapping of names to values")
        found: dict[str, Place] = {}
        for key, value in self.node.value:
            name = self._at(key, self.name).string()
            if name in found:
                raise self._at(key, self.name).refused(name, "expected: it is there already")
            found[name] = self._at(value, self._below(name))
        return found

    def known_fields(self, *known: str) -> dict[str, "Place"]:
        """The places of a mapping, all of which are known; places of nothing for those that are not there."""
        found = self.fields()
        for name, place in found.items():
            if name not in known:
                section = self.name or "the file"
                raise place.named(self.name).refused(name, f"a field of {section}, which are {', '.join(known)}")
        return {name: found.get(name) or self._at(None, self._below(name)) for name in known}

    def named(self, name: str) -> "Place":
        """The same place by another name."""
        return self._at(self.node, name)

    def _at(self, node: yaml.Node | None, name: str) -> "Place":
        return Place(node, self._file, name, self._line)

    def _below(self, name: str) -> str:
        return f"{self.name}.{name}".strip(".")

    @property
    def shown(self) -> str:
        """What is here, as messages show it."""
        return self.node.value if isinstance(self.node, yaml.ScalarNode) else "..."

    def string(self) -> str:
        """A text; empty where nothing is said."""
        if self.is_null:
            return ""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.refused(self.shown, "a text")
        value: str = self.node.value
        return value

    def word(self, *words: str, default: str = "") -> str:
        """One of some words; the default where nothing is said."""
        value = self.string() or default
        if value not in (default, *words):
            raise self.refused(value, f"one of {', '.join(words)}")
        return value

    def words(self, *words: str) -> tuple[str, ...]:
        """Some of some words."""
        return tuple(place.word(*words) for place in self.items())

    def items(self) -> list["Place"]:
        """The places of a list."""
        if self.is_null:
            return []
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.refused(self.shown, "a list")
        return [self._at(item, self.name) for item in self.node.value]

    def truth(self, *, default: bool) -> bool:
        """True or false; the default where nothing is said."""
        if self.is_null:
            return default
        value = self.string()
        if self.node is None or self.node.tag != _BOOL:
            raise self.refused(value, "true or false")
        return _TRUTHS[value.lower()]

    def count(self) -> int:
        """A whole number; 0 where nothing is said."""
        value = self.string() or "0"
        if not (value.isdecimal() and value.isascii()) or len(value) > _MOST_DIGITS:
            raise self.refused(value, f"a whole number of at most {_MOST_DIGITS} digits")
        return int(value)

    def seconds(self) -> float:
        """A duration; a bare number counts nanoseconds, as Go has it."""
        value = self.string() or "0"
        try:
            return read_interval(f"{value}ns" if self.node is not None and self.node.tag == _INT else value)
        except ValueError:
            raise self.refused(value, "a duration such as 100ms or 1s") from None

    def path(self) -> Path | None:
        """A path, relative to the directory of the file."""
        value = self.string()
        return self._file.directory / value if value else None
