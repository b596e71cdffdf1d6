"""Strategies for bodies in the text format, valid ones and others.

Out: bodies; lines; and bodies that differ from one another in their values only.
Never: knows what becomes of them.
"""

import re

from hypothesis import strategies as st

# Pieces of bodies: joined at random they are often valid, and often wrong in one place.
NAMES = st.sampled_from(
    ["a", "b:c", "h", "h_count", "h_sum", "h_bucket", "s", "s_count", "s_sum", "h_count_sum", '"q"']
)
TYPES = st.sampled_from(["counter", "gauge", "summary", "histogram", "untyped", "gaugehistogram", "nonsense"])
VALUES = st.sampled_from(
    ["1", "0", "-1", "3.7", "NaN", "+Inf", "1e6", "00012", "1e400", "x", "", "0.12345678901234568"]
)
LABEL_VALUES = st.sampled_from(
    ["", "x", "1", "1.0", "NaN", "0.5", "+Inf", "a b", "c,d", "}", "é", r"\\", r"\"", r"\n", r"\t"]
)
LABELS = st.builds(
    lambda name, equals, value: f'{name}{equals}"{value}"',
    st.sampled_from(["le", "quantile", "b", "c", "d", "__name__", '"e"']),
    st.sampled_from(["=", "=", "=", " = ", ""]),
    LABEL_VALUES,
)
LABEL_SETS = st.one_of(
    st.just(""),
    st.builds(
        lambda labels, comma, end: "{" + comma.join(labels) + end + "}",
        st.lists(LABELS, max_size=3),
        st.sampled_from([",", ",", ", ", " "]),
        st.sampled_from(["", "", ","]),
    ),
)
BLANKS = st.sampled_from([" ", " ", " ", "  ", "\t", ""])
SAMPLES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", " "]), NAMES, LABEL_SETS, BLANKS, VALUES, st.sampled_from(["", "", "", " ", " 7"])
    ),
)
COMMENTS = st.one_of(
    st.builds("# TYPE {} {}".format, NAMES, TYPES),
    st.builds("# HELP {}{}{}".format, NAMES, BLANKS, st.sampled_from(["help", "", r"a\\b", r"a\x", "é  "])),
    st.sampled_from(["", "#", "# EOF", "#TYPE a gauge", " # HELP"]),
)
BODIES = st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode(),
    st.lists(st.one_of(SAMPLES, SAMPLES, COMMENTS), max_size=8),
    st.sampled_from(["\n", "\n", "", "\r\n"]),
)

ORDINARY_SAMPLES = st.builds(
    "{}{} {}".format,
    st.sampled_from(["a", "b:c", "h_count", "h_sum", "h_bucket", "s", "s_count", "s_sum"]),
    st.sampled_from(["", "{}", '{b="x y"}', '{c="%s",b="#"}', '{le="1"}', '{le="+Inf"}', '{quantile="0.5"}']),
    st.sampled_from(["1", "0", "2.5", "1e6"]),
)
ORDINARY_BODIES = st.builds(
    lambda comments, lines: ("\n".join([*comments, *lines]) + "\n").encode(),
    st.sampled_from([[], ["# TYPE h histogram", "# TYPE s summary"], ["# HELP a 7", "# TYPE h gaugehistogram"]]),
    st.lists(ORDINARY_SAMPLES, min_size=1, max_size=6),
)
"""Bodies that can be read, most of them whatever their values are."""

_LAST_WORD = re.compile(rb"^([ \t]*[^ \t#\n][^\n]*) ([^ \n]+)$", re.MULTILINE)

NUMBERS = st.sampled_from(
    ["1", "0", "2", "17", "0.5", "1e6", "1e-7", "1.50", "-1", "-0", "3.7", "NaN", "+Inf", "1e400", "x", "1_0", "\u0661"]
)


def with_values(body: bytes, values: list[str]) -> bytes:
    """The body with other words at the ends of its sample lines, one after the other and from the beginning again."""
    taken = iter(range(len(body)))
    return _LAST_WORD.sub(lambda line: line[1] + b" " + values[next(taken) % len(values)].encode(), body)


OTHER_VALUES = st.lists(NUMBERS, min_size=1, max_size=6)
