"""The data of the JSON API, to the letter."""

import json
import math
from datetime import UTC

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples

from pgw.formats.json_writer import group_json, status_json
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition, Type
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey, Labels

PUSHED = 1795247408601141
STAMP = '"time_stamp":"2026-11-21T07:50:08.601141Z"'
J: Labels = (("job", "j"),)
IJ: Labels = (("instance", "i"), ("job", "j"))


def shown(pushed: str | bytes, labels: Labels = J, *more: Fragment) -> str:
    """The JSON of a group with what was pushed, as text or as protobuf."""
    key = GroupingKey(labels)
    read: Exposition = TextReader().read(pushed.encode()) if isinstance(pushed, str) else read_protobuf(pushed)
    fragments = [
        Fragment(
            each.name, each.type, each.help, write_samples(each, key).encode(), pushed_at=PUSHED, details=each.details
        )
        for each in read.families
    ]
    return group_json(Group(key, PUSHED, 0, (*fragments, *more)), UTC).decode()


def test_a_group_looks_as_the_original_shows_it() -> None:
    pushed = (
        '# TYPE c counter\nc{z="<&>\\n\\"\u2028"} 1e6\nc{z="2"} Inf\n'
        "# HELP g gauge help\n# TYPE g gauge\ng -0\n"
        '# HELP h Help of h.\n# TYPE h histogram\nh_bucket{le="0.1"} 1\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 4\n'
        "h_sum 5.5\nh_count 4\n"
        '# TYPE s summary\ns{x="y",quantile="0.5"} 0.25\ns{x="y",quantile="0.99"} NaN\ns_sum{x="y"} 1e9\n'
        's_count{x="y"} 1000000\nu 1.5\n'
    )
    assert shown(pushed, IJ) == (
        f'{{"c":{{{STAMP},"type":"COUNTER","metrics":['
        '{"labels":{"instance":"i","job":"j","z":"\\u003c\\u0026\\u003e\\n\\"\\u2028"},"value":"1e+06"},'
        '{"labels":{"instance":"i","job":"j","z":"2"},"value":"+Inf"}]},'
        f'"g":{{{STAMP},"type":"GAUGE","help":"gauge help","metrics":['
        '{"labels":{"instance":"i","job":"j"},"value":"-0"}]},'
        f'"h":{{{STAMP},"type":"HISTOGRAM","help":"Help of h.","metrics":['
        '{"buckets":{"+Inf":"4","0.1":"1","1":"3"},"count":"4","labels":{"instance":"i","job":"j"},"sum":"5.5"}]},'
        '"labels":{"instance":"i","job":"j"},"last_push_successful":true,'
        f'"s":{{{STAMP},"type":"SUMMARY","metrics":['
        '{"count":"1000000","labels":{"instance":"i","job":"j","x":"y"},"quantiles":{"0.5":"0.25","0.99":"NaN"},'
        '"sum":"1e+09"}]},'
        f'"u":{{{STAMP},"type":"UNTYPED","metrics":[{{"labels":{{"instance":"i","job":"j"}},"value":"1.5"}}]}}}}'
    )


def test_the_labels_of_a_group_are_those_of_its_key_and_those_of_a_metric_have_an_instance() -> None:
    group = json.loads(shown("a 1"))
    assert group["labels"] == {"job": "j"}
    assert group["a"]["metrics"][0]["labels"] == {"instance": "", "job": "j"}


def test_a_family_may_take_the_place_of_the_labels() -> None:
    group = json.loads(shown("labels 1\nlast_push_successful 2"))
    assert {name: group[name]["metrics"][0]["value"] for name in group} == {"labels": "1", "last_push_successful": "2"}


@pytest.mark.parametrize(("pushed_at", "failed_at", "successful"), [(2, 1, True), (2, 2, True), (0, 1, False)])
def test_the_last_push_was_successful_unless_one_failed_since(
    pushed_at: int, failed_at: int, *, successful: bool
) -> None:
    group = json.loads(group_json(Group(GroupingKey(J), pushed_at, failed_at, ()), UTC))
    assert group == {"labels": {"job": "j"}, "last_push_successful": successful}


