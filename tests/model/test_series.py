"""Series, and how they read in a group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.model.family import Type
from pgw.model.group import Group
from pgw.model.grouping import GroupingKey
from pgw.model.series import SHAPES_REMEMBERED, Series, around_labels, label_notation, notation

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
LABELS = st.dictionaries(st.sampled_from(["a", "b", "job", "instance", "x%s", 'q"']), TEXTS, max_size=4)


def key(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted({"job": "j", **labels}.items())))


@pytest.mark.parametrize(
    ("labels", "group", "shown"),
    [
        ({}, {}, 'instance="",job="j"'),
        ({"a": "1"}, {}, 'a="1",instance="",job="j"'),
        ({"z": "1", "instance": "i"}, {}, 'instance="i",job="j",z="1"'),
        ({"instance": ""}, {}, 'instance="",job="j"'),
        ({"instance": "body"}, {"instance": "key"}, 'instance="key",job="j"'),
        ({"job": "body", "a": ""}, {"a": "key"}, 'a="key",instance="",job="j"'),
        ({"a": "%s%%%d"}, {"b": "%s"}, 'a="%s%%%d",b="%s",instance="",job="j"'),
        ({"a": 'x"\\\n'}, {"b": '"\\\n'}, 'a="x\\"\\\\\\n",b="\\"\\\\\\n",instance="",job="j"'),
        ({"a b": "1", 'q"%': "2"}, {}, '"a b"="1",instance="",job="j","q\\"%"="2"'),
    ],
)
def test_a_template_filled_in_is_what_a_scrape_shows(labels: dict[str, str], group: dict[str, str], shown: str) -> None:
    grouping = key(**group)
    assert Series("m", labels.items()).template(grouping) % grouping.values == shown


@given(LABELS, LABELS, st.dictionaries(st.sampled_from(["a", "b", "instance"]), TEXTS))
def test_two_series_of_a_group_are_the_same_if_their_templates_are(
    one: dict[str, str], other: dict[str, str], group: dict[str, str]
) -> None:
    grouping = key(**group)

    def shown(labels: dict[str, str]) -> dict[str, str]:
        return {"instance": "", **labels, **dict(grouping.labels)}

    templates = {Series("m", labels.items()).template(grouping) for labels in (one, other)}
    assert (len(templates) == 1) == (shown(one) == shown(other))


def test_groups_of_one_shape_share_a_template() -> None:
    series = Series("m", [("a", "1")])
    assert series.template(key(b="1")) is series.template(key(b="2"))


def test_only_the_templates_of_some_shapes_are_remembered() -> None:
    series = Series("m", [("a", "1")])
    for number in range(3 * SHAPES_REMEMBERED):
        assert series.template(key(**{f"l{number}": ""})) == f'a="1",instance="",job="%s",l{number}="%s"'
        assert len(series._templates or {}) <= SHAPES_REMEMBERED


def test_series_are_equal_by_name_and_labels_in_any_order() -> None:
    one, same = Series("m", [("b", "1"), ("a", "2")]), Series("m", [("a", "2"), ("b", "1")])
    assert one == same
    assert hash(one) == hash(same)
    assert repr(one) == "Series('m', (('a', '2'), ('b', '1')))"
    assert one == Series.ordered("m", (("a", "2"), ("b", "1")))
    assert one != Series("n", same.labels)
    assert one != Series("m", [])
    assert one != "m"


@pytest.mark.parametrize(
    ("name", "labels", "text"),
    [
        ("a", "", "a"),
        ("a:b", 'c="d"', 'a:b{c="d"}'),
        ("a b", "", '{"a b"}'),
        ('a"\\', 'c="d"', '{"a\\"\\\\",c="d"}'),
    ],
)
def test_a_name_that_is_not_legacy_moves_into_the_braces(name: str, labels: str, text: str) -> None:
    assert notation(name, labels) == text
    if labels:
        assert labels.join(around_labels(name)) == text


def test_a_label_name_that_is_not_legacy_is_quoted() -> None:
    assert label_notation("a", "x") == 'a="x"'
    assert label_notation('a"b', "x") == '"a\\"b"="x"'


def test_a_group_whose_last_push_failed_says_so() -> None:
    assert Group(key(), pushed_at=2, failed_at=2, fragments=()).last_push_successful
    assert Group(key(), pushed_at=2, failed_at=0, fragments=()).last_push_successful
    assert not Group(key(), pushed_at=2, failed_at=3, fragments=()).last_push_successful


def test_a_type_has_the_word_of_the_text_format() -> None:
    assert [kind.word for kind in Type] == ["counter", "gauge", "summary", "untyped", "histogram", "histogram"]
