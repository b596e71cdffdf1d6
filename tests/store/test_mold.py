"""What is packed around the lines of one push fits those of every other push of its form."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pushes import parted

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
        text=st.just(b""),
        unchecked=st.booleans(),
        pushed_at=st.just(0),
        details=st.lists(st.binary(), max_size=3).map(tuple),
    ),
    max_size=4,
    unique_by=lambda fragment: fragment.name,
)
SIGNATURE = b"s" * 16


@given(EXAMPLES, st.lists(st.sampled_from([b"a 1\n", b'b{c="d e"} 2\nb{c=""} NaN\n', b""]), min_size=4, max_size=4))
def test_other_texts_come_out_in_what_was_made_of_an_example(examples: list[Fragment], texts: list[bytes]) -> None:
    mold = Mold.of(examples, [1] * len(examples), SIGNATURE, checked=True)
    heads, values = zip(*map(parted, texts[: len(examples)]), strict=True) if examples else ((), ())
    words = iter(mold.whole(heads, values))
    read = [decode_fragment(str(name), packed, own) for name, packed, _, own in zip(*[words] * 4, strict=True)]
    assert read == [each._replace(text=text) for each, text in zip(examples, texts, strict=False)]


def test_the_words_name_each_family_and_the_field_of_its_values() -> None:
    families = [Fragment("b", Type.GAUGE, None, b""), Fragment("a", Type.COUNTER, "Helps.", b"")]
    mold = Mold.of(families, [1, 2], SIGNATURE, checked=False)
    packed = mold.filled([b"b ", b"a \na "])
    values = [b"1\n", b"1\n2\n"]
    assert mold.fresh(values) == [b"\xffb", values[0], b"\xffa", values[1]]
    assert mold.whole([b"b ", b"a \na "], values) == [
        *("b", packed[0], b"\xffb", values[0]),
        *("a", packed[1], b"\xffa", values[1]),
    ]
    assert dict(mold.types) == {"b": Type.GAUGE, "a": Type.COUNTER}


def test_a_fragment_without_details_is_what_the_document_says() -> None:
    fragment = Fragment("a", Type.GAUGE, None, b"", unchecked=True)
    [(before, behind)] = Mold.of([fragment], [3], SIGNATURE, checked=False).around
    assert before == bytes([0x95, Type.GAUGE, UNCHECKED]) + b"\xc4\x0800000003\xc0\xc6"
    assert behind == b""
