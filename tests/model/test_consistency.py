"""The rules that a push must satisfy by itself, one after the other."""

import pytest

from pgw.errors import InconsistentPush
from pgw.model.consistency import check, check_readable, without_duplicates
from pgw.model.family import Exposition, Family, Histogram, Metric, Summary, Type
from pgw.model.grouping import GroupingKey
from pgw.model.series import Series

KEY = GroupingKey((("job", "j"),))
PREFIX = "pushed metrics are invalid or inconsistent with existing metrics: "
COMPOUND: dict[Type, type[Histogram | Summary]] = {
    Type.HISTOGRAM: Histogram,
    Type.GAUGE_HISTOGRAM: Histogram,
    Type.SUMMARY: Summary,
}


def family(name: str, kind: Type, *label_sets: dict[str, str]) -> Family:
    """A family with one metric for each label set."""
    make = COMPOUND.get(kind)
    series = [Series(name, labels.items()) for labels in label_sets or ({},)]

    def metric(it: Series) -> Metric:
        return (it, "1") if make is None else make(it, (), "0", "0")

    return Family(name, kind, None, [metric(it) for it in series])


def refusal(*families: Family, key: GroupingKey = KEY, own: dict[str, Type] | None = None) -> str | None:
    try:
        check(Exposition(list(families)), key, own or {})
    except InconsistentPush as refused:
        return str(refused).removeprefix(PREFIX)
    return None


def test_an_ordinary_push_is_accepted() -> None:
    assert (
        refusal(family("a", Type.GAUGE, {}, {"b": "c"}), family("h", Type.HISTOGRAM), family("s", Type.SUMMARY)) is None
    )


def test_a_timestamp_is_refused() -> None:
    with pytest.raises(InconsistentPush, match=r"pushed metrics must not have timestamps \(line 3\)"):
        check(Exposition([], "line 3"), KEY, {})


def test_a_label_name_of_prometheus_is_refused() -> None:
    assert refusal(family("a", Type.GAUGE, {"__x": "1"})) == (
        'collected metric "a" {__x="1",instance="",job="j"} has a label with an invalid name: __x'
    )


def test_label_sets_may_differ_and_labels_may_be_empty() -> None:
    assert refusal(family("a", Type.GAUGE, {}, {"b": ""}, {"c": "1"}, {"_d": "1"})) is None


@pytest.mark.parametrize(
    "labels",
    [({}, {}), ({}, {"instance": ""}), ({"job": "x"}, {"job": "y"}), ({"a": "1", "b": "2"}, {"b": "2", "a": "1"})],
)
def test_a_series_that_comes_twice_in_the_group_is_refused(labels: tuple[dict[str, str], ...]) -> None:
    reason = refusal(family("a", Type.GAUGE, {"first": "1"}, *labels))
    assert reason is not None
    assert reason.endswith("was collected before with the same name and label values")


def test_of_a_series_that_comes_twice_the_last_can_be_kept() -> None:
    series = Series("a", [("b", "1")])
    once = without_duplicates(
        Family("a", Type.GAUGE, None, [(series, "1"), (Series("a", []), "2"), (series, "3")]), KEY
    )
    assert once.metrics == [(series, "3"), (Series("a", []), "2")]


@pytest.mark.parametrize(
    ("kind", "label"), [(Type.SUMMARY, "quantile"), (Type.HISTOGRAM, "le"), (Type.GAUGE_HISTOGRAM, "le")]
)
def test_the_label_that_a_type_writes_is_refused_in_body_and_key(kind: Type, label: str) -> None:
    inside = family("a", kind, {label: "1"})
    key = GroupingKey(tuple(sorted([("job", "j"), (label, "1")])))
    for reason in (refusal(inside), refusal(family("a", kind), key=key)):
        assert reason is not None
        assert reason.endswith(f'must not have an explicit "{label}" label')
    with pytest.raises(InconsistentPush, match="must not have an explicit"):
        check_readable(Exposition([inside]), KEY)


def test_le_and_quantile_are_ordinary_labels_elsewhere() -> None:
    assert refusal(family("a", Type.GAUGE, {"le": "1", "quantile": "2"})) is None
    assert refusal(family("a", Type.SUMMARY, {"le": "1"}), family("b", Type.HISTOGRAM, {"quantile": "1"})) is None
    check_readable(Exposition([family("a", Type.GAUGE, {"le": "1"})]), KEY)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        (Type.HISTOGRAM, "_count"),
        (Type.HISTOGRAM, "_sum"),
        (Type.HISTOGRAM, "_bucket"),
        (Type.GAUGE_HISTOGRAM, "_bucket"),
        (Type.SUMMARY, "_count"),
        (Type.SUMMARY, "_sum"),
    ],
)
def test_a_family_called_like_a_part_of_another_is_refused(kind: Type, suffix: str) -> None:
    compound, clash = family("h", kind), family(f"h{suffix}", Type.GAUGE)
    expected = f'collected metric "h{suffix}" collides with previously collected {kind.word} named "h"'
    assert refusal(compound, clash) == expected
    assert refusal(clash, compound) == expected
    assert refusal(compound, own={clash.name: Type.GAUGE}) == expected
    assert refusal(clash, own={"h": kind}) == expected


def test_other_names_are_free() -> None:
    assert refusal(family("s", Type.SUMMARY), family("s_bucket", Type.GAUGE)) is None
    assert refusal(family("g", Type.GAUGE), family("g_count", Type.GAUGE)) is None
    assert refusal(own={"s": Type.SUMMARY, "s_count": Type.GAUGE}) is None


def test_a_family_of_the_gateway_keeps_its_type() -> None:
    own = {"up": Type.GAUGE}
    assert refusal(family("up", Type.GAUGE), own=own) is None
    assert refusal(family("up", Type.COUNTER), own=own) == (
        'collected metric "up" is not a family of type gauge, '
        "as the gateway's own of that name is, but of type counter"
    )
