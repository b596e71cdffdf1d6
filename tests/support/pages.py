"""A scrape, read strictly.

In: the text of one answer to GET /metrics.  Out: its families in order, and the groups it shows.
Never: forgives what a lenient parser would; a page that is merely tolerated is a bug.
Follows: the text format 0.0.4; prometheus_client's parser must agree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN_PREFIXES = ("pushgateway_", "pgw_", "go_", "process_", "python_", "promhttp_")
PUSH_TIMES = ("push_time_seconds", "push_failure_time_seconds")
SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_]\w*="(\\.|[^"\\])*",?)*\})? \S+')
JOB_LABEL = re.compile(r'[{,]job="')


Group = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """A family as it is scraped; sample lines sorted, for their order within a family is free."""

    name: str
    help: str | None
    type: str | None
    samples: tuple[str, ...]


def families_of(lines: Iterable[str]) -> list[Family]:
    """The families of a page, in order; one that comes without a TYPE line has no type."""
    helps: dict[str, str] = {}
    types: dict[str, str] = {}
    samples: dict[str, list[str]] = {}
    current = "\0"
    for line in lines:
        if line.startswith("# "):
            _, keyword, current, text = (*line.split(" ", 3), "")[:4]
            known = {"HELP": helps, "TYPE": types}[keyword]
            assert current not in known, f"comes twice: {line}"
            assert not samples.setdefault(current, []), f"stands behind samples: {line}"
            known[current] = text
        else:
            assert SAMPLE.fullmatch(line), f"not a sample: {line!r}"
            current = current if line.startswith(current) else re.split(r"[{ ]", line)[0]
            samples.setdefault(current, []).append(line)
    return [Family(name, helps.get(name), types.get(name), tuple(sorted(found))) for name, found in samples.items()]


class Page:
    """A scrape, read strictly: families in order, each in one piece, no series twice, nothing cut off."""

    def __init__(self, text: str) -> None:
        assert not text or text.endswith("\n"), f"the page is cut off: {text[-100:]!r}"
        self.text = text
        self.lines = text.split("\n")[:-1]
        self.families = families_of(self.lines)
        self._check()
        list(text_string_to_metric_families(text))

    def _check(self) -> None:
        names = [family.name for family in self.families]
        assert names == sorted(names), f"families are not sorted: {names}"
        for family in self.families:
            assert family.samples, f"a family without samples: {family.name}"
            assert family.type is not None, f"a family without a type: {family}"
            if family.type not in ("histogram", "summary"):  # whose buckets are passed on as they were pushed
                series = [line.rpartition(" ")[0] for line in family.samples]
                assert len(set(series)) == len(series), f"a series comes twice: {series}"

    @property
    def pushed(self) -> list[Family]:
        """All but the gateway's own families, with `T` for the push times that are not 0."""
        return pushed_of(self.families)

    def family(self, name: str) -> Family:
        """The family of that name; the test fails if there is none."""
        found = [family for family in self.families if family.name == name]
        assert found, f"no family {name} in {[family.name for family in self.families]}"
        return found[0]

    def groups(self) -> set[Group]:
        """The labels of every group, with the `instance=""` that a scrape adds."""
        return groups_of(self.lines)


def groups_of(lines: Iterable[str]) -> set[Group]:
    """The labels of every group that has a push time on a page."""
    text = "".join(f"{line}\n" for line in lines if line.startswith("push_time_seconds"))
    found = text_string_to_metric_families(text)
    return {tuple(sorted(sample.labels.items())) for family in found for sample in family.samples}


def pushed_of(families: Iterable[Family]) -> list[Family]:
    """Leave out the gateway's own samples, and replace the push times that are not 0 by `T`."""
    return [family for family in map(_pushed_part, families) if family.samples]


def _pushed_part(family: Family) -> Family:
    if family.name.startswith(OWN_PREFIXES):
        return Family(family.name, None, None, tuple(line for line in family.samples if JOB_LABEL.search(line)))
    if family.name not in PUSH_TIMES:
        return family
    samples = [line if line.endswith(" 0") else line.rpartition(" ")[0] + " T" for line in family.samples]
    return family._replace(samples=tuple(sorted(samples)))
