"""What is packed around the texts of one push fits those of every other push of its form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.store.codec import UNCHECKED, decode_fragment
from pgw.store.mold import Mold

EXAMPLES = st.lists(
    st.builds(
        Fragment,
        name=st.text(),
        type=st.sampled_from(Type),
        help=st.none() | st.text(),
        text=st.binary(),
        unchecked=st.booleans(),
        pushed_at=st.just(0),
        details=st.lists(st.binary(), max_size=3).map(tuple),
    ),
    max_size=4,
    unique_by=lambda fragment: fragment.name,
)
SIGNATURE = b"s" * 16


@given(EXAMPLES, st.lists(st.binary(max_size=300), min_size=4, max_size=4))
def test_other_texts_come_out_in_what_was_made_of_an_example(examples: list[Fragment], texts: list[bytes]) -> None:
    mold = Mold.of(examples, [each.lines for each in examples], SIGNATURE, checked=True)
    filled = mold.filled(texts[: len(examples)])
    read = [decode_fragment(name, packed) for name, packed in zip(mold.types, filled, strict=True)]
    assert read == [each._replace(text=text) for each, text in zip(examples, texts, strict=False)]


def test_the_words_name_each_family_and_leave_room_behind_it() -> None:
    families = [Fragment("b", Type.GAUGE, None, b"b 1\n"), Fragment("a", Type.COUNTER, "Helps.", b"a 1\na 2\n")]
    mold = Mold.of(families, [1, 2], SIGNATURE, checked=False)
    assert mold.words == ["b", b"", "a", b""]
    assert dict(mold.types) == {"b": Type.GAUGE, "a": Type.COUNTER}


def test_a_fragment_without_details_is_what_the_document_says() -> None:
    fragment = Fragment("a", Type.GAUGE, None, b"", unchecked=True)
    [(before, behind)] = Mold.of([fragment], [3], SIGNATURE, checked=False).around
    assert before == bytes([0x95, Type.GAUGE, UNCHECKED]) + b"\xc4\x0800000003\xc0\xc6"
    assert behind == b""
