"""Heads taken apart many at once: each means what it means to the exact grammar, or is left to it."""

import random
from contextlib import suppress
from unittest.mock import patch

import pytest
from bodies import BODIES, SAMPLES
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import ParseError
from pgw.formats import text_reader
from pgw.formats.drafts import Draft
from pgw.formats.grammar import LEGACY, Line
from pgw.formats.heads import Heads
from pgw.formats.recent import LONGEST_REMEMBERED
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition
from pgw.model.series import Series

LIMIT = 1000
SIGHTINGS = 2
"""What begins and ends like something that was seen before is remembered."""

PIECES = st.sampled_from(
    ["a", "b:c", "1", "{", "}", "{}", "=", ",", ", ", " ", '"', '""', "\\", '\\"', "b", "b=", '="x"', "é", "#", "\t"]
)
ODD_HEADS = st.lists(PIECES, max_size=8).map("".join)
HEADS = st.one_of(SAMPLES.map(lambda line: line.rpartition(" ")[0]), ODD_HEADS)


def read_to_the_letter(head: str) -> Series | None:
    """The series of a head; None if it is none, or if a part of the head would be the value or its timestamp."""
    line = Line(f"{head} 7", 1, LEGACY, finished=True)
    try:
        first = line.begin()
        sample = None if first in ("", "#") else line.sample(Draft)
    except ParseError:
        return None
    return None if sample is None or sample.timestamp else Series(sample.name, sample.labels.items())


@given(st.lists(HEADS, min_size=1, max_size=8), st.booleans(), st.sampled_from([2, 4, LIMIT]))
def test_each_head_means_what_it_means_to_the_letter_or_nothing(heads: list[str], remember: bool, limit: int) -> None:  # noqa: FBT001
    reader = Heads(limit)
    for _ in range(2):
        found = reader.series(heads, remember=remember)
        assert len(found) == len(heads)
        for head, series in zip(heads, found, strict=True):
            assert series is None or series == read_to_the_letter(head), head


ORDINARY = {
    "a": Series("a", []),
    "a{}": Series("a", []),
    'a{b="c"}': Series("a", [("b", "c")]),
    'a{b="c",}': Series("a", [("b", "c")]),
    'a{z="", b="é {,} = #"}': Series("a", [("b", "é {,} = #"), ("z", "")]),
}
OTHERS = ["", "#", "1a", "é", "a b", 'a{b="c"} 1', r'a{b="\\"}', r'a{b="\""}', '{"a"}', 'a{"b"="c"}', 'a{b="c",b="d"}']
UNPAIRED = ['"', 'a{b="', 'a{b="c}', 'a"', 'a{b="c"d"}']


@pytest.mark.parametrize("seed", range(20))
def test_ordinary_heads_are_recognized_whatever_stands_beside_them(seed: int) -> None:
    luck = random.Random(seed)
    heads = luck.choices([*ORDINARY, *OTHERS, *(UNPAIRED if seed % 2 else [])], k=30)
    assert Heads(LIMIT).series(heads, remember=True) == [ORDINARY.get(head) for head in heads]


@pytest.mark.parametrize(
    "others", [[head] for head in UNPAIRED] + [[one, other] for one in UNPAIRED for other in UNPAIRED]
)
def test_quotes_that_are_no_pair_never_reach_into_another_head(others: list[str]) -> None:
    for heads in ([*others, *ORDINARY], [*ORDINARY, *others], [others[0], *ORDINARY, *others[1:]]):
        assert Heads(LIMIT).series(heads, remember=False) == [ORDINARY.get(head) for head in heads]


def test_what_is_not_to_be_remembered_is_not() -> None:
    reader = Heads(LIMIT)
    reader.series(list(ORDINARY), remember=False)
    assert len(reader.known) == 0


def test_a_head_that_is_remembered_stays_the_same_series() -> None:
    reader = Heads(LIMIT)
    first = reader.series(['a{b="1"}', 'a{b="2"}'], remember=True)
    again = reader.series(['a{b="2"}', 'a{b="3"}', 'a{b="1"}'], remember=True)
    assert again[0] is first[1]
    assert again[2] is first[0]


def test_heads_that_are_very_long_are_read_but_not_remembered() -> None:
    reader = Heads(LIMIT)
    heads = ["a", f'a{{b="{"x" * LONGEST_REMEMBERED}"}}', f'a{{{"b" * LONGEST_REMEMBERED}="c"}}']
    assert None not in reader.series(heads, remember=True)
    assert list(reader.known.young) == ["a"]
    assert len(reader.layouts) == 1


