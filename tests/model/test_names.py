"""Names and quoting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.model.names import escape_help, escape_value, is_label_name, is_metric_name, is_utf8, quoted


@pytest.mark.parametrize(
    ("name", "valid_for"),
    [
        ("a", {"metric", "label"}),
        ("_", {"metric", "label"}),
        ("__a", {"metric", "label"}),
        ("aZ_09", {"metric", "label"}),
        ("a:b", {"metric"}),
        (":", {"metric"}),
        ("", set()),
        ("0a", set()),
        ("a-b", set()),
        ("a.b", set()),
        ("a b", set()),
        ("a\n", set()),
        ("é", set()),
        ("a\u0661", set()),
    ],
)
def test_legacy_names_are_ascii_words_and_those_of_metrics_may_have_colons(name: str, valid_for: set[str]) -> None:
    rules = {"metric": is_metric_name, "label": is_label_name}
    assert {what for what, is_valid in rules.items() if is_valid(name)} == valid_for


@given(st.binary())
def test_text_is_utf8_exactly_if_its_bytes_were(raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError:
        assert not is_utf8(raw.decode(errors="surrogateescape"))
    else:
        assert is_utf8(raw.decode())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"", '""'),
        (b"a b", '"a b"'),
        ("é😀�".encode(), '"é😀�"'),
        (b'"\\', r'"\"\\"'),
        (b"\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        (b"\x00\x1f\x7f", r'"\x00\x1f\x7f"'),
        (b"\xff\xc3", r'"\xff\xc3"'),
        ("\u0080\u00a0\u200b\u2028\ufeff".encode(), r'"\u0080\u00a0\u200b\u2028\ufeff"'),
        ("\U000e0001".encode(), r'"\U000e0001"'),
    ],
)
def test_text_is_quoted_as_go_does(text: bytes, shown: str) -> None:
    assert quoted(text.decode(errors="surrogateescape")) == shown


@pytest.mark.parametrize(
    ("text", "in_a_value", "in_a_help"),
    [
        ("a b\té", "a b\té", "a b\té"),
        ("\\", r"\\", r"\\"),
        ("\n", r"\n", r"\n"),
        ('"', r"\"", '"'),
        ('\\n"\n', r"\\n\"\n", r'\\n"\n'),
    ],
)
def test_values_and_helps_are_escaped(text: str, in_a_value: str, in_a_help: str) -> None:
    assert escape_value(text) == in_a_value
    assert escape_help(text) == in_a_help