def test_a_fragment_that_is_not_stored_has_the_time_of_its_group() -> None:
    push_time = Fragment("push_time_seconds", Type.GAUGE, "h", b'push_time_seconds{instance="",job="j"} 0\n')
    for times in ((PUSHED, 0), (0, PUSHED)):
        group = json.loads(group_json(Group(GroupingKey(J), *times, (push_time,)), UTC))
        assert group["push_time_seconds"]["time_stamp"] == "2026-11-21T07:50:08.601141Z"


def test_buckets_are_those_that_were_pushed() -> None:
    group = json.loads(shown('# TYPE h histogram\nh_bucket{le="1"} 2\nh_count 3\n'))
    assert group["h"]["metrics"][0] == {
        "labels": {"instance": "", "job": "j"},
        "buckets": {"1": "2"},
        "count": "3",
        "sum": "0",
    }


def test_a_family_without_metrics_has_an_empty_list() -> None:
    assert shown(wire.delimited(wire.family("a", wire.GAUGE, text_help=b""))) == (
        f'{{"a":{{{STAMP},"type":"GAUGE","metrics":[]}},"labels":{{"job":"j"}},"last_push_successful":true}}'
    )


@pytest.mark.parametrize(
    ("kind", "metric", "value"),
    [
        (
            wire.HISTOGRAM,
            wire.histogram(
                3, 1, wire.integer(5, wire.zigzag(1)), wire.span(12, 0, 2), wire.delta(13, 1), wire.delta(13, 1)
            ),
            {
                "buckets": [[0, "0.7071067811865475", "1", "1"], [0, "1", "1.414213562373095", "2"]],
                "count": "3",
                "sum": "1",
            },
        ),
        (
            wire.GAUGE_HISTOGRAM,
            wire.NATIVE,
            {
                "buckets": [
                    [1, "-2", "-1.414213562373095", "4"],
                    [3, "-1e-09", "1e-09", "1"],
                    [0, "0.7071067811865475", "1", "2"],
                    [0, "1", "1.414213562373095", "3"],
                    [0, "4", "5.65685424949238", "4"],
                ],
                "count": "14",
                "sum": "1.5",
            },
        ),
        (
            wire.HISTOGRAM,
            wire.nested(7, wire.double(4, 4), wire.span(12, 0, 2), wire.double(14, 1.5), wire.double(14, 0)),
            {"buckets": [[0, "0.5", "1", "1.5"]], "count": "4", "sum": "0"},
        ),
        (
            wire.HISTOGRAM,
            wire.histogram(2**64 - 1, 0, wire.bucket(-0.0, 2**53 + 1), wire.bucket(2, 0, wire.double(4, 2.5))),
            {"buckets": {"-0": "9007199254740993", "2": "2.5"}, "count": "18446744073709551615", "sum": "0"},
        ),
        (
            wire.SUMMARY,
            wire.summary(1000000, math.inf, (0.5, -0.0)),
            {"quantiles": {"0.5": "-0"}, "count": "1000000", "sum": "+Inf"},
        ),
    ],
)
def test_what_only_protobuf_carries_is_shown(kind: int, metric: bytes, value: dict[str, object]) -> None:
    group = json.loads(shown(wire.delimited(wire.family("a", kind, metric))))
    assert group["a"]["metrics"] == [{"labels": {"instance": "", "job": "j"}, **value}]


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_reads_back_and_holds_nothing_that_a_page_could_take_for_markup(text: str) -> None:
    encoded = status_json({}, {"a": text}, "now")
    assert json.loads(encoded) == {"build_information": {}, "flags": {"a": text}, "start_time": "now"}
    assert not set(encoded.decode()) & set("<>&\u2028\u2029")


def test_the_status_is_sorted() -> None:
    build = {"version": "1", "branch": "b"}
    flags = {"web.listen-address": ":9091", "log.level": "info"}
    assert status_json(build, flags, "2026-11-21T07:50:08Z") == (
        b'{"build_information":{"branch":"b","version":"1"},'
        b'"flags":{"log.level":"info","web.listen-address":":9091"},"start_time":"2026-11-21T07:50:08Z"}'
    )
