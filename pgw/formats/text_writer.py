"""The text format 0.0.4, written.

In: a family and the grouping key that it was pushed to.
Out: its sample lines as a scrape shows them, apart from their values, and the lines above them.
Never: sorts or checks metrics; what reaches it has passed the rules of model/consistency.py.
Follows: expfmt/text_create.go of prometheus/common (behaviour page, section 1.2).

The lines of a family are put together as one template, so that the grouping labels, which are the same in each, are
filled in once. Numbers are canonical text already, and hold no `%`.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pgw.model.consistency import SUFFIXES
from pgw.model.family import Family, Histogram, Metric, Sample, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.names import escape_help, escape_value, is_metric_name
from pgw.model.series import around_labels

INFINITY = "+Inf"
"""The bound that every histogram is scraped with, pushed or not."""

_Line = tuple[str, str]
"""The head of a line, and its value."""


class Lines(NamedTuple):
    """The sample lines of a family."""

    heads: str
    """Each line up to its value, the blank before it included, joined by newlines; with `%s` for the values of the
    grouping labels, in the order of their names."""
    values: list[str]


def sample_lines(family: Family, key: GroupingKey) -> Lines:
    """Write the sample lines of `family` in a group of the shape of `key`, apart from their values."""
    if family.type in SUFFIXES:
        lines = [line for metric in family.metrics for line in _lines(family.name, metric, key)]
        return Lines("\n".join([head for head, _ in lines]), [value for _, value in lines])
    before, after = _around(family.name)
    samples: list[Sample] = family.metrics  # type: ignore[assignment]  # of such types they are nothing else
    heads = [f"{before}{series.template(key)}{after}" for series, _ in samples]
    return Lines("\n".join(heads), [value for _, value in samples])


def write_values(values: Sequence[str]) -> bytes:
    """Write values as they are stored, each with a newline behind it."""
    return "\n".join([*values, ""]).encode()


def split_template(template: str) -> list[str]:
    """Split a template at each `%s`; what stands between is as it will be read, so that a `%%` is one `%` there."""
    pieces: list[str] = []
    for part in template.split("%%"):
        first, *others = part.split("%s")
        pieces[-1:] = [f"{pieces[-1]}%{first}" if pieces else first, *others]
    return pieces


def write_head(name: str, type: Type, help: str | None) -> str:  # noqa: A002  (the words of the lines)
    """Write the HELP line, if there is a help, be it empty, and the TYPE line."""
    shown = name if is_metric_name(name) else f'"{escape_value(name)}"'
    above = "" if help is None else f"# HELP {shown} {escape_help(help)}\n"
    return f"{above}# TYPE {shown} {type.word}\n"


def _lines(name: str, metric: Metric, key: GroupingKey) -> Iterator[_Line]:
    labels = metric[0].template(key)
    if isinstance(metric, Histogram):
        return _histogram_lines(name, metric, labels)
    if isinstance(metric, Summary):
        return _summary_lines(name, metric, labels)
    raise TypeError(f"{metric!r} is neither a histogram nor a summary")


def _histogram_lines(name: str, metric: Histogram, labels: str) -> Iterator[_Line]:
    buckets = metric.buckets
    if all(bound != INFINITY for bound, _ in buckets):
        buckets = (*buckets, (INFINITY, metric.observations))
    before, after = _around(f"{name}_bucket")
    for bound, count in buckets:
        yield f'{before}{labels},le="{bound}"{after}', count
    yield _line(f"{name}_sum", labels, metric.sum)
    yield _line(f"{name}_count", labels, metric.observations)


def _summary_lines(name: str, metric: Summary, labels: str) -> Iterator[_Line]:
    before, after = _around(name)
    for quantile, value in metric.quantiles:
        yield f'{before}{labels},quantile="{quantile}"{after}', value
    yield _line(f"{name}_sum", labels, metric.sum)
    yield _line(f"{name}_count", labels, metric.observations)


def _line(name: str, labels: str, value: str) -> _Line:
    before, after = _around(name)
    return f"{before}{labels}{after}", value


def _around(name: str) -> tuple[str, str]:
    """What stands before the labels of a line and between them and the value; a line always has the label `job`."""
    # A name that is not legacy may hold a % itself, and the line becomes a template.
    before, after = around_labels(name.replace("%", "%%"))
    return before, f"{after} "
