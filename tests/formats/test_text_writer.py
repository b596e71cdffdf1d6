"""What a family looks like in a scrape, to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples

from pgw.formats.text_writer import split_template, write_head
from pgw.model.family import Family, Histogram, Metric, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.series import Series


def family(kind: Type, *metrics: Metric) -> Family:
    return Family("m", kind, None, list(metrics))


def key(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted({"job": "j", **labels}.items())))


@pytest.mark.parametrize(
    ("help_text", "lines"),
    [
        (None, "# TYPE a gauge\n"),
        ("", "# HELP a \n# TYPE a gauge\n"),
        ("x  y ", "# HELP a x  y \n# TYPE a gauge\n"),
        ('a\\b\nc"d', '# HELP a a\\\\b\\nc"d\n# TYPE a gauge\n'),
    ],
)
def test_the_head_shows_a_help_that_was_given(help_text: str | None, lines: str) -> None:
    assert write_head("a", Type.GAUGE, help_text) == lines


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (Type.COUNTER, "counter"),
        (Type.GAUGE, "gauge"),
        (Type.SUMMARY, "summary"),
        (Type.UNTYPED, "untyped"),
        (Type.HISTOGRAM, "histogram"),
        (Type.GAUGE_HISTOGRAM, "histogram"),
    ],
)
def test_the_head_names_the_type(kind: Type, word: str) -> None:
    assert write_head("a", kind, None) == f"# TYPE a {word}\n"


def test_a_name_that_is_not_legacy_is_quoted() -> None:
    odd = Family('a "%s"', Type.GAUGE, None, [(Series('a "%s"', [("b c%d", "%")]), "1")])
    assert write_head(odd.name, odd.type, "h") == '# HELP "a \\"%s\\"" h\n# TYPE "a \\"%s\\"" gauge\n'
    assert write_samples(odd, key()) == '{"a \\"%s\\"","b c%d"="%",instance="",job="j"} 1\n'


def test_grouping_labels_are_filled_into_every_line() -> None:
    pushed = family(Type.GAUGE, (Series("m", [("a", "1"), ("zone", "body")]), "1"), (Series("m", [("a", "2")]), "2"))
    assert write_samples(pushed, key(zone='x%s"\\\n', instance="i")) == (
        'm{a="1",instance="i",job="j",zone="x%s\\"\\\\\\n"} 1\nm{a="2",instance="i",job="j",zone="x%s\\"\\\\\\n"} 2\n'
    )


def test_a_histogram_without_a_last_bucket_gets_one_behind_the_others() -> None:
    pushed = family(Type.HISTOGRAM, Histogram(Series("m", []), (("5", "1"), ("1", "2.5")), "7", "NaN"))
    assert write_samples(pushed, key(zzz="1")).splitlines() == [
        'm_bucket{instance="",job="j",zzz="1",le="5"} 1',
        'm_bucket{instance="",job="j",zzz="1",le="1"} 2.5',
        'm_bucket{instance="",job="j",zzz="1",le="+Inf"} 7',
        'm_sum{instance="",job="j",zzz="1"} NaN',
        'm_count{instance="",job="j",zzz="1"} 7',
    ]


def test_a_last_bucket_that_was_pushed_stays_as_and_where_it_is() -> None:
    pushed = family(Type.GAUGE_HISTOGRAM, Histogram(Series("m", []), (("+Inf", "1"), ("1", "2")), "7", "0"))
    assert write_samples(pushed, key()).splitlines()[:2] == [
        'm_bucket{instance="",job="j",le="+Inf"} 1',
        'm_bucket{instance="",job="j",le="1"} 2',
    ]


def test_a_summary_shows_quantiles_sum_and_count() -> None:
    pushed = family(Type.SUMMARY, Summary(Series("m", [("z", "%")]), (("0.5", "1"), ("0.9", "NaN")), "3", "2"))
    assert write_samples(pushed, key()).splitlines() == [
        'm{instance="",job="j",z="%",quantile="0.5"} 1',
        'm{instance="",job="j",z="%",quantile="0.9"} NaN',
        'm_sum{instance="",job="j",z="%"} 2',
        'm_count{instance="",job="j",z="%"} 3',
    ]


def test_a_family_without_metrics_has_no_lines() -> None:
    assert write_samples(family(Type.GAUGE), key()) == ""


@pytest.mark.parametrize(
    ("template", "pieces"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("%s", ["", ""]),
        ("a%sb%sc", ["a", "b", "c"]),
        ("%%s", ["%s"]),
        ("%%%s", ["%", ""]),
        ("%%%%s%s%%", ["%%s", "%"]),
    ],
)
def test_a_template_is_split_where_it_would_be_filled(template: str, pieces: list[str]) -> None:
    assert split_template(template) == pieces


@given(st.lists(st.sampled_from(["%%", "%s", "s", "x"])))
def test_the_pieces_of_a_template_with_values_between_are_the_template_filled(words: list[str]) -> None:
    template, values = "".join(words), tuple(map(str, range(words.count("%s"))))
    first, *others = split_template(template)
    assert first + "".join(f"{value}{piece}" for value, piece in zip(values, others, strict=True)) == template % values
