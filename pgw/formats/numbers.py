"""Numbers as text: what Go reads as a float, and how Go writes one.

In: the value text of a sample, or a float.
Out: the text that a scrape shows, which is the shortest that reads back as the same double; but for a negative zero,
which a scrape shows as 0.
Never: changes a value; NaN payloads are the one thing that is lost, as in any text.
Follows: strconv.ParseFloat without its hexadecimal and underscore forms, and strconv.FormatFloat 'g' -1 with the
exponent threshold that fmt gives it (behaviour page, sections 1.2 and 2.2).
"""

import math
import re
from collections.abc import Sequence

_LONGEST_SHORT = 16
"""Characters that a text of `_SHORT` has at most: six digits, a point, nine digits; no sign, which costs nothing."""

_SHORT_TEXT = r"(?:-?(?:[1-9][0-9]{0,5}+(?:\.[0-9]{1,9}+(?<!0))?|0\.0{0,3}+[1-9][0-9]{0,9}+(?<!0))|0)"
_SHORT = re.compile(_SHORT_TEXT).fullmatch
"""Texts that are canonical by their looks.

Two decimals of at most 15 digits are never the same double, so one without a superfluous zero is the shortest of its
value, and need not become a float to know that.
"""

_NOT_SHORT = re.compile(rf" (?![1-9][0-9]{{0,5}}+ |{_SHORT_TEXT} |\Z)").search
"""Finds one among many texts, each between blanks, that is not of this kind. It is quicker to look for what should not
be there than to match all, for which each text would be kept to step back to. Most are whole numbers."""

_FLOAT = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?").fullmatch

_WORDS = {"nan": "NaN"} | {
    sign + word: shown for sign, shown in (("", "+Inf"), ("+", "+Inf"), ("-", "-Inf")) for word in ("inf", "infinity")
}

_EXPONENT_FROM = 1e6
"""From here on Go writes an exponent; Python waits until `_PYTHON_EXPONENT_FROM`. Below 1e-4 both do."""
_PYTHON_EXPONENT_FROM = 1e16

NEGATIVE_ZERO = "-0"

_INT64 = 2**63
_UINT64 = 2**64


def canonical(text: str) -> str | None:
    """Rewrite the text of a value as a scrape shows it.

    Returns:
        The shortest text of the same double (`NaN`, `+Inf` and `-Inf` included; a negative zero is `-0`, see
        formats/details.py), or None where `text` is not a number or too large for one.
    """
    if len(text) <= _LONGEST_SHORT and _SHORT(text):
        return text
    try:
        value = float(text)
    except ValueError:
        return None
    shown = signed(value)
    if shown == text or _FLOAT(text):
        return None if math.isinf(value) and shown != text else shown
    return _WORDS.get(text.lower())  # float() takes more texts than Go: with blanks, underscores, other digits


def each_canonical(texts: Sequence[str]) -> Sequence[str | None]:
    """Rewrite the texts of many values, of which none holds a blank, each as `canonical` does."""
    return [canonical(text) for text in texts] if _NOT_SHORT(f" {' '.join(texts)} ") else texts


def all_canonical(texts: Sequence[str]) -> Sequence[str] | None:
    """Rewrite the texts of many values, of which none holds a blank; None where one of them is not a number."""
    shown = each_canonical(texts)
    if shown is texts:
        return texts
    found = [text for text in shown if text is not None]
    return found if len(found) == len(texts) else None


def format_float(value: float) -> str:
    """Write a float as a scrape shows it."""
    text = repr(value)  # the shortest digits, as in Go; only the form differs
    size = abs(value)
    if size < _EXPONENT_FROM:
        return text.removesuffix(".0") if size else "0"
    if size < _PYTHON_EXPONENT_FROM:
        return _with_exponent(text)
    if size < math.inf:
        return text
    return "NaN" if math.isnan(value) else f"{text[:-3] or '+'}Inf"


def signed(value: float) -> str:
    """Write a float as Go's fmt does: as a scrape shows it, but for the sign of a zero."""
    return format_float(value) if value or math.copysign(1, value) > 0 else NEGATIVE_ZERO


def truncated_count(text: str) -> str:
    """Write the count of a summary, given in canonical text, as Go on amd64 does after converting it to an uint64.

    The fraction is cut off and negative counts wrap; what does not fit at all (NaN too) becomes 2**63.
    """
    value = float(text)
    if not -_INT64 <= value < _UINT64:
        return format_float(float(_INT64))
    return format_float(float(int(value) % _UINT64))


def _with_exponent(text: str) -> str:
    """Move the point of `1234567.5` behind its first digit: `1.2345675e+06`."""
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.removeprefix("-").partition(".")
    digits = (whole + fraction).rstrip("0")
    point = "." if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}{digits[1:]}e+{len(whole) - 1:02d}"
