"""Groups to bytes and back; and whatever bytes there are, a group comes out that can be shown, or CorruptGroup."""

from __future__ import annotations

import asyncio
import logging
import string
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pushes import JOB, KEYS, OTHER, client, family, group, held, opened, parted, write
from redis.exceptions import NoPermissionError
from servers import RedisServer

from pgw.errors import CorruptGroup, StoreUnavailable
from pgw.gateway.push_times import push_times
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey, Labels
from pgw.store import codec
from pgw.store.base import Feed
from pgw.store.replies import readable_group

if TYPE_CHECKING:
    import redis

    from pgw.store.redis_store import RedisStore

TIMES = st.integers(0, 10**codec.TIME_DIGITS - 1)
TEXTS = st.text()
SAMPLE_LINES = st.lists(
    st.builds(
        lambda head, value: head.replace(b"\n", b"") + b" " + value + b"\n",
        st.binary(max_size=20),
        st.sampled_from([b"1", b"-1.5e+09", b"NaN"]),
    ),
    max_size=3,
).map(b"".join)
FRAGMENTS = st.builds(
    Fragment,
    name=TEXTS.filter(bool),
    type=st.sampled_from(Type),
    help=st.none() | TEXTS,
    text=SAMPLE_LINES,
    unchecked=st.booleans(),
    pushed_at=TIMES,
    details=st.lists(st.binary(), max_size=3).map(tuple),
)
LABELS = st.dictionaries(TEXTS, TEXTS, max_size=5).map(lambda labels: tuple(sorted({**labels, "job": "j"}.items())))
SIGNATURE = b"s" * 16


def moment(time: int) -> bytes:
    return f"{time:016d}".encode()


def fields(fragment: Fragment, whole: int = 0) -> tuple[bytes, bytes]:
    """What the script writes of a family: with its time, if that is not the one of the whole; and its values."""
    time = b"" if fragment.pushed_at == whole else codec.TIMED + moment(fragment.pushed_at)
    heads, values = parted(fragment.text)
    return time + codec.packed(heads, *codec.packed_around(fragment, fragment.lines)), values


def header(labels: Labels, failed_at: int = 0) -> bytes:
    """A header as the script writes it."""
    times = b"".join(b"\xb0" + moment(time) for time in (failed_at, 0))
    return b"\x95" + times + b"\xb0" + b"0" * 15 + b"1" + b"\xc4\x10" + SIGNATURE + codec.Encoder().labels(labels)


def words_of(fragments: list[Fragment], head: bytes, *, pushed_at: int = 7, whole: int = 7) -> list[bytes]:
    words = [b"", head, codec.TIMES_FIELD, moment(pushed_at) + (b"" if whole == pushed_at else moment(whole))]
    for each in fragments:
        value, values = fields(each, whole)
        words += [each.name.encode(), value, codec.values_field(each.name), values]
    return words


FIELD, VALUES = fields(family("a"), whole=1)
"""With a time of its own."""


@given(FRAGMENTS, TIMES)
def test_a_fragment_is_read_as_it_was_written(fragment: Fragment, whole: int) -> None:
    assert codec.decode_fragment(fragment.name, *fields(fragment, whole), whole) == fragment


@given(FRAGMENTS)
def test_a_fragment_without_a_time_is_of_the_time_of_the_whole(fragment: Fragment) -> None:
    value, values = fields(fragment, whole=fragment.pushed_at)
    assert not value.startswith(codec.TIMED)
    assert codec.decode_fragment(fragment.name, value, values, fragment.pushed_at) == fragment


@given(LABELS, TIMES, TIMES, TIMES, st.lists(FRAGMENTS, max_size=4, unique_by=lambda each: each.name))
def test_a_group_is_read_as_it_was_written(
    labels: Labels, pushed_at: int, failed_at: int, whole: int, fragments: list[Fragment]
) -> None:
    words = words_of(fragments, header(labels, failed_at), pushed_at=pushed_at, whole=whole)
    ordered = tuple(sorted(fragments, key=lambda each: each.name.encode()))
    assert codec.decode_group("name", words) == Group(
        GroupingKey(labels), pushed_at, failed_at, ordered, signature=SIGNATURE
    )


RENEWED = st.lists(FRAGMENTS.map(lambda each: each._replace(details=(), pushed_at=7)), max_size=4)
UNIQUE = RENEWED.map(lambda found: list({each.name: each for each in found}.values()))


