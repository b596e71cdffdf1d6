"""Selectors: their syntax, what they select, and both compared with Prometheus."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import program_path

from pgw.errors import SelectorError
from pgw.model.selector import Matcher, Operator, Selector

LABEL_SETS = [
    {"__name__": "g", "job": "ci", "instance": "runner-1"},
    {"__name__": "g", "job": "ci", "instance": "runner-12"},
    {"__name__": "g", "job": "ci", "instance": "db-1"},
    {"__name__": "g", "job": "backup"},
    {"__name__": "g", "job": "backup", "path": 'C:\\temp "x"'},
    {"__name__": "g", "job": "größe", "sum": "1"},
    {"__name__": "h", "job": "ci", "instance": "runner-1"},
]

SELECTORS = [
    ('{job="ci"}', [0, 1, 2, 6]),
    ('{job="ci",instance=~"runner-.*"}', [0, 1, 6]),
    ('{ job = "ci" , instance =~ "runner-." , }', [0, 6]),
    ("g{}", [0, 1, 2, 3, 4, 5]),
    ("g", [0, 1, 2, 3, 4, 5]),
    (" g # of all groups\n", [0, 1, 2, 3, 4, 5]),
    ('g{# the runners\n job="ci" # only\n}', [0, 1, 2]),
    ('g{job!="ci"}', [3, 4, 5]),
    ('g{job!~"ci|backup"}', [5]),
    ('{__name__=~"g|h",instance="runner-1"}', [0, 6]),
    ('{__name__="h"}', [6]),
    ('{__name__!="g",job="ci"}', [6]),
    ('g{instance=""}', [3, 4, 5]),
    ('g{instance!=""}', [0, 1, 2]),
    ('g{instance=~"|db-1"}', [2, 3, 4, 5]),
    ('g{instance!~".*-.*"}', [3, 4, 5]),
    ('g{job="ci",job="backup"}', []),
    ('g{job=~"c.*",job=~".*i"}', [0, 1, 2]),
    ('{job=~"c"}', []),
    ('{job=~"(?i)CI",instance!~"(?:runner)-[0-9]+"}', [2]),
    ('{job=~"a|ci"}', [0, 1, 2, 6]),
    ("{job='ci',instance=`db-1`}", [2]),
    ("{path='C:\\\\temp \"x\"'}", [4]),
    ('{path=`C:\\temp "x"`}', [4]),
    ('{path="C:\\x5ctemp \\042x\\u0022"}', [4]),
    ('{path=~"C:\\\\\\\\temp.*"}', [4]),
    ('{job="größe"}', [5]),
    ('{job="gr\\xc3\\xb6\\U000000dfe"}', [5]),
    ('{job=~"gr..e"}', [5]),
    ('{job=~"gr\\\\pL+"}', [5]),
    ('g{sum="1"}', [5]),
    ("sum{sum='1'}", []),
    ('{job="\\xff"}', []),
]
"""Selectors, and which of the label sets they select."""

REFUSED = [
    ("", 1, "a metric name or '{'"),
    ("{,}", 2, "a label name, a metric name in quotes or '}'"),
    ('{job="ci",,}', 11, "a label name, a metric name in quotes or '}'"),
    ('{job="ci" instance="x"}', 11, "',' or '}'"),
    ('{job="ci"', 10, "',' or '}'"),
    ('{job="ci" # }', 14, "',' or '}'"),
    ('{job="ci"}}', 11, "the end of the selector"),
    ('g{job="ci"} offset', 13, "the end of the selector"),
    ('{a:b="x"}', 2, "a label name, a metric name in quotes or '}'"),
    ('{1="x"}', 2, "a label name, a metric name in quotes or '}'"),
    ("{job}", 5, "one of =, !=, =~, !~"),
    ('{job=="ci"}', 6, "a value in quotes"),
    ("{job=ci}", 6, "a value in quotes"),
    ('{job="ci}', 6, "a value in quotes"),
    ("{job=`ci}", 6, "a value in quotes"),
    ('{job="c\ni"}', 6, "a value in quotes"),
    ("{job=\"ci'}", 6, "a value in quotes"),
    ('{job="\\q"}', 7, "an escape sequence of Go"),
    ('{job="c\\\'i"}', 8, "an escape sequence of Go"),
    ("{job='c\\\"i'}", 8, "an escape sequence of Go"),
    ('{job="\\xzz"}', 7, "an escape sequence of Go"),
    ('{job="\\400"}', 7, "an escape sequence of Go"),
    ('{job="\\ud800"}', 7, "an escape sequence of Go"),
    ('{job="\\U00110000"}', 7, "an escape sequence of Go"),
    ('{job=~"("}', 7, "a regular expression of RE2 (missing ): ()"),
    ('{job=~"(a)\\\\1"}', 7, "a regular expression of RE2 (invalid escape sequence: \\1)"),
    ('{job=~"a(?=b)"}', 7, "a regular expression of RE2 (invalid perl operator: (?=)"),
    ('{job=~"\\\\C"}', 7, "a regular expression of RE2 (invalid escape sequence: \\C)"),
    ('{job=~"a{1001}"}', 7, "a regular expression of RE2 (invalid repetition size: {1001})"),
    ('{job!~"\\xff"}', 7, "a regular expression of RE2 (invalid UTF-8)"),
    ('g{__name__="h"}', 3, "a label: a metric name is given already"),
    ('g{__name__!="h"}', 3, "a label: a metric name is given already"),
]
"""What is not a selector, where it ceases to be one, and what would have been."""

# As REFUSED: what is another expression to Prometheus, or what a younger one than Debian's knows.
REFUSED_HERE = [
    ('"g"', 1, "a metric name or '{'"),
    ('g{"h"}', 3, "a label: a metric name is given already"),
    ('{"g","h"}', 6, "a label: a metric name is given already"),
    ('{__name__="g","h"}', 15, "a label: a metric name is given already"),
    ('{"g"="h"', 9, "',' or '}'"),
    ('{job="\udcff"}', 1, "UTF-8"),
]

TEXT = st.text(max_size=8)
NAMES = st.sampled_from(["job", "a.b", "__name__", "größe", "_", 'q"\\', ""]) | TEXT
PATTERNS = st.sampled_from(["", ".*", "a|b", "[a-z]+", "\\d", "\\Q.\\C\\E", "x{2}", "é", "\\."])
MATCHERS = st.builds(Matcher, NAMES, st.sampled_from([Operator.EQUAL, Operator.NOT_EQUAL]), TEXT) | st.builds(
    Matcher, NAMES, st.sampled_from([Operator.MATCH, Operator.NOT_MATCH]), PATTERNS
)


def named_once(matchers: list[Matcher]) -> bool:
    return [(each.name, each.operator) for each in matchers].count(("__name__", Operator.EQUAL)) < 2


@pytest.mark.parametrize(("text", "selected"), SELECTORS)
def test_a_selector_selects_what_all_its_matchers_accept(text: str, selected: list[int]) -> None:
    selector = Selector.read(text)
    assert [number for number, labels in enumerate(LABEL_SETS) if selector.selects(labels)] == selected


@pytest.mark.parametrize(("text", "position", "expected"), [*REFUSED, *REFUSED_HERE])
def test_what_is_no_selector_is_refused_with_the_place(text: str, position: int, expected: str) -> None:
    with pytest.raises(SelectorError) as caught:
        Selector.read(text)
    assert (caught.value.position + 1, caught.value.expected) == (position, expected)
    assert f"at character {position} found " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ('{"a name"}', True),
        ('{"a name",job="j"}', True),
        ('{job="j","a name"}', True),
        ('{"b name"}', False),
        ('{"label.name"="v"}', True),
        ('{"a name","label.name"=~"w?",}', False),
        ("{'label.name'!='w'}", True),
    ],
)
def test_names_that_are_not_legacy_come_in_quotes(text: str, selected: bool) -> None:  # noqa: FBT001  a row
    assert Selector.read(text).selects({"__name__": "a name", "job": "j", "label.name": "v"}) is selected


@pytest.mark.parametrize("text", ["{}", '{job=~".*"}', '{job!="x"}', '{job!~".+",instance=""}'])
def test_a_selector_that_may_select_everything_is_for_those_who_allow_it(text: str) -> None:
    selector = Selector.read(text)
    assert selector.selects({})
    with pytest.raises(SelectorError, match="this may select everything"):
        selector.require_narrow()


@pytest.mark.parametrize("text", ["g", '{job="x"}', '{job=~".+"}', '{job!=""}', '{job!~""}', '{a=~".*",job="x"}'])
def test_a_selector_that_rejects_the_empty_label_set_is_narrow(text: str) -> None:
    selector = Selector.read(text)
    assert selector.require_narrow() is selector


def test_a_dot_matches_a_line_end_too() -> None:
    assert Selector.read('{job=~"a.b"}').selects({"job": "a\nb"})


@given(
    pattern=st.text("ab-.*+?{2}()[]|^$", max_size=6) | st.text("ab*?|", max_size=4),
    values=st.lists(st.text("ab-|", max_size=4), max_size=9),
)
def test_a_pattern_that_begins_with_letters_matches_what_it_does_in_a_group(pattern: str, values: list[str]) -> None:
    try:
        plain = Matcher("a", Operator.MATCH, pattern)
    except ValueError:
        return
    grouped = Matcher("a", Operator.MATCH, f"(?:{pattern})")
    assert list(map(plain.accepts, values)) == list(map(grouped.accepts, values))


def test_values_that_are_no_utf8_can_be_looked_for() -> None:
    assert Selector.read('{job="\\xff"}').selects({"job": "\udcff"})


@given(st.lists(MATCHERS, max_size=4).filter(named_once).map(lambda found: Selector(tuple(found))))
def test_a_selector_is_what_its_notation_says(selector: Selector) -> None:
    assert Selector.read(str(selector)) == selector


@given(st.lists(st.sampled_from(list('{}=!~,"\\`# gx')) | st.just('job="a"'), max_size=12).map("".join))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        selector = Selector.read(text)
    except SelectorError:
        return
    assert Selector.read(str(selector)) == selector


def test_prometheus_selects_the_same(tmp_path: Path) -> None:
    series = [{"series": notation(labels), "values": str(number)} for number, labels in enumerate(LABEL_SETS)]
    queries = [
        {
            "expr": text,
            "eval_time": 0,
            "exp_samples": [{"labels": notation(LABEL_SETS[number]), "value": number} for number in selected],
        }
        for text, selected in SELECTORS
    ]
    test = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": queries}]}
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(test))  # YAML to promtool
    promtool("test", "rules", path, code=0)


def test_prometheus_refuses_the_same(tmp_path: Path) -> None:
    broad = [str(Selector.read(text)) for text in ("{}", '{job=~".*"}', '{job!="x"}')]
    refused = [text for text, _, _ in REFUSED]
    accepted = [text for text, _ in SELECTORS]
    rules = [{"record": f"r{number}", "expr": text} for number, text in enumerate([*refused, *broad, *accepted])]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}))
    output = promtool("check", "rules", path, code=1)
    numbers = {int(number) - 1 for number in re.findall(r'rule (\d+), "', output)}
    assert numbers == set(range(len(refused) + len(broad)))


def notation(labels: dict[str, str]) -> str:
    name = labels["__name__"]
    return (
        name + "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items() if key != "__name__") + "}"
    )


def promtool(*words: object, code: int) -> str:
    done = subprocess.run([program_path("promtool", "prometheus"), *map(str, words)], capture_output=True, check=False)
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == code, output
    return output
