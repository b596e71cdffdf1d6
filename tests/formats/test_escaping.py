"""Names that are not legacy, as they are shown to readers that know no others."""

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples
from prometheus_client.parser import text_string_to_metric_families

from pgw.formats import metrics_pb2 as pb
from pgw.formats.escaping import (
    Escaper,
    Scheme,
    escape_label_name,
    escape_label_names,
    escape_message,
    escape_metric_name,
)
from pgw.formats.text_writer import write_head
from pgw.model.family import Family, Histogram, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.names import is_label_name, is_metric_name
from pgw.model.series import Series

KEY = GroupingKey((("job", "j"),))
ESCAPING = [Scheme.UNDERSCORES, Scheme.DOTS, Scheme.VALUES]


@pytest.mark.parametrize(
    ("name", "underscores", "dots", "values"),
    [
        ("a.b", "a_b", "a_dot_b", "U__a_2e_b"),
        ("a b-c", "a_b_c", "a__b__c", "U__a_20_b_2d_c"),
        ("http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"),
        ("a_b.c", "a_b_c", "a__b_dot_c", "U__a__b_2e_c"),
        ("1a", "_a", "__a", "U___31_a"),
        ("label with 😱", "label_with__", "label__with____", "U__label_20_with_20__1f631_"),
        ("é", "_", "__", "U___e9_"),
        ("\n", "_", "__", "U___a_"),
        ("_ok:9", "_ok:9", "_ok:9", "_ok:9"),
    ],
)
def test_a_metric_name_is_escaped_as_the_scheme_says(name: str, underscores: str, dots: str, values: str) -> None:
    assert [escape_metric_name(name, scheme) for scheme in ESCAPING] == [underscores, dots, values]
    assert escape_metric_name(name, Scheme.ALLOW_UTF8) == name


def test_a_colon_is_escaped_in_label_names_only() -> None:
    assert [escape_label_name("a:b", scheme) for scheme in Scheme] == ["a:b", "a_b", "a__b", "U__a_3a_b"]
    assert [escape_metric_name("a:b", scheme) for scheme in Scheme] == ["a:b"] * 4


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True, max_size=5), st.sampled_from(ESCAPING))
def test_the_labels_of_a_series_get_different_legacy_names(names: list[str], scheme: Scheme) -> None:
    escaped = escape_label_names(names, scheme)
    assert len(set(escaped)) == len(names)
    assert all(map(is_label_name, escaped))
    assert "__name__" not in set(escaped) - set(names)
    assert [new for old, new in zip(names, escaped, strict=True) if is_label_name(old)] == [
        name for name in names if is_label_name(name)
    ]


def test_a_legacy_label_keeps_its_name_and_the_other_gives_way() -> None:
    assert escape_label_names(["x-y", "x.y", "x_y"], Scheme.UNDERSCORES) == ["x_y_", "x_y__", "x_y"]
    assert escape_label_names(["é_name_é", "-_name__"], Scheme.UNDERSCORES) == ["__name___", "__name____"]


PAGE = """\
# HELP "a b" a "quoted" {"help",c="d"} \\n
# TYPE "a b" histogram
{"a b_bucket",instance="",job="j","x.y"="1,\\"},{\\"a\\"=\\"\\\\",le="1"} 2
{"a b_bucket",instance="",job="j","x.y"="1",le="+Inf"} 2
{"a b_sum",instance="",job="j","x.y"="1"} 1.5
{"a b_count",instance="",job="j","x.y"="1"} 2
# HELP c ,"not a name"
# TYPE c gauge
c{instance="x,",job="{"} 1
c{instance="",job="j","é"="\\n"} 1
c 2
# TYPE "a b_sum" untyped
{"a b_sum"} 1
"""


def test_a_page_is_escaped_line_by_line() -> None:
    assert Escaper(Scheme.DOTS).escape(PAGE.encode()).decode() == (
        '# HELP a__b a "quoted" {"help",c="d"} \\n\n'
        "# TYPE a__b histogram\n"
        'a__b_bucket{instance="",job="j",x_dot_y="1,\\"},{\\"a\\"=\\"\\\\",le="1"} 2\n'
        'a__b_bucket{instance="",job="j",x_dot_y="1",le="+Inf"} 2\n'
        'a__b_sum{instance="",job="j",x_dot_y="1"} 1.5\n'
        'a__b_count{instance="",job="j",x_dot_y="1"} 2\n'
        '# HELP c ,"not a name"\n'
        "# TYPE c gauge\n"
        'c{instance="x,",job="{"} 1\n'
        'c{instance="",job="j",__="\\n"} 1\n'
        "c 2\n"
        "# TYPE a__b__sum untyped\n"
        "a__b__sum 1\n"
    )