@given(LABELS, TIMES, UNIQUE)
def test_a_renewal_is_what_may_have_changed_of_a_group(
    labels: Labels, failed_at: int, fragments: list[Fragment]
) -> None:
    words = words_of(fragments, header(labels, failed_at))
    found, renewal = codec.decode_group("name", words), codec.decode_renewal(SIGNATURE, words)
    assert found is not None
    assert renewal is not None
    assert renewal == (7, failed_at, 0, renewal.texts)
    assert sorted(renewal.texts) == [(each.name, each.text) for each in found.fragments]


A, DETAILED = family("a")._replace(pushed_at=7), family("b")._replace(pushed_at=7, details=(b"1",))
HEADER = header(JOB.labels)
WHOLE = words_of([A], HEADER)
TO_BE_READ_AS_A_WHOLE = {
    "nothing": [],
    "no header": WHOLE[2:],
    "a header cut short": [b"", HEADER[:40], *WHOLE[2:]],
    "a failure time that is none": [b"", HEADER.replace(b"0" * 16, b"000000000000000x", 1), *WHOLE[2:]],
    "another signature": [b"", HEADER.replace(SIGNATURE, b"t" * 16), *WHOLE[2:]],
    "no times": [b"", HEADER, *WHOLE[4:]],
    "a push time that is none": [*WHOLE[:3], WHOLE[3][:-1] + b"x", *WHOLE[4:]],
    "a push time cut short": [*WHOLE[:3], WHOLE[3][:-1], *WHOLE[4:]],
    "pushed without any family since": words_of([A], HEADER, pushed_at=8),
    "a family with a time": words_of([A], HEADER, pushed_at=6, whole=6),
    "details": words_of([A, DETAILED], HEADER),
    "no values": WHOLE[:6],
    "values of no family": [*WHOLE, b"\xffb", b"1\n"],
    "other values": [*WHOLE[:7], b"1\n2\n"],
    "a family that is none": [*WHOLE[:5], b"\x95", *WHOLE[6:]],
    "heads that are text": [*WHOLE[:5], b"\x95\x01\x00\xc4\x00\xc0\xa1a", *WHOLE[6:]],
}


@pytest.mark.parametrize("words", TO_BE_READ_AS_A_WHOLE.values(), ids=TO_BE_READ_AS_A_WHOLE)
def test_a_group_of_which_more_may_have_changed_is_no_renewal(words: list[bytes]) -> None:
    assert codec.decode_renewal(SIGNATURE, WHOLE) == (7, 0, 0, [("a", A.text)])
    assert codec.decode_renewal(SIGNATURE, words) is None


@given(st.data())
def test_a_renewal_of_a_group_with_one_byte_changed_shows_what_the_group_shows(data: st.DataObject) -> None:
    words = list(WHOLE)
    number = data.draw(st.integers(1, len(words) - 1))
    position = data.draw(st.integers(0, len(words[number]) - 1))
    changed = bytearray(words[number])
    changed[position] = data.draw(st.integers(0, 255))
    words[number] = bytes(changed)
    renewal = codec.decode_renewal(SIGNATURE, words)
    if renewal is None:
        return
    try:
        found = codec.decode_group("name", words)
    except CorruptGroup:
        return  # its labels, a type or a help: of these another worker knows nothing either until all is pushed again
    assert found is not None
    assert renewal[:3] == (found.pushed_at, found.failed_at, found.deadline)
    assert renewal.texts == [(each.name, each.text) for each in found.fragments]


@pytest.mark.parametrize(("stored", "shown"), [(SIGNATURE, SIGNATURE), (bytes(16), b"")])
def test_a_group_whose_series_nobody_has_counted_as_a_whole_has_no_signature(stored: bytes, shown: bytes) -> None:
    found = codec.decode_group("name", [b"", HEADER.replace(SIGNATURE, stored)])
    assert found is not None
    assert found.signature == shown


def test_no_fields_are_no_group() -> None:
    assert codec.decode_group("name", []) is None


@given(st.text(alphabet=string.ascii_letters + "\udc80\udcff").filter(lambda text: not text.isascii()))
def test_labels_that_are_not_utf8_are_not_shown(value: str) -> None:
    """No gateway stores them; if somebody does, the group is passed over and the others can be scraped."""
    with pytest.raises(CorruptGroup):
        codec.decode_group("name", [b"", header((("job", value),))])


