"""Groups that could hold the same series, and the names of sets of series."""

from pgw.formats.text_writer import sample_lines
from pgw.model.family import Family, Histogram, Type
from pgw.model.grouping import GroupingKey
from pgw.model.overlap import marks, rivals
from pgw.model.series import Series
from pgw.model.signature import SIZE, signature


def key(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted({"job": "j", **labels}.items())))


def gauge(value: str, **labels: str) -> Family:
    return Family("m", Type.GAUGE, None, [(Series("m", labels.items()), value)])


def test_a_series_has_one_rival_in_each_shape_whose_labels_it_carries() -> None:
    found = rivals(gauge("1", a="1", b="2"), key(), ["a,job", "instance,job", "job,zone"])
    mark = 'm{a="1",b="2",instance="",job="j"}'
    assert found == {"job/j/a/1": {mark}, "job/j/instance/": {mark}}


def test_a_rival_is_found_by_the_labels_that_win() -> None:
    assert set(rivals(gauge("1", a="body"), key(a="key"), ["a,job"])) == {"job/j/a/key"}


def test_a_histogram_is_known_by_its_count() -> None:
    family = Family("h", Type.HISTOGRAM, None, [Histogram(Series("h", [("a", "1")]), (), "0", "0")])
    assert rivals(family, key(), ["a,job"]) == {"job/j/a/1": {'h_count{a="1",instance="",job="j"}'}}


def test_marks_are_what_stands_before_the_values() -> None:
    assert marks('m{a="b c"} 1\nm{a="d"} 2') == {'m{a="b c"}', 'm{a="d"}'}


def signed(families: list[Family], key: GroupingKey, *, checked: bool = True) -> bytes:
    return signature(families, [sample_lines(each, key).heads for each in families], checked=checked)


def histogram(bound: str) -> Family:
    return Family("h", Type.HISTOGRAM, None, [Histogram(Series("h", []), ((bound, "0"),), "0", "0")])


def test_a_signature_does_not_depend_on_values() -> None:
    assert signed([gauge("1", a="1")], key()) == signed([gauge("2", a="1")], key())
    assert len(signed([], key())) == SIZE


def test_a_signature_depends_on_all_else() -> None:
    one = gauge("1", a="1")
    different = [
        signed(families, group, checked=checked)
        for families, group, checked in [
            ([one], key(), True),
            ([one], key(), False),
            ([one], key(b="1"), True),
            ([one, one._replace(name="n")], key(), True),
            ([one._replace(type=Type.COUNTER)], key(), True),
            ([one._replace(help="Helps.")], key(), True),
            ([one._replace(help="")], key(), True),
            ([one._replace(details=(b"more",))], key(), True),
            ([histogram("1")], key(), True),
            ([histogram("2")], key(), True),
            ([one._replace(name="n")], key(), True),
            ([gauge("1", a="2")], key(), True),
            ([gauge("1")], key(), True),
            ([one._replace(metrics=one.metrics * 2)], key(), True),
            ([], key(), True),
        ]
    ]
    assert len(set(different)) == len(different)
