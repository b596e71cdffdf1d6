"""The text format 0.0.4, written.

In: a family and the grouping key that it was pushed to.
Out: its sample lines as a scrape shows them, and the lines above them.
Never: sorts or checks metrics; what reaches it has passed the rules of model/consistency.py.
Follows: expfmt/text_create.go of prometheus/common (behaviour page, section 1.2).

The lines of a family are put together as one template, so that the grouping labels, which are the same in each, are
filled in once. Numbers are canonical text already, and hold no `%`.
"""

from collections.abc import Iterator

from pgw.model.family import Family, Histogram, Metric, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.names import escape_help, escape_value, is_metric_name
from pgw.model.series import notation

INFINITY = "+Inf"
"""The bound that every histogram is scraped with, pushed or not."""


def write_samples(family: Family, key: GroupingKey) -> str:
    """Write the sample lines of `family` in the group of `key`; every line ends in a newline."""
    lines = [line for metric in family.metrics for line in _lines(family.name, metric, key)]
    return "".join(lines) % (key.values * len(lines))


def write_head(name: str, type: Type, help: str | None) -> str:  # noqa: A002  (the words of the lines)
    """Write the HELP line, if there is a help, be it empty, and the TYPE line."""
    shown = name if is_metric_name(name) else f'"{escape_value(name)}"'
    above = "" if help is None else f"# HELP {shown} {escape_help(help)}\n"
    return f"{above}# TYPE {shown} {type.word}\n"


def _lines(name: str, metric: Metric, key: GroupingKey) -> Iterator[str]:
    labels = metric[0].template(key)
    if isinstance(metric, Histogram):
        return _histogram_lines(name, metric, labels)
    if isinstance(metric, Summary):
        return _summary_lines(name, metric, labels)
    return iter((_line(name, labels, metric[1]),))


def _histogram_lines(name: str, metric: Histogram, labels: str) -> Iterator[str]:
    buckets = metric.buckets
    if all(bound != INFINITY for bound, _ in buckets):
        buckets = (*buckets, (INFINITY, metric.observations))
    for bound, count in buckets:
        yield _line(f"{name}_bucket", f'{labels},le="{bound}"', count)
    yield _line(f"{name}_sum", labels, metric.sum)
    yield _line(f"{name}_count", labels, metric.observations)


def _summary_lines(name: str, metric: Summary, labels: str) -> Iterator[str]:
    for quantile, value in metric.quantiles:
        yield _line(name, f'{labels},quantile="{quantile}"', value)
    yield _line(f"{name}_sum", labels, metric.sum)
    yield _line(f"{name}_count", labels, metric.observations)


def _line(name: str, labels: str, value: str) -> str:
    # A name that is not legacy may hold a % itself, and the line becomes a template.
    return f"{notation(name.replace('%', '%%'), labels)} {value}\n"