def is_shown_or_corrupt(words: list[bytes]) -> None:
    try:
        found = codec.decode_group("name", words)
    except CorruptGroup as error:
        assert error.key == "name"  # noqa: PT017
        return
    assert found is not None
    for each in (*found.fragments, *push_times(found)):
        assert isinstance(each.text, bytes)
        assert each.help is None or each.help.encode() is not None


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_a_group_that_can_be_shown_or_corrupt(head: bytes, value: bytes) -> None:
    is_shown_or_corrupt([b"", head, b"a", value, b"\xffa", VALUES])
    is_shown_or_corrupt([b"", HEADER, b"a", value, b"\xffa", VALUES])
    is_shown_or_corrupt([b"", HEADER, b"a", FIELD, b"\xffa", value])
    is_shown_or_corrupt([b"", HEADER, value, FIELD, b"\xff" + value, VALUES])
    is_shown_or_corrupt([b"", HEADER, value, FIELD, head, VALUES])
    is_shown_or_corrupt([b"", HEADER, b"\xff", value, b"a", FIELD, b"\xffa", VALUES])


@given(st.data())
def test_a_group_with_one_byte_changed_can_be_shown_or_is_corrupt(data: st.DataObject) -> None:
    words = words_of([A], HEADER, pushed_at=8, whole=6)  # so that the family has a time of its own, and the group two
    number = data.draw(st.integers(1, len(words) - 1))
    position = data.draw(st.integers(0, len(words[number]) - 1))
    changed = bytearray(words[number])
    changed[position] = data.draw(st.integers(0, 255))
    words[number] = bytes(changed)
    is_shown_or_corrupt(words)


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_a_header_cut_short_is_corrupt(length: int) -> None:
    with pytest.raises(CorruptGroup, match="the stored group name cannot be read"):
        codec.decode_group("name", [b"", HEADER[:length]])


@pytest.mark.parametrize("length", range(len(FIELD)))
def test_a_family_cut_short_is_corrupt_and_named(length: int) -> None:
    with pytest.raises(CorruptGroup, match="the stored group name cannot be read: family a: "):
        codec.decode_group("name", [b"", HEADER, b"a", FIELD[:length], b"\xffa", VALUES])


def packed(*parts: object) -> bytes:
    return b"".join(msgpack.packb(part) for part in parts)


NOW = "1" * codec.TIME_DIGITS
LINES = b"00000001"
CORRUPT_FIELDS = {
    "a number for lines": packed(NOW, [1, 0, LINES, None, 5]),
    "text for lines": packed(NOW, [1, 0, LINES, None, "a 1\n"]),
    "a number for a help": packed(NOW, [1, 0, LINES, 7, b""]),
    "bytes for a help": packed(NOW, [1, 0, LINES, b"help", b""]),
    "no such type": packed(NOW, [77, 0, LINES, None, b""]),
    "a text for a type": packed(NOW, ["gauge", 0, LINES, None, b""]),
    "a text for flags": packed(NOW, [1, "0", LINES, None, b""]),
    "an infinite time": packed(float("inf"), [1, 0, LINES, None, b""]),
    "an early time": packed("12", [1, 0, LINES, None, b""]),
    "a word for a time": packed("yesterday, noon!", [1, 0, LINES, None, b""]),
    "a number for details": packed(NOW, [1, 0, LINES, None, b"", 5]),
    "numbers for details": packed(NOW, [1, 0, LINES, None, b"", [5]]),
    "a list of four billion": packed(NOW) + b"\xdd\xff\xff\xff\xff",
    "a map of four billion": packed(NOW) + b"\xdf\xff\xff\xff\xff",
    "no text": packed(NOW, [1, 0, LINES, None]),
    "another object": packed(NOW, [1, 0, LINES, None, b""], 1),
    "a depth beyond reading": packed(NOW) + b"\x91" * 5_000,
}


@pytest.mark.parametrize("value", CORRUPT_FIELDS.values(), ids=CORRUPT_FIELDS)
def test_a_family_of_another_form_is_corrupt(value: bytes) -> None:
    for each in (value, value.removeprefix(packed(NOW))):
        with pytest.raises(CorruptGroup):
            codec.decode_group("name", [b"", HEADER, b"a", each, b"\xffa", b"1\n"])
        with pytest.raises(CorruptGroup):
            codec.decode_fragment("a", each, b"1\n")