def read_or_refuse(body: bytes) -> Exposition | str:
    try:
        return TextReader().read(body)
    except ParseError as refused:
        return str(refused)


LAYOUTS = st.sampled_from(
    [
        'a{{b="{}",c="{}"}}', 'z{{c="{}",b="{}"}}', 'h_bucket{{b="{}",le="{}"}}', 'h_bucket{{le="{}",b="{}"}}',
        's{{quantile="{}"}}', "a_{}", "h_sum", 'h_count{{b="{}"}}',
    ]
)  # fmt: skip
"""What the lines of a run have in common."""
WORDS = st.sampled_from(["0", "1", "0.5", "x y", "é", r"\\", r"\"", '"', "#"])
ENDS = st.sampled_from([*[" 7"] * 9, " 1", " 2.5", " 1.50", " -0", " -3", " NaN", " x", " 1 7", " 1 ", " 1 x", "\t1"])
RUNS = LAYOUTS.flatmap(
    lambda layout: st.lists(
        st.builds(lambda words, end: layout.format(*words) + end, st.tuples(WORDS, WORDS), ENDS), min_size=1, max_size=6
    )
)
BETWEEN = st.sampled_from(
    [[], [""], ["# TYPE h histogram"], ["# TYPE s summary", "# HELP s x"], ["# HELP a x"], ["#", " "], ["a {} 1"]]
)
LONGER_BODIES = st.builds(
    lambda runs, newline, end: (newline.join(line for lines in runs for line in lines) + end).encode(),
    st.lists(BETWEEN | RUNS, min_size=1, max_size=8),
    st.sampled_from(["\n", "\n", "\r\n"]),
    st.sampled_from(["\n", "", "\n\n", "\r\n"]),
)
"""Bodies of runs of lines that differ in their label values and values."""


@given(BODIES | LONGER_BODIES, st.integers(1, 9))
def test_lines_read_many_at_once_say_what_they_say_to_the_letter(body: bytes, bundle: int) -> None:
    # Indented lines are never ordinary; an empty one stays empty.
    to_the_letter = b"\n".join(b"\t" + line if line.strip() else line for line in body.split(b"\n"))
    with patch.object(text_reader, "BUNDLE", bundle):
        found = read_or_refuse(body)
    assert found == read_or_refuse(body)
    assert found == read_or_refuse(to_the_letter)


@given(LONGER_BODIES, st.integers(1, 9))
def test_a_body_that_begins_and_ends_like_one_before_says_the_same(body: bytes, limit: int) -> None:
    reader = TextReader(series_limit=limit)
    known = b"up 1\n"
    reader.read(known + known)
    body = known + body + b"\n" + known
    for _ in range(2):
        try:
            found: Exposition | str = reader.read(body)
        except ParseError as refused:
            found = str(refused)
        assert found == read_or_refuse(body)


LONG = 50_000


@pytest.mark.parametrize(
    "body",
    [
        'a{b="c"}' * LONG,
        '"' * LONG,
        'a{b="\n' * LONG,
        'a{b="c"} 1\n' * LONG + 'a{b="',
        'a{b="c"} 1\n"\n' * LONG,
        "\\" * LONG,
        'a{b="\\\\"} x\n' * LONG,
        "a{" + 'b="c",' * LONG,
        "a{" + ",".join(f'b{number}="c"' for number in range(LONG)) + "} 1 x",
        " " * LONG,
        "a" + " " * LONG,
        "a 1" + " 1" * LONG,
        "a " + "1" * LONG + "x",
        "0." + "0" * LONG,
        "a 0." + "0" * LONG + "\n" + "a -\n" * LONG,
        "# TYPE " * LONG,
        "# HELP a " + " " * LONG + "\\",
    ],
    ids=range(17),
)  # fmt: skip
def test_no_body_is_so_hostile_that_its_lines_are_gone_through_again_and_again(body: str) -> None:
    """Were any of it quadratic, it would take many minutes."""
    reader = TextReader()
    for _ in range(SIGHTINGS):
        for ends in ("", "up 1\n"):
            with suppress(ParseError):
                reader.read(f"{ends}{body}\n{ends}".encode())
