"""A series as a client wrote it, and how it reads once it stands in a group.

In: a metric name and the labels of the body.
Out: Series, and for a grouping key its *template*: the labels as they will be scraped, with `%s` where the
values of the grouping key go. Two series of a group are the same series exactly if their templates are equal.
Never: changes, but for remembering the templates of the last few shapes.
Follows: sanitizeLabels of the original: grouping labels override, `instance=""` is added where there is none.

A template depends on the shape of the key only, so a fleet of a hundred thousand groups that push the same
metrics shares one.
"""

from collections.abc import Iterable

from pgw.model.grouping import INSTANCE, GroupingKey, Labels
from pgw.model.names import escape_value, is_label_name, is_metric_name

SHAPES_REMEMBERED = 8
"""Templates kept per series; ordinary fleets push a family under one or two shapes."""


class Series:
    """A metric name and its labels, as the client wrote them (sorted by name)."""

    __slots__ = ("_templates", "labels", "name")

    def __init__(self, name: str, labels: Iterable[tuple[str, str]]) -> None:
        self.name = name
        self.labels = tuple(sorted(labels))
        self._templates: dict[str, str] | None = None

    @classmethod
    def ordered(cls, name: str, labels: Labels) -> "Series":
        """Make a series of labels that are in order already, in half the time."""
        series = cls.__new__(cls)
        series.name = name
        series.labels = labels
        series._templates = None  # noqa: SLF001
        return series

    def template(self, key: GroupingKey) -> str:
        """The labels in a group of this key's shape: `code="200",instance="",job="%s"`."""
        templates = self._templates
        template = None if templates is None else templates.get(key.shape)
        if template is None:
            if templates is None or len(templates) >= SHAPES_REMEMBERED:
                templates = self._templates = {}  # not sooner: of many a series no template is ever made
            template = templates[key.shape] = _template(self.labels, key.names)
        return template

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Series) and (self.name, self.labels) == (other.name, other.labels)

    def __hash__(self) -> int:
        return hash((self.name, self.labels))

    def __repr__(self) -> str:
        return f"Series({self.name!r}, {self.labels!r})"


def notation(name: str, labels: str) -> str:
    """A series in the text format: `name{a="b"}`, or `{"a name",a="b"}` where the name needs quotes."""
    if is_metric_name(name):
        return f"{name}{{{labels}}}" if labels else name
    quoted = f'"{escape_value(name)}"'
    return f"{{{quoted},{labels}}}" if labels else f"{{{quoted}}}"


def around_labels(name: str) -> tuple[str, str]:
    """What stands in a series with labels before them, `name{` or `{"a name",`, and behind them."""
    before, _, after = notation(name, "\n").partition("\n")  # no name holds a line end as it is
    return before, after


def label_notation(name: str, value: str) -> str:
    """A label in the text format; `value` is escaped already."""
    if is_label_name(name):
        return f'{name}="{value}"'
    return f'"{escape_value(name)}"="{value}"'


def _template(labels: Iterable[tuple[str, str]], grouping: tuple[str, ...]) -> str:
    found = [(name, _literal(escape_value(value))) for name, value in labels if name not in grouping]
    found += [(name, "%s") for name in grouping]
    if all(name != INSTANCE for name, _ in found):
        found.append((INSTANCE, ""))
    found.sort(key=lambda label: label[0])
    return ",".join(_literal_name(name, value) for name, value in found)


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _literal_name(name: str, value: str) -> str:
    return label_notation(name, value) if is_label_name(name) else label_notation(_literal(name), value)