@pytest.mark.parametrize("name", ["a list of four billion", "a map of four billion"])
def test_no_length_is_believed_beyond_the_bytes_that_are_there(name: str) -> None:
    with pytest.raises(CorruptGroup, match=r"exceeds max_(array|map)_len\(\d\d?\)"):
        codec.decode_fragment("a", CORRUPT_FIELDS[name], b"1\n")


CORRUPT_HEADERS = {
    "no labels": packed([NOW, NOW, NOW, b"s" * 16]),
    "a list for labels": packed([NOW, NOW, NOW, b"s" * 16, ["job", "j"]]),
    "a number for a value": packed([NOW, NOW, NOW, b"s" * 16, {"job": 5}]),
    "bytes for a name": packed([NOW, NOW, NOW, b"s" * 16, {b"job": "j"}]),
    "names of two kinds": packed([NOW, NOW, NOW, b"s" * 16, {b"job": "j", "a": "b"}]),
    "a number for a time": packed([1, NOW, NOW, b"s" * 16, {"job": "j"}]),
    "a time beyond all numbers": packed(["9" * 400, NOW, NOW, b"s" * 16, {"job": "j"}]),
    "a number": packed(7),
    "more behind it": HEADER + b"x",
}


@pytest.mark.parametrize("value", CORRUPT_HEADERS.values(), ids=CORRUPT_HEADERS)
def test_a_header_of_another_form_is_corrupt(value: bytes) -> None:
    with pytest.raises(CorruptGroup):
        codec.decode_group("name", [b"", value])


CORRUPT_TIMES = {
    "nothing": b"",
    "one that is too short": b"7" * 15,
    "one that is too long": b"7" * 17,
    "a second that is too short": b"7" * 31,
    "a third": b"7" * 48,
    "a word": b"yesterday, noon!",
    "a word behind it": b"7" * 16 + b"yesterday, noon!",
}


@pytest.mark.parametrize("times", CORRUPT_TIMES.values(), ids=CORRUPT_TIMES)
def test_times_of_another_form_are_corrupt(times: bytes) -> None:
    with pytest.raises(CorruptGroup):
        codec.decode_group("name", [b"", HEADER, codec.TIMES_FIELD, times])


def test_a_group_without_times_was_never_pushed() -> None:
    found = codec.decode_group("name", [b"", HEADER])
    assert found is not None
    assert found.pushed_at == 0


def test_a_group_without_a_header_is_corrupt() -> None:
    with pytest.raises(CorruptGroup, match="it has no header"):
        codec.decode_group("name", [b"a", FIELD, b"\xffa", VALUES])


def test_a_field_whose_name_is_not_utf8_is_corrupt() -> None:
    with pytest.raises(CorruptGroup):
        codec.decode_group("name", [b"", HEADER, b"\xfe", FIELD, b"\xff\xfe", VALUES])


@given(st.binary(max_size=3), st.binary(max_size=3))
def test_each_line_ends_and_has_a_head_and_a_value(heads: bytes, values: bytes) -> None:
    value = codec.packed(heads, *codec.packed_around(family("a"), 1))
    try:
        text = codec.decode_fragment("a", value, values).text
    except CorruptGroup:
        return
    assert text == b"" or text.endswith(b"\n")
    assert text.count(b"\n") == heads.count(b"\n") + bool(heads)


@pytest.mark.parametrize("values", [b"", b"1\n2\n", b"1"])
def test_as_many_values_as_lines_are_shown_or_none(values: bytes) -> None:
    heads, _ = parted(b"a 1\nb 2\nc 3\n")
    value = codec.packed(heads, *codec.packed_around(family("a"), 3))
    with pytest.raises(CorruptGroup, match=r"3 lines have [02] values"):
        codec.decode_fragment("a", value, values)


@pytest.mark.parametrize(
    "words",
    [
        [b"a", FIELD],
        [b"\xffa", VALUES],
        [b"a", FIELD, b"\xffb", VALUES],
        [b"a", FIELD, b"\xffa", VALUES, b"b", FIELD],
        [b"a", FIELD, b"\xffa", VALUES, b"\xffb", VALUES],
        [b"a", FIELD, b"b", FIELD],
    ],
)
def test_lines_without_values_and_values_without_lines_are_corrupt(words: list[bytes]) -> None:
    with pytest.raises(CorruptGroup, match="the stored group name cannot be read"):
        codec.decode_group("name", [b"", HEADER, *words])


