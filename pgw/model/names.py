"""Names: which metric and label names are valid, and how text is quoted in notation and in messages.

In: str as decoded from UTF-8; bytes that were not UTF-8 are surrogate escapes (PEP 383).
Out: verdicts and quoted text.
Never: raises; callers know what an invalid name means where they stand.
Follows: prometheus/common model (legacy names), Go's strconv.Quote (messages of the original use %q).
"""

import re

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

RESERVED_PREFIX = "__"
"""Label names that start so belong to Prometheus itself."""

ESCAPED_PREFIX = "U__"
"""What a name begins with that was escaped by value, after prometheus/common model.EscapeName."""
_ESCAPED_RUNE = re.compile(r"_(?:_|([0-9a-fA-F]{1,5})_)")
"""An underscore, or any rune by its number."""

_GO_ESCAPES = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip
_LAST_ASCII = 0x7F
_LAST_BMP = 0xFFFF


def is_metric_name(name: str) -> bool:
    """Tell whether `name` is a legacy metric name."""
    return METRIC_NAME.fullmatch(name) is not None


def is_label_name(name: str) -> bool:
    """Tell whether `name` is a legacy label name, reserved or not."""
    return LABEL_NAME.fullmatch(name) is not None


def unescape_name(name: str) -> str:
    """Undo the escaping of a name by value: `U__a_2e_b` is `a.b`; a name that is not so escaped stays as it is."""
    if not name.startswith(ESCAPED_PREFIX):
        return name
    escaped = name.removeprefix(ESCAPED_PREFIX)
    unescaped = _ESCAPED_RUNE.sub(_unescaped_rune, escaped)
    return name if _ESCAPED_RUNE.sub("", escaped).count("_") or not is_utf8(unescaped) else unescaped


def _unescaped_rune(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else "_"


def is_utf8(text: str) -> bool:
    """Tell whether `text` came from valid UTF-8, that is, holds no surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escape_value(value: str) -> str:
    r"""Escape a label value for the text format: backslash, newline and double quote."""
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\n" in value:
        value = value.replace("\n", "\\n")
    if '"' in value:
        value = value.replace('"', '\\"')
    return value


def escape_help(text: str) -> str:
    """Escape a help text for the text format: backslash and newline."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def quoted(text: str) -> str:
    r"""Quote `text` as Go's %q does: printable runes stay, others are \n, \x7f or \u200b, broken bytes \xff."""
    return '"' + "".join(map(_quoted_rune, text)) + '"'


def _quoted_rune(rune: str) -> str:
    escape = _GO_ESCAPES.get(rune)
    if escape is not None:
        return escape
    if rune.isprintable():
        return rune
    code = ord(rune)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004  the surrogates that stand for single undecodable bytes
        return f"\\x{code - 0xDC00:02x}"
    if code <= _LAST_ASCII:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _LAST_BMP else f"\\U{code:08x}"
