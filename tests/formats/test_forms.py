"""Bodies of a form that was seen before: the same is read as without having seen it, only sooner."""

import pytest
from bodies import BODIES, NUMBERS, ORDINARY_BODIES, OTHER_VALUES, with_values
from hypothesis import given
from hypothesis import strategies as st

from pgw.errors import ParseError
from pgw.formats.forms import FORMS_NOTICED, LARGEST, Filled, picker
from pgw.formats.recent import LONGEST_REMEMBERED
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition

SIGHTINGS = 3
"""The last of them teaches the form."""

HISTOGRAM = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3.5\nh_count 2\n'
SUMMARY = '# TYPE s summary\ns{quantile="0.5"} 0.25\ns_sum 10\ns_count 4\n'


def read_or_refuse(reader: TextReader, body: bytes) -> Exposition | str:
    try:
        return reader.read(body)
    except ParseError as refused:
        return str(refused)


def taught(body: bytes, *, utf8_names: bool = False) -> TextReader:
    reader = TextReader(utf8_names=utf8_names)
    for _ in range(SIGHTINGS):
        read_or_refuse(reader, body)
    return reader


@given(BODIES | ORDINARY_BODIES, st.lists(OTHER_VALUES, min_size=1, max_size=3))
def test_other_values_in_a_known_body_are_read_or_refused_as_by_a_new_reader(
    body: bytes, variants: list[list[str]]
) -> None:
    reader = taught(body)
    for values in variants:
        variant = with_values(body, values)
        assert read_or_refuse(reader, variant) == read_or_refuse(TextReader(), variant)


@given(BODIES | ORDINARY_BODIES, st.data())
def test_a_known_body_with_some_characters_changed_is_read_or_refused_as_by_a_new_reader(
    body: bytes, data: st.DataObject
) -> None:
    body = b"a 1\n" + body + b"\na 1\n"
    reader = taught(body)
    at = data.draw(st.integers(0, len(body)))
    end = at + data.draw(st.integers(0, 2))
    put = data.draw(st.sampled_from([b"", b"1", b"a", b" ", b"#", b"\n", b"# TYPE a x\n", b"a 1\n"]))
    variant = body[:at] + put + body[end:]
    assert read_or_refuse(reader, variant) == read_or_refuse(TextReader(), variant)


@pytest.mark.parametrize(
    ("body", "variant"),
    [
        ("a 1\n", "a 2.5\n"),
        ("a 1\n", "a 1.50\n"),
        ("a 1\n", "a NaN\n"),
        ('a{b="x y"} 1\nb 2', 'a{b="x y"} -3\nb 1e99'),
        ("# HELP a one 2\n# TYPE a counter\na 1\n\n  \n# a comment 7\nb 1\n", None),
        ("a 1\r\nb 2\r\n", "a 3\r\nb 4\r\n"),
        ('a{x="1"} 1\nb 1\na{x="2"} 2\n', 'a{x="1"} 3\nb 4\na{x="2"} 5\n'),
        ("a 1\na 1\n", "a 1\na 2\n"),
        (HISTOGRAM, HISTOGRAM.replace(" 2\n", " 2000000\n")),
        (SUMMARY, SUMMARY.replace(" 4\n", " 5\n")),
        ("# TYPE h histogram\nh_count 2\n" + HISTOGRAM.partition("\n")[2].replace("h_count 2\n", ""), None),
        ('# TYPE h histogram\nh_bucket{le="+Inf"} 2\n', '# TYPE h histogram\nh_bucket{le="+Inf"} 3\n'),
        ("\t a 1\n", "\t a 2\n"),
        ("a \t1\n", "a \t2\n"),
    ],
)
def test_a_body_is_recognized_whatever_its_values_are(body: str, variant: str | None) -> None:
    reader = taught(body.encode())
    for text in (body, body if variant is None else variant):
        found = reader.recognize(text.encode())
        new = TextReader().recognize(text.encode())
        if "\t1" in body:  # the tab belongs to the value, which is looked at to the letter
            assert found == new
        else:
            assert isinstance(found, Filled)
            assert found.exposition() == new


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("a 1 7\n", "a timestamp"),
        ("a 1\nb 1 7\n", "a timestamp in another line"),
        ("a{}1\nb 2\n", "a value right behind its labels"),
        ("a 1 \nb 2\n", "a blank behind a value"),
        ("a\t1\nb 2\n", "a tab before a value"),
        (HISTOGRAM.replace('h_bucket{le="+Inf"} 2\n', ""), "a histogram without its last bucket"),
        (HISTOGRAM + 'h_bucket{le="NaN"} 2\n', "a bucket that is not kept"),
        (HISTOGRAM + "h_count 3\n", "a second count, of which one is not kept"),
        ("# TYPE a counter\n", "nothing but comments"),
        ("", "nothing at all"),
        (f'a{{b="{"x" * LONGEST_REMEMBERED}"}} 1\n', "a very long line"),
    ],
)
def test_what_is_not_plain_is_read_to_the_letter_each_time(body: str, why: str) -> None:
    reader = taught(body.encode())
    assert not len(reader._forms._latest), why
    assert read_or_refuse(reader, body.encode()) == read_or_refuse(TextReader(), body.encode())