BROKEN = {
    "a short header": ("", b"broken"),
    "a header of the right length": ("", b"x" * len(HEADER)),
    "a header of other digits": ("", HEADER.replace(b"0" * 16, b"z" * 16)),
    "no times": (b"\xff", b""),
    "times of other digits": (b"\xff", b"z" * 16),
    "times that are too long": (b"\xff", b"1" * 33),
    "a short family": ("a", b"broken"),
    "a long family": ("a", b"broken" * 20),
    "a short family that is not pushed": ("z", b"x"),
    "a long family that is not pushed": ("z", b"x" * 100),
    "a family without a value": ("z", b""),
    "no values": (b"\xffa", b""),
    "values of a family that there is not": (b"\xffz", b"1\n"),
    "other values": (b"\xffa", b"1\n2\n"),
}


SPOILT = {
    "the failure time": (b"", b"0" * 16, b"z" * 16),
    "the deadline": (b"", b"\xb0" + b"0" * 16 + b"\xb0", b"\xb0" + b"0" * 15 + b"z\xb0"),
    "the labels": (b"", b"\x81", b"\x82"),
    "the times": (b"\xff", b"1", b"z"),
    "the values": (b"\xffa", b"1\n", b""),
    "the lines": (b"a", b"\xc6", b"\xc5"),
}


@pytest.mark.parametrize(("field", "sound", "spoilt"), SPOILT.values(), ids=SPOILT)
async def test_a_corrupt_group_that_was_read_is_shown_again_with_the_next_push(
    store: RedisStore, connection: redis.Redis, field: bytes, sound: bytes, spoilt: bytes
) -> None:
    """Even if it brings what the group holds already, so that the values alone would do."""
    await store.push(write(JOB, family("a")))
    before: Any = connection.hgetall(KEYS.group(JOB.name))
    assert sound in before[field]
    connection.hset(KEYS.group(JOB.name), field, before[field].replace(sound, spoilt))
    assert await store.groups([JOB.name]) == [None]
    await store.push(write(JOB, family("a")))
    assert set(await held(store, JOB)) == {"a"}


async def test_a_key_that_holds_no_group_fails_its_own_pushes_and_is_not_shown_until_it_is_deleted(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    last = group(job="last")
    async with opened(redis_server.url) as store:
        known = [write(key, family("a")) for key in (JOB, OTHER, last)]
        for each in known:
            await store.push(each)
        feed = (await store.changes(Feed())).feed
        with closing(client(redis_server.url)) as connection:
            connection.delete(KEYS.group(OTHER.name))
            connection.set(KEYS.group(OTHER.name), "no group")
        done = await asyncio.gather(*map(store.push, known), return_exceptions=True)
        assert [type(each) for each in done] == [dict, StoreUnavailable, dict]
        assert "wrong kind of value" in str(done[1])
        assert set((await store.changes(feed)).changed) == {JOB.name, last.name}
        with caplog.at_level(logging.ERROR):
            assert [each is None for each in await store.groups([JOB.name, OTHER.name])] == [False, True]
        assert "wrong kind of value" in caplog.text
        assert await store.delete(OTHER)
        await store.push(known[1])
        assert await held(store, OTHER)


def test_an_error_that_says_nothing_of_the_group_is_told_and_does_not_hide_it() -> None:
    with pytest.raises(StoreUnavailable, match="no permissions"):
        readable_group("name", NoPermissionError("this user has no permissions to run the 'hgetall' command"))


@pytest.mark.parametrize(("name", "value"), BROKEN.values(), ids=BROKEN)
async def test_a_corrupt_group_is_passed_over_until_it_is_replaced(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture, name: str | bytes, value: bytes
) -> None:
    async with opened(redis_server.url) as store:
        await store.push(write(JOB, family("a")))
        await store.push(write(OTHER, family("a")))
        connection = client(redis_server.url)
        connection.hset(KEYS.group(JOB.name), name, value)
        with caplog.at_level(logging.ERROR):
            broken, other = await store.groups([JOB.name, OTHER.name])
        assert broken is None
        assert other is not None
        [line] = caplog.messages
        assert line.startswith(f"the stored group {JOB.name} cannot be read: ")
        await store.replace(write(JOB, family("a"), family("b")))
        assert set(await held(store, JOB)) == {"a", "b"}
        await store.delete(JOB)
        assert connection.exists(KEYS.group(JOB.name)) == 0
        connection.close()
