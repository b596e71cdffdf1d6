"""Numbers: what is read as one, and how each is written."""

import math
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgw.formats.numbers import all_canonical, canonical, each_canonical, format_float, signed, truncated_count

DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
DECIMAL_TEXTS = st.from_regex(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("-0", "-0"),
        ("+0.0", "0"),
        ("0e5", "0"),
        ("1", "1"),
        ("-1", "-1"),
        ("+1", "1"),
        ("00012", "12"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-.5", "-0.5"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("100000", "100000"),
        ("999999", "999999"),
        ("999999.9", "999999.9"),
        ("123456.7", "123456.7"),
        ("123456.123456789", "123456.123456789"),
        ("1000000", "1e+06"),
        ("-1000000", "-1e+06"),
        ("1234567.5", "1.2345675e+06"),
        ("12345678", "1.2345678e+07"),
        ("1795247408", "1.795247408e+09"),
        ("1.7952474086011412e+09", "1.7952474086011412e+09"),
        ("1234567890123456789", "1.2345678901234568e+18"),
        ("9007199254740993", "9.007199254740992e+15"),
        ("1e15", "1e+15"),
        ("1e16", "1e+16"),
        ("1e21", "1e+21"),
        ("1e100", "1e+100"),
        ("0.001", "0.001"),
        ("0.0001", "0.0001"),
        ("0.00012345", "0.00012345"),
        ("0.00001", "1e-05"),
        ("-0.00000015", "-1.5e-07"),
        ("0.000099999", "9.9999e-05"),
        ("0.1234567890123456789", "0.12345678901234568"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("1e-400", "0"),
        ("-1e-400", "-0"),
        ("5e-324", "5e-324"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0" * 5000 + "1", "1"),
        ("NaN", "NaN"),
        ("nan", "NaN"),
        ("nAn", "NaN"),
        ("Inf", "+Inf"),
        ("+Inf", "+Inf"),
        ("-inf", "-Inf"),
        ("INFINITY", "+Inf"),
        ("-Infinity", "-Inf"),
    ],
)
def test_a_number_is_shown_as_the_original_shows_it(text: str, shown: str) -> None:
    assert canonical(text) == shown
    assert canonical(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "+", "-", "e5", "1e", "1e+", "--1", "+-1", "1,5", "1d", "1f", "abc", "1 ", " 1", "1\n", "1\r", "\t1",
        "0x10", "0x1p-2", "0X1P2", "0b1", "0o7", "1_000", "1_0.5", "+NaN", "-nan", "nan(1)", "infinit", "in", "infi",
        "+-inf", "1e400", "-1e400", "1.7976931348623159e308", "9" * 400,
        "\u0661", "\uff11", "1\u00b2", "\u00bd", "\u0131nf", "1\0",
    ],
)  # fmt: skip
def test_what_go_does_not_read_is_not_a_number(text: str) -> None:
    assert canonical(text) is None


def rounded(value: float) -> Iterator[Decimal]:
    """The decimals nearest to a double, with ever more digits; where it lies just between two, both."""
    for digits in range(1, 18):
        for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP):
            yield Context(prec=digits, rounding=rounding).create_decimal(Decimal(value))


def shown_by_the_rule(value: float) -> str:
    """The rule, spelled out: fewest digits that read back, an exponent below 1e-4 and from 1e6 on."""
    fewest = next(number for number in rounded(value) if float(number) == value)
    sign, digits, _ = fewest.normalize().as_tuple()
    exponent = fewest.adjusted()
    text = "".join(map(str, digits))
    minus = "-" if sign else ""
    if value == 0:
        return "0"
    if -4 <= exponent < 6:
        return format(fewest.normalize(), "f")
    return f"{minus}{text[0]}{'.' if len(text) > 1 else ''}{text[1:]}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


@given(DOUBLES)
def test_a_float_is_written_by_the_rule(value: float) -> None:
    assert format_float(value) == shown_by_the_rule(value)


@given(st.floats(min_value=1e-6, max_value=1e18), st.integers(0, 17))
def test_a_rounded_float_is_written_by_the_rule(value: float, digits: int) -> None:
    short = float(f"{value:.{digits}g}")
    assert format_float(short) == shown_by_the_rule(short)


@given(st.floats())
def test_a_float_reads_back_as_itself(value: float) -> None:
    text = format_float(value)
    assert canonical(text) == text
    assert float(text) == value or (math.isnan(value) and text == "NaN")


@given(DECIMAL_TEXTS)
def test_a_decimal_is_shown_as_its_float_is(text: str) -> None:
    value = float(text)
    assert canonical(text) == (None if math.isinf(value) else signed(value))


@given(st.text())
def test_any_text_is_no_number_or_one_whose_text_is_stable(text: str) -> None:
    shown = canonical(text)
    assert shown is None or canonical(shown) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [  # measured on the original, on amd64
        ("3.7", "3"),
        ("-0.5", "0"),
        ("-3", "1.8446744073709552e+19"),
        ("-3.7", "1.8446744073709552e+19"),
        ("NaN", "9.223372036854776e+18"),
        ("+Inf", "9.223372036854776e+18"),
        ("-Inf", "9.223372036854776e+18"),
        ("1e+19", "1e+19"),
        ("9.3e+18", "9.3e+18"),
        ("-9.3e+18", "9.223372036854776e+18"),
        ("1.844674407370955e+19", "1.844674407370955e+19"),
        ("1.8446744073709552e+19", "9.223372036854776e+18"),
        ("2e+19", "9.223372036854776e+18"),
        ("1e+30", "9.223372036854776e+18"),
        ("-1e+30", "9.223372036854776e+18"),
    ],
)
def test_the_count_of_a_summary_becomes_an_unsigned_integer(count: str, shown: str) -> None:
    assert truncated_count(count) == shown


SHORT_TEXTS = st.from_regex(r"-?[0-9]{1,7}(\.[0-9]{0,10})?", fullmatch=True)
TEXTS = st.one_of(
    SHORT_TEXTS, SHORT_TEXTS, st.floats().map(repr), st.sampled_from(["", "x", "\n", "1\n", "\t1", "+1", "NaN"])
)


@given(st.lists(TEXTS))
def test_many_texts_are_rewritten_as_each_would_be(texts: list[str]) -> None:
    shown = list(map(canonical, texts))
    assert list(each_canonical(texts)) == shown
    found = all_canonical(texts)
    assert (None if found is None else list(found)) == (None if None in shown else shown)


def test_many_short_texts_are_handed_back_as_they_are() -> None:
    texts = ["0", "1", "-3.5", "0.0001", "999999", "123456.000000001"]
    assert each_canonical(texts) is texts
    assert all_canonical(texts) is texts
