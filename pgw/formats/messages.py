"""Stored fragments as protobuf messages.

In: a fragment: lines, and what they do not carry.
Out: the message of its family, labels and all. The protobuf scrape, the JSON API and the status page are made of it.
Never: shows a label that the lines do not show, so grouping labels override those of the body here too.
"""

from collections.abc import Iterable
from itertools import islice, repeat

from pgw.formats import metrics_pb2 as pb
from pgw.formats.details import carried
from pgw.formats.text_reader import TextReader
from pgw.formats.text_writer import write_head
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Metric
from pgw.model.group import MILLISECOND, Fragment
from pgw.model.series import around_labels

SERIES_REMEMBERED = 1_000
"""Series that a reader remembers, about a megabyte of them; it reads each line only once."""


def to_message(fragment: Fragment) -> pb.MetricFamily:
    """Make the message of a fragment."""
    message = pb.MetricFamily(name=fragment.name.encode(), type=int(fragment.type))
    if fragment.help is not None:
        message.help = fragment.help.encode()
    metrics = _metrics(fragment)
    for metric, detail in zip(metrics, fragment.details or repeat(b"", len(metrics)), strict=True):
        added = message.metric.add()
        for name, value in metric[0].labels:
            added.label.add(name=name.encode(), value=value.encode())
        if detail:
            added.MergeFromString(detail)
        else:
            added.MergeFrom(carried(fragment.type, metric))
    return message


def stamp(message: pb.MetricFamily, fragments: Iterable[Fragment]) -> None:
    """Give each metric of a message, which is made of these fragments, the time of its push; 0: none."""
    metrics = iter(message.metric)
    for fragment in fragments:
        for metric in islice(metrics, _count(fragment)):
            if fragment.pushed_at:
                metric.timestamp_ms = fragment.pushed_at // MILLISECOND


def count_line(name: str) -> bytes:
    """How the line of the count begins in a family with SUFFIXES: each metric has one, as its last, and no other line
    begins so, as a line end within a label value is escaped.
    """
    before, _ = around_labels(f"{name}_count")
    return before.encode()


def _count(fragment: Fragment) -> int:
    """How many metrics the lines of a fragment are, without reading them."""
    if fragment.type not in SUFFIXES:
        return fragment.lines
    line = count_line(fragment.name)
    return fragment.text.startswith(line) + fragment.text.count(b"\n" + line)


def _metrics(fragment: Fragment) -> list[Metric]:
    """Read the lines back; a family may have none."""
    head = write_head(fragment.name, fragment.type, None).encode()
    reader = TextReader(utf8_names=True, series_limit=SERIES_REMEMBERED)
    families = reader.read(head + fragment.text).families
    return families[0].metrics if families else []