@pytest.mark.parametrize(
    ("body", "variant"),
    [
        ("a 1\n", "a -0\n"),
        ("a 1\n", "a x\n"),
        ("a 1\n", "a 1_0\n"),
        (HISTOGRAM, HISTOGRAM.replace("_count 2", "_count -2")),
        (HISTOGRAM, HISTOGRAM.replace('le="1"} 1', 'le="1"} -1')),
        (SUMMARY, SUMMARY.replace(" 4\n", " 4.5\n")),
        (SUMMARY, SUMMARY.replace(" 4\n", " -4\n")),
    ],
)
def test_a_value_that_says_more_than_a_number_is_left_to_the_letter(body: str, variant: str) -> None:
    reader = taught(body.encode())
    assert isinstance(reader.recognize(body.encode()), Filled)
    assert read_or_refuse(reader, variant.encode()) == read_or_refuse(TextReader(), variant.encode())


@pytest.mark.parametrize(
    "variant",
    [
        "a 1\n5\n# HELP d c\n\nd 3\n",
        "a 1\nbb 5\n# HELP d c\n\nd 3\n",
        "a 1\nb 5 7\n# HELP d c\n\nd 3\n",
        "a 1\nb 5\n# HELP d e\n\nd 3\n",
        "a 1\nb 5\n7\nd 3\n",
        "a 1\nb 5\n\nd 3\n",
        "a 1\nb 5\n# HELP d c\n\nd 3\n\n",
        "a 1\nb 5\n# HELP d c\n\nd 3",
        "a 1\nb 5\n# HELP d c\n\nd 3e 4\n",
        "a 1\nd 5\n# HELP d c\n\nb 3\n",
        "a 1\nb \n# HELP d c\n\nd 3\n",
        "a 1\nb 5\n# HELP d c 4\n\nd 3\n",
        "a 1\nb 5\n# HELP d cd\n\nd 3\n",
        "a 1\nb 5\n# HELP d c\n\nd 3\n# TYPE e x",
        "a 1\nb 5\n# HELP d c\n7\nd 3\n",
        "a 1\nb 5\n# HELP d c\n# TYPE a gauge\nd 3\n",
        "a 1\nb 5\n# HELP d c\n# TYPE d gauge\nd 3\n",
    ],
)
def test_a_body_that_only_begins_like_a_known_one_says_what_it_says(variant: str) -> None:
    reader = taught(b"a 1\nb 2\n# HELP d c\n\nd 3\n")
    assert read_or_refuse(reader, variant.encode()) == read_or_refuse(TextReader(), variant.encode())


def test_a_form_is_learnt_when_it_comes_for_the_third_time() -> None:
    reader = TextReader()
    found = [isinstance(reader.recognize(f"a {number}\n".encode()), Filled) for number in range(5)]
    assert found == [False, False, True, True, True]


def test_what_a_comment_says_is_a_part_of_the_form() -> None:
    reader = taught(b"# HELP a one\n# TYPE a counter\na 1\n")
    [family] = reader.read(b"# HELP a two\n# TYPE a gauge\na 1\n").families
    assert (family.help, family.type.word) == ("two", "gauge")


def test_a_name_that_needs_quotes_is_known_where_it_may_stand() -> None:
    body = b'{"a b",c="1"} 1\n'
    assert isinstance(taught(body, utf8_names=True).recognize(body), Filled)
    assert "invalid metric name" in str(read_or_refuse(taught(body), body))


def test_the_memory_of_forms_is_bounded() -> None:
    reader = TextReader(series_limit=40)
    for number in range(100):
        for _ in range(SIGHTINGS):
            reader.read(f"a {number}\nb_{number} 1\nc 1\n".encode())
    forms = reader._forms
    assert sum(form.size for form in (*forms._known.young.values(), *forms._known._old.values())) <= 40
    assert forms._known


@pytest.mark.parametrize("body", ["# TYPE a gauge\n\na_{} 1\nb 1\n", "# TYPE a gauge\na_{} 1\nb 1\n", "b 1\na_{} 1\n"])
def test_a_body_whose_first_or_last_sample_is_new_is_not_looked_at_any_further(body: str) -> None:
    reader = TextReader()
    for number in range(SIGHTINGS):
        reader.read(body.format(number).encode())
    assert not len(reader._forms._noticed)


def test_what_is_noticed_is_bounded() -> None:
    reader = TextReader()
    for number in range(2 * FORMS_NOTICED):
        reader.read(f"a_{number} 1\n".encode())
    assert 0 < len(reader._forms._ends) <= FORMS_NOTICED


def test_a_body_that_is_larger_than_the_memory_is_not_learnt() -> None:
    body = "".join(f"a_{number} 1\n" for number in range(30)).encode()
    reader = TextReader(series_limit=40)
    for _ in range(SIGHTINGS + 1):
        assert not isinstance(reader.recognize(body), Filled)


@pytest.mark.parametrize(("samples", "is_known"), [(LARGEST, True), (LARGEST + 1, False)])
def test_a_form_has_so_many_samples_at_most(samples: int, *, is_known: bool) -> None:
    body = "".join(f"a_{number} 1\n" for number in range(samples))
    assert isinstance(taught(body.encode()).recognize(body.encode()), Filled) is is_known


@given(st.lists(st.integers(0, 20), max_size=6), st.lists(NUMBERS, min_size=21, max_size=21))
def test_a_picker_picks_what_its_numbers_say(positions: list[int], values: list[str]) -> None:
    assert list(picker(map(str, positions))(values)) == [values[position] for position in positions]
