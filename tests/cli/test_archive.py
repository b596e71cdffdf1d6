"""The file of `pgw export`: whatever a push can say is written and read back."""

from __future__ import annotations

import json
import re

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples

from pgw.cli import archive
from pgw.cli.archive import Archive
from pgw.cli.past import Old, read_moment
from pgw.errors import ArchiveError
from pgw.formats.moments import in_utc
from pgw.formats.protobuf_reader import read_protobuf
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey

KEY = GroupingKey((("größe", 'x"\\\n'), ("instance", ""), ("job", "a/b")))
NAMES = st.sampled_from(["a", "a_sum", "b:c", "größe", "a b", 'q"', "per%cent"])
NUMBERS = st.sampled_from(["0", "-0", "1.5", "1e+300", "NaN", "+Inf", "-Inf"])
COUNTS = st.integers(0, 9)
MOMENTS = st.integers(0, 10**16 - 1)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


@st.composite
def families(draw: st.DrawFn) -> str:
    """One family in the text format, of any type."""
    name = draw(NAMES)
    kind = draw(st.sampled_from(["counter", "gauge", "untyped", "summary", "histogram"]))
    labels = f"x={quoted(draw(VALUES))}"
    lines = [f"# HELP {quoted(name)} {draw(st.sampled_from(['', 'Helps.', 'a %s']))}"] if draw(st.booleans()) else []
    lines.append(f"# TYPE {quoted(name)} {kind}")
    if kind in ("summary", "histogram"):
        suffix, bound = ("", "quantile") if kind == "summary" else ("_bucket", "le")
        places = draw(st.lists(st.sampled_from(["0.1", "0.5", "1", "+Inf"]), unique=True, max_size=3))
        lines += [f'{{{quoted(name + suffix)},{labels},{bound}="{place}"}} {draw(COUNTS)}' for place in places]
        lines.append(f"{{{quoted(name + '_sum')},{labels}}} {draw(NUMBERS)}")
        lines.append(f"{{{quoted(name + '_count')},{labels}}} {draw(COUNTS)}")
    else:
        lines.append(f"{{{quoted(name)},{labels}}} {draw(NUMBERS)}")
    return "".join(f"{line}\n" for line in lines)


def stored(exposition: Exposition, pushed_at: int = 5, failed_at: int = 0, deadline: int = 0) -> Group:
    fragments = [
        Fragment(each.name, each.type, each.help, write_samples(each, KEY).encode(), details=each.details, pushed_at=7)
        for each in exposition.families
    ]
    return Group(KEY, pushed_at, failed_at, tuple(sorted(fragments)), deadline)


def written(*groups: Group) -> list[bytes]:
    lines = [archive.head(), *(line for group in groups for line in archive.lines_of(group)), archive.foot(len(groups))]
    return [line.encode() for line in lines]


def restored(old: Old) -> Group:
    past = old.past()
    return stored(past.pushed, past.pushed_at, past.failed_at, past.deadline)


@given(text=families(), times=st.tuples(MOMENTS, MOMENTS, MOMENTS))
def test_a_group_of_any_family_comes_back_as_it_was(text: str, times: tuple[int, int, int]) -> None:
    group = stored(TextReader(utf8_names=True).read(text.encode()), *times)
    [old] = Archive("file", written(group)).groups()
    assert restored(old) == group
    assert old.key == KEY
    assert [moment for _, moment in old.families] == [7]


def test_a_file_of_before_there_were_deadlines_is_read() -> None:
    lines = [line.replace(b', "expires": null', b"") for line in written(stored(TextReader().read(b"a 1\n")))]
    assert b"expires" not in b"".join(lines)
    [old] = Archive("file", lines).groups()
    assert old.deadline == 0


def test_what_text_cannot_carry_comes_back_too() -> None:
    body = wire.delimited(
        wire.family("native", wire.HISTOGRAM, wire.label("a", "b") + wire.NATIVE),
        wire.family("large", wire.SUMMARY, wire.summary(2**64 - 1, 2.5, (0.5, 1.0))),
        wire.family("nan", wire.HISTOGRAM, wire.histogram(3, 2.5, wire.bucket(0.5, 3), wire.bucket(float("nan"), 1))),
        wire.family("empty", wire.GAUGE, text_help=b""),
    )
    group = stored(read_protobuf(body))
    assert any(fragment.details for fragment in group.fragments)
    [old] = Archive("file", written(group)).groups()
    assert restored(old) == group


@given(moment=st.integers(0, 10**16 - 1))
def test_a_time_is_written_and_read_to_the_microsecond(moment: int) -> None:
    assert read_moment(in_utc(moment, "microseconds")) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", 1_769_860_800_000_000),
        ("2026-01-31T13:30:00.1234567+01:30", 1_769_860_800_123_456),
        ("2026-01-31T12:00:00.999999999Z", 1_769_860_800_999_999),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_times_as_go_writes_them_are_read(text: str, moment: int) -> None:
    assert read_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "2026-01-31", "2026-01-31 12:00:00Z", "2026-13-31T12:00:00Z", "9999-01-01T00:00:00Z"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|month|2286"):
        read_moment(text)


@pytest.mark.parametrize("group", [1, 2])
def test_a_fault_is_named_with_its_line(group: int) -> None:
    lines = written(*[stored(TextReader().read(b"a 1\n"))] * 2)
    lines[2 * group] = lines[2 * group].replace(b'"untyped"', b'"x"')
    with pytest.raises(
        ArchiveError, match=re.escape(f"file:{2 * group + 1}: expected a group or a family ('x' is not a")
    ):
        list(Archive("file", lines).groups())


@pytest.mark.parametrize(
    "labels", [{"instance": "i"}, {"job": ""}, {"job": 1}, {"job": "j", "a": None}, {}, ["job"], None]
)
def test_labels_that_are_no_grouping_key_are_a_fault(labels: object) -> None:
    lines = written(stored(TextReader().read(b"a 1\n")))
    lines[1] = json.dumps({**json.loads(lines[1]), "labels": labels}).encode()
    with pytest.raises(
        ArchiveError, match=re.escape("file:2: expected a group or a family (labels are texts, and job is")
    ):
        list(Archive("file", lines).groups())
