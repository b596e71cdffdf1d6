"""The reader as a whole: what holds for any body, beyond the cases of the corpus."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bodies import BODIES, SAMPLES
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples
from prometheus_client.parser import text_string_to_metric_families

from pgw.errors import InconsistentPush, ParseError
from pgw.formats.numbers import format_float
from pgw.formats.recent import LONGEST_REMEMBERED
from pgw.formats.text_reader import TextReader
from pgw.formats.text_writer import write_head
from pgw.model.consistency import check
from pgw.model.family import Exposition, Family, Histogram, Metric, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.series import Series

CORPUS = sorted(Path(__file__).with_name("corpus").glob("*/*.prom"))
RECORDED = json.loads((Path(__file__).parents[1] / "conformance" / "cases.json").read_text())
SINGLE_POSTS = [
    case
    for case in RECORDED
    if case["name"].startswith(("text:", "hist:")) and [s["method"] for s in case["steps"]] == ["POST"]
]
NOW_ACCEPTED = {"text: CRLF", "text: CR blank line", "text: HELP no newline"}
KEY = GroupingKey((("job", "j"),))


SIGHTINGS = 2
"""What begins and ends like something that was seen before is remembered."""


def read_or_refuse(reader: TextReader, body: bytes) -> Exposition | str:
    try:
        return reader.read(body)
    except ParseError as refused:
        return str(refused)


@given(st.binary())
def test_any_bytes_are_families_or_refused(body: bytes) -> None:
    read_or_refuse(TextReader(), body)


@given(st.sampled_from(CORPUS), st.randoms(use_true_random=False))
def test_a_body_with_some_bytes_changed_is_families_or_refused(path: Path, luck: random.Random) -> None:
    body = bytearray(path.read_bytes())
    for _ in range(luck.randint(1, 3)):
        at = luck.randint(0, len(body))
        body[at : at + luck.randint(0, 2)] = luck.choice(
            [b"", b'"', b"\\", b"{", b"}", b",", b"\n", b" ", b"\xff", b"#", b"\r"]
        )
    read_or_refuse(TextReader(), bytes(body))


@given(st.lists(BODIES, min_size=1, max_size=4), st.sampled_from([2, 8, 1000]))
def test_what_was_read_before_changes_no_verdict(bodies: list[bytes], series_limit: int) -> None:
    used = TextReader(series_limit=series_limit)
    for body in [*bodies, *bodies]:
        assert read_or_refuse(used, body) == read_or_refuse(TextReader(), body)


@given(BODIES)
def test_a_line_that_is_read_exactly_means_what_it_means_when_read_quickly(body: bytes) -> None:
    # Indented lines are never of the ordinary form.
    indented = b"".join(b"\t" + line for line in body.splitlines(keepends=True))
    assert read_or_refuse(TextReader(), indented) == read_or_refuse(TextReader(), body)


@given(BODIES)
def test_a_missing_last_newline_is_never_worse_than_a_present_one(body: bytes) -> None:
    cut = body.rstrip(b"\r\n")
    whole = read_or_refuse(TextReader(), cut + b"\n")
    unfinished = read_or_refuse(TextReader(), cut)
    assert unfinished == whole or str(unfinished).endswith("unexpected end of input stream")
    assert isinstance(unfinished, str) == isinstance(whole, str)


NUMBERS = st.floats().map(format_float)
COUNTS = st.floats(min_value=0).map(format_float)
BOUNDS = st.floats(allow_nan=False).map(format_float)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HELPS = TEXTS.filter(lambda text: text[:1] not in (" ", "\t", "") and text[-1:] != "\r")
"""Helps that read back: leading blanks are skipped, and a carriage return belongs to the end of the line."""
ANY_SERIES = st.dictionaries(st.sampled_from(["a", "b", "c_1", "Z"]), TEXTS, max_size=3)
PLAIN_TYPES = st.sampled_from([Type.COUNTER, Type.GAUGE, Type.UNTYPED])


@st.composite
def families(draw: st.DrawFn, name: str) -> Family:
    """A family as the reader makes it from what the writer wrote: histograms with their last bucket."""
    label_sets = draw(
        st.lists(ANY_SERIES, min_size=1, max_size=4, unique_by=lambda labels: tuple(sorted(labels.items())))
    )
    kind = draw(st.one_of(PLAIN_TYPES, st.sampled_from([Type.SUMMARY, Type.HISTOGRAM])))
    metrics: list[Metric] = []
    for labels in label_sets:
        series = Series(name, labels.items())
        if kind is Type.SUMMARY:
            count = str(draw(st.integers(0, 99_999)))
            quantiles = draw(st.lists(st.tuples(BOUNDS, NUMBERS), max_size=3))
            metrics.append(Summary(series, tuple(quantiles), count, draw(NUMBERS)))
        elif kind is Type.HISTOGRAM:
            buckets = draw(st.lists(st.tuples(BOUNDS, COUNTS), max_size=3))
            metrics.append(Histogram(series, (*buckets, ("+Inf", draw(COUNTS))), draw(COUNTS), draw(NUMBERS)))
        else:
            metrics.append((series, draw(NUMBERS)))
    return Family(name, kind, draw(st.none() | HELPS), metrics)


EXPOSITIONS = st.tuples(families("a"), families("b:c"), families("h_x")).map(list)


def within(family: Family, key: GroupingKey) -> Family:
    """The family with the labels that a scrape of the group adds."""
    added = {"instance": "", **dict(key.labels)}
    metrics = [
        (Series(family.name, {**dict(metric[0].labels), **added}.items()), *metric[1:]) for metric in family.metrics
    ]
    kind = {Type.HISTOGRAM: Histogram, Type.SUMMARY: Summary}.get(family.type)
    return family._replace(metrics=[kind(*metric) if kind else metric for metric in metrics])


@given(EXPOSITIONS, TEXTS.filter(bool))
def test_families_are_read_back_as_they_were_written(pushed: list[Family], job: str) -> None:
    key = GroupingKey((("job", job),))
    page = "".join(write_head(f.name, f.type, f.help) + write_samples(f, key) for f in pushed)
    reader = TextReader()
    expected = Exposition([within(family, key) for family in pushed])
    assert reader.read(page.encode()) == expected
    assert reader.read(page.encode()) == expected


def values_of(family: Family) -> list[tuple[str, dict[str, str], str]]:
    """The sample lines of a family: name, labels, value."""
    lines: list[tuple[str, dict[str, str], str]] = []
    for metric in family.metrics:
        labels = dict(metric[0].labels)
        if isinstance(metric, Histogram):
            lines += [(f"{family.name}_bucket", {**labels, "le": bound}, count) for bound, count in metric.buckets]
        if isinstance(metric, Summary):
            lines += [(family.name, {**labels, "quantile": bound}, value) for bound, value in metric.quantiles]
        if isinstance(metric, (Histogram, Summary)):
            lines += [(f"{family.name}_sum", labels, metric.sum), (f"{family.name}_count", labels, metric.observations)]
        else:
            lines.append((family.name, labels, metric[1]))
    return lines


def read_by_the_python_client(page: str) -> list[tuple[str, dict[str, str], str]]:
    """The samples of a page; the client lets those of a counter `a` be called `a_total`."""
    return [
        (sample.name.removesuffix("_total"), dict(sample.labels), format_float(sample.value))
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]


def in_any_order(samples: list[tuple[str, dict[str, str], str]]) -> list[str]:
    return sorted(f"{name} {sorted(labels.items())} {value}" for name, labels, value in samples)


@given(EXPOSITIONS)
def test_the_python_client_reads_the_same_samples_from_what_we_write(pushed: list[Family]) -> None:
    page = "".join(write_head(f.name, f.type, f.help) + write_samples(f, KEY) for f in pushed)
    ours = [line for family in TextReader().read(page.encode()).families for line in values_of(family)]
    assert in_any_order(read_by_the_python_client(page)) == in_any_order(ours)


@given(st.lists(SAMPLES.filter(lambda line: '"q"' not in line), max_size=5))
def test_the_python_client_reads_the_same_samples_wherever_both_accept(lines: list[str]) -> None:
    """Without types, every line is a sample of its own name.

    The client accepts more: `+nan`, 1e400, digits of other scripts, fractional and second timestamps, a blank instead
    of one, invalid escapes, a second TYPE line. Names in front that are quoted (`"q" 1`) it does not know.
    """
    page = "\n".join([*lines, ""])
    exposition = read_or_refuse(TextReader(), page.encode())
    if isinstance(exposition, str):
        return
    try:
        theirs = read_by_the_python_client(page)
    except ValueError:
        return
    ours = [line for family in exposition.families for line in values_of(family)]
    assert in_any_order(theirs) == in_any_order(ours)


@pytest.mark.parametrize("case", SINGLE_POSTS, ids=lambda case: str(case["name"]))
def test_a_recorded_body_has_the_recorded_fate(
    case: dict[str, Any], reader: TextReader, scraped: Callable[[Exposition], str]
) -> None:
    body = case["steps"][0]["body"].encode()
    if case["name"] in NOW_ACCEPTED:
        reader.read(body)
        return
    if case["status"] == [400]:
        with pytest.raises((ParseError, InconsistentPush)) as refused:
            check(reader.read(body), KEY, {})
        assert all(part in str(refused.value) for part in case["body_contains"][0])
        return
    exposition = reader.read(body)
    check(exposition, KEY, {})
    expected = [line for line in case["then_scrape_lines"] if " push_" not in line and not line.startswith("push_")]
    assert scraped(exposition).splitlines() == expected


def test_the_first_timestamp_is_told(reader: TextReader) -> None:
    assert reader.read(b"a 1\nb 2 -5\nc 3 9223372036854775807\n").timestamp_at == "line 2"
    assert reader.read(b"a 1\nb 2\n").timestamp_at is None


def test_a_timestamp_of_a_sample_that_says_nothing_counts(reader: TextReader) -> None:
    assert reader.read(b"# TYPE h histogram\nh 1 +0\n").timestamp_at == "line 2"


def test_duplicates_are_left_to_the_rules(reader: TextReader) -> None:
    assert len(reader.read(b"a 1\na 1\n").families[0].metrics) == 2


def test_families_are_in_the_order_of_their_first_appearance(reader: TextReader) -> None:
    exposition = reader.read(b"# HELP c x\nb 1\n# TYPE a gauge\nc 1\na 1\n")
    assert [family.name for family in exposition.families] == ["c", "b", "a"]


def test_the_names_flag_admits_any_utf8_in_quotes() -> None:
    reader = TextReader(utf8_names=True)
    body = '# TYPE "a.b" gauge\n{"a.b","c d"="1",é_="x"} 1\n'.replace(",é_=", ',"é"=').encode()
    (family,) = reader.read(body).families
    assert (family.name, family.type) == ("a.b", Type.GAUGE)
    assert family.metrics == [(Series("a.b", [("c d", "1"), ("é", "x")]), "1")]


@pytest.mark.parametrize("body", [b"a.b 1\n", b'{""} 1\n', b'{"\xff"} 1\n', b'a{"\xff"="b"} 1\n', b'a{""="b"} 1\n'])
def test_the_names_flag_does_not_admit_everything(body: bytes) -> None:
    with pytest.raises(ParseError):
        TextReader(utf8_names=True).read(body)


def remembered(reader: TextReader) -> list[int]:
    memory = reader._memory
    return [len(memory.heads.known), len(memory.splits.bases), len(memory.heads.layouts), len(memory.splits.bounds)]


@pytest.mark.parametrize("ends", ["", "up 1\n"], ids=["new", "known"])
def test_memory_is_bounded_under_ever_new_series(ends: str) -> None:
    reader = TextReader(series_limit=100)
    for number in range(500):
        lines = ["# TYPE h histogram\n", *(f'h_bucket{{l{number}="{line}",le="{number}"}} 1\n' for line in range(30))]
        reader.read("".join([ends, *lines, ends]).encode())
    assert all(size <= limit for size, limit in zip(remembered(reader), [100, 100, 10, 10], strict=True))


def test_of_a_body_whose_first_or_last_line_is_new_no_series_is_remembered() -> None:
    reader = TextReader()
    for number in range(5):
        reader.read(f'a{{b="{number}"}} 1\na{{b="x"}} 1\n'.encode())
        reader.read(f'a{{b="x"}} 1\na{{b="{number}"}} 1\n'.encode())
    assert len(reader._memory.heads.known) == 0


def test_a_series_in_use_stays_remembered() -> None:
    reader = TextReader(series_limit=100)
    for _ in range(SIGHTINGS):
        hot = reader.read(b'a{b="hot"} 1\n').families[0].metrics[0][0]
    for number in range(500):
        again = reader.read(f'a{{b="hot"}} 1\na{{b="{number}"}} 1\n'.encode()).families[0].metrics[0][0]
        assert again is hot


def test_a_layout_in_use_stays_remembered() -> None:
    reader = TextReader(series_limit=40)
    reader.read(b'a{b="1"} 1\n')
    hot = reader._memory.heads.layouts.get('a{b=""}')
    for number in range(50):
        reader.read(f'a{{l{number}="1"}} 1\na{{b="{number}"}} 1\n'.encode())
        assert reader._memory.heads.layouts.get('a{b=""}') is hot


@pytest.mark.parametrize(
    "line",
    ['h_count{{a="{}"}} 1', 'h_count{{"a"="{}"}} 1', "# HELP h {}", 'h_count{{{}=""}} 1'],
    ids=["series", "series in another form", "comment", "layout"],
)
def test_what_is_very_long_is_read_but_not_remembered(line: str) -> None:
    reader = TextReader()
    for _ in range(SIGHTINGS):
        long = line.format("x" * (LONGEST_REMEMBERED + 1))
        reader.read(f"up 1\n# TYPE h histogram\n{long}\nh_sum 1\n".encode())
    longest = max((len(key) for key in reader._memory.heads.known.young), default=0)
    assert longest <= LONGEST_REMEMBERED
    assert all(len(key) <= LONGEST_REMEMBERED for key in reader._memory.heads.layouts.young)
    assert all(len(str(key)) <= LONGEST_REMEMBERED for key in reader._memory.splits.bases.young)


def test_broken_bytes_in_a_comment_do_not_change_how_the_rest_is_read(reader: TextReader) -> None:
    body = b'# HELP a x\n# TYPE a gauge\na{b="c"} 1\n'
    assert reader.read(body + b"# \xff\n") == TextReader().read(body)