def test_a_page_stays_as_it_is_for_those_who_take_any_utf8() -> None:
    page = PAGE.encode()
    assert Escaper(Scheme.ALLOW_UTF8).escape(page) is page


def test_a_page_without_quoted_names_is_returned_as_it_is() -> None:
    page = b'# HELP c "h"\n# TYPE c gauge\nc{instance="",job="a\\",b"} 1\n'
    assert Escaper(Scheme.UNDERSCORES).escape(page) is page


@pytest.mark.parametrize("cut", range(1, PAGE.count("\n")))
def test_a_page_in_parts_is_the_page_in_one(cut: int) -> None:
    lines = PAGE.encode().splitlines(keepends=True)
    escaper = Escaper(Scheme.DOTS)
    parts = escaper.escape(b"".join(lines[:cut])) + escaper.escape(b"".join(lines[cut:]))
    assert parts == Escaper(Scheme.DOTS).escape(PAGE.encode())


def test_a_part_may_begin_within_a_family() -> None:
    part = b'{"a_x.b_count",job="j"} 2\n'
    assert Escaper(Scheme.VALUES, ("a_x.b", Type.SUMMARY)).escape(part) == b'U__a__x_2e_b_count{job="j"} 2\n'
    assert Escaper(Scheme.VALUES, ("a_x.b_count", Type.GAUGE)).escape(part) == b'U__a__x_2e_b__count{job="j"} 2\n'
    assert Escaper(Scheme.VALUES).escape(part) == b'U__a__x_2e_b__count{job="j"} 2\n'


TEXTS = st.text(st.sampled_from('ab_.:é "\\\n,={}#%'), max_size=5)
NAMES = TEXTS.filter(bool)
LABEL_NAMES = NAMES.filter(lambda name: not name.startswith("__"))


@given(
    NAMES,
    st.sampled_from([Type.GAUGE, Type.SUMMARY, Type.HISTOGRAM]),
    TEXTS,
    st.dictionaries(LABEL_NAMES, TEXTS, max_size=3),
)
def test_whatever_is_written_is_legacy_text_when_escaped(
    name: str, kind: Type, text_help: str, labels: dict[str, str]
) -> None:
    series = Series(name, labels.items())
    metric = {
        Type.GAUGE: (series, "1"),
        Type.SUMMARY: Summary(series, (("0.5", "1"),), "2", "3"),
        Type.HISTOGRAM: Histogram(series, (("1", "1"),), "2", "3"),
    }[kind]
    text = write_head(name, kind, text_help) + write_samples(Family(name, kind, text_help, [metric]), KEY)  # type: ignore[list-item]  # one of three
    escaped = Escaper(Scheme.VALUES).escape(text.encode()).decode()

    (family,) = text_string_to_metric_families(escaped)
    shown = escape_metric_name(name, Scheme.VALUES)
    assert is_metric_name(shown)
    assert (family.name, family.type) == (shown, kind.name.lower())
    wanted = {escape_label_name(label, Scheme.VALUES): value for label, value in labels.items()}
    for sample in family.samples:
        labels_shown = {label: value for label, value in sample.labels.items() if label not in ("le", "quantile")}
        assert labels_shown == {"instance": "", **wanted, "job": "j"}


def test_a_message_is_escaped_like_text() -> None:
    message = pb.MetricFamily.FromString(
        wire.family(
            "a.b",
            wire.GAUGE,
            wire.label("x-y", "1") + wire.label("x_y", "2") + wire.gauge(1),
            wire.gauge(2),
        )
    )
    expected = wire.family(
        "a_b",
        wire.GAUGE,
        wire.label("x_y_", "1") + wire.label("x_y", "2") + wire.gauge(1),
        wire.gauge(2),
    )
    assert escape_message(message, Scheme.UNDERSCORES).SerializeToString() == expected
    assert escape_message(message, Scheme.ALLOW_UTF8) is message


def test_a_message_of_legacy_names_is_returned_as_it_is() -> None:
    message = pb.MetricFamily.FromString(wire.family("a", wire.GAUGE, wire.label("x", "-") + wire.gauge(1)))
    assert escape_message(message, Scheme.VALUES) is message
