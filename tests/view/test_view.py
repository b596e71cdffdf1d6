"""The view, beside a page that is made anew from all groups; and what is shown where unchecked pushes clash."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from lines import write_samples
from prometheus_client.parser import text_string_to_metric_families

from pgw.formats.text_writer import write_head
from pgw.model.consistency import without_duplicates
from pgw.model.family import Family, Histogram, Metric, Summary, Type
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey
from pgw.model.series import Series
from pgw.view.contest import Contender, related, settle
from pgw.view.view import View


def grouping(**labels: str) -> GroupingKey:
    return GroupingKey(tuple(sorted(labels.items())))


# In the first three groups a series may be the same, if its own labels make up for those of the key.
GROUPS = [
    grouping(job="j"),
    grouping(job="j", instance="i"),
    grouping(job="j", zone="z"),
    grouping(job="k"),
]
FAMILIES = ["x", "x_count", "x_sum", "x_bucket", "y"]
LABELS = [
    (("instance", "i"), ("zone", "z")),
    (("instance", "i"), ("zone", "a\rb c")),
    (("instance", "k"), ("zone", "z")),
]
TYPES = [Type.GAUGE, Type.COUNTER, Type.SUMMARY, Type.HISTOGRAM]


def metric(name: str, kind: Type, labels: tuple[tuple[str, str], ...], value: str) -> Metric:
    series = Series(name, labels)
    if kind is Type.HISTOGRAM:
        return Histogram(series, ((value, "1"), ("+Inf", "2")), "2", value)
    if kind is Type.SUMMARY:
        return Summary(series, (("0.5", value),), "2", value)
    return series, value


class Pushed(NamedTuple):
    """One family of one group."""

    type: Type
    help: str | None
    unchecked: bool
    labels: tuple[tuple[tuple[str, str], ...], ...]
    value: str

    def fragment(self, name: str, key: GroupingKey) -> Fragment:
        kind = self.type
        mark: tuple[tuple[str, str], ...] = ()
        if not self.unchecked:  # the store lets no two of these clash
            kind = Type.GAUGE
            mark = () if key == GROUPS[0] else (("mark", key.name),)
        metrics = [metric(name, kind, labels + mark, self.value) for labels in self.labels]
        family = without_duplicates(Family(name, kind, self.help, metrics), key)
        return Fragment(name, kind, self.help, write_samples(family, key).encode(), self.unchecked)


def pushed(*, unchecked: st.SearchStrategy[bool]) -> st.SearchStrategy[Pushed]:
    return st.builds(
        Pushed,
        st.sampled_from(TYPES),
        st.sampled_from([None, "", "help", "other"]),
        unchecked,
        st.lists(st.sampled_from(LABELS), max_size=3, unique=True).map(tuple),
        st.sampled_from("123"),
    )


def contents(each: st.SearchStrategy[Pushed]) -> st.SearchStrategy[dict[str, Pushed]]:
    return st.dictionaries(st.sampled_from(FAMILIES), each, max_size=4)


def shown(view: View) -> str:
    view.settle()
    return b"".join(piece.text() for piece in view.pieces).decode()


def fragments(key: GroupingKey, families: Mapping[str, Pushed]) -> list[Fragment]:
    return [each.fragment(name, key) for name, each in families.items()]


def samples(page: str) -> list[tuple[str, frozenset[tuple[str, str]], float]]:
    """All samples of a page, by the reader of prometheus_client, which fails where the page is not valid."""
    return [
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(page.replace("\r", "?"))
        for sample in family.samples
    ]


def require_valid(page: str) -> None:
    """No series twice, no family twice, every sample under the head of its family, histograms whole."""
    seen = [(name, labels) for name, labels, _ in samples(page)]
    assert len(seen) == len(set(seen)), page
    heads = [line.split(" ")[2:] for line in page.split("\n") if line.startswith("# TYPE ")]
    kinds = dict(heads)
    assert len(kinds) == len(heads), page
    assert list(kinds) == sorted(kinds)
    for name, kind in kinds.items():
        suffixes = {"histogram": ("_count", "_sum", "_bucket"), "summary": ("_count", "_sum")}.get(kind, ())
        assert not {name + suffix for suffix in suffixes} & kinds.keys(), page
    current = ""
    for line in page.split("\n")[:-1]:
        if line.startswith("# "):
            current = line.split(" ")[2]
            continue
        name = line.partition("{")[0]
        suffixes = {"histogram": ("_count", "_sum", "_bucket"), "summary": ("", "_count", "_sum")}.get(
            kinds[current], ("",)
        )
        assert name in {current + suffix for suffix in suffixes}, page
    for name, kind in kinds.items():
        if kind == "histogram":  # each was pushed with two buckets
            assert page.count(f"\n{name}_bucket{{") == 2 * page.count(f"\n{name}_count{{"), page


class History(RuleBasedStateMachine):
    """Groups come, change and go, some of them unchecked; the gateway has families of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.view = View(write_head)
        self.groups: dict[GroupingKey, tuple[int, dict[str, Pushed]]] = {}
        self.own: list[Fragment] = []
        self.clock = itertools.count(1)

    @rule(key=st.sampled_from(GROUPS), families=contents(pushed(unchecked=st.booleans())))
    def put(self, key: GroupingKey, families: dict[str, Pushed]) -> None:
        now = next(self.clock)
        self.groups[key] = now, families
        self.view.put(key.name, now, fragments(key, families))

    @rule(key=st.sampled_from(GROUPS), name=st.sampled_from(FAMILIES), each=pushed(unchecked=st.booleans()))
    def put_one(self, key: GroupingKey, name: str, each: Pushed) -> None:
        self.put(key, {**self.groups.get(key, (0, {}))[1], name: each})

    @precondition(lambda self: self.groups)
    @rule(data=st.data(), value=st.sampled_from("1234"))
    def renew(self, data: st.DataObject, value: str) -> None:
        key, now = data.draw(st.sampled_from(list(self.groups))), next(self.clock)
        families = {name: each._replace(value=value) for name, each in self.groups[key][1].items()}
        self.groups[key] = now, families
        self.view.renew(key.name, now, [(each.name, each.text) for each in fragments(key, families)], [])

    @rule(key=st.sampled_from(GROUPS))
    def drop(self, key: GroupingKey) -> None:
        self.groups.pop(key, None)
        self.view.drop(key.name)

    @rule(names=st.lists(st.sampled_from(["own", "x", "y"]), unique=True), value=st.sampled_from("12"))
    def show_own(self, names: list[str], value: str) -> None:
        self.own = [
            Fragment(name, Type.GAUGE, f"Own {name}.", f'{name}{{own="{value}"}} 1\n'.encode()) for name in names
        ]
        self.view.show_own(self.own)

    @rule()
    def settle_now(self) -> None:
        self.view.settle()

    def made_anew(self) -> View:
        view = View(write_head)
        for key in sorted(self.groups, key=lambda each: each.name, reverse=True):
            now, families = self.groups[key]
            view.put(key.name, now, fragments(key, dict(reversed(families.items()))))
        view.show_own(self.own)
        return view

    @invariant()
    def the_page_is_valid(self) -> None:
        require_valid(shown(self.view))

    @invariant()
    def what_is_not_shown_is_counted(self) -> None:
        pushed = [each for key, (_, families) in self.groups.items() for each in fragments(key, families)]
        lines = sum(each.text.count(b"\n") for each in (*pushed, *self.own))
        page = shown(self.view)
        visible = sum(1 for line in page.split("\n")[:-1] if not line.startswith("# "))
        assert self.view.hidden_samples == lines - visible

    @invariant()
    def the_page_is_the_same_whatever_the_history(self) -> None:
        anew = self.made_anew()
        assert shown(self.view) == shown(anew)
        assert self.view.hidden_samples == anew.hidden_samples
        assert self.view.names() == {key.name for key in self.groups}
        held = {name for _, families in self.groups.values() for name in families}
        assert self.view.families() == held | {each.name for each in self.own}


def test_the_page_does_not_depend_on_what_was_before_and_is_valid() -> None:
    run_state_machine_as_test(History, settings=settings(max_examples=200, stateful_step_count=20))


# What stands where pushes that nobody checked clash.


def own(text: str) -> Fragment:
    return Fragment("pushgateway_own", Type.GAUGE, "Own.", text.encode())


def text_of(view: View) -> list[str]:
    return [line for line in shown(view).split("\n") if line and not line.startswith("# ")]


def fragment(name: str, text: str, kind: Type = Type.GAUGE, *, unchecked: bool = True) -> Fragment:
    return Fragment(name, kind, None, text.encode(), unchecked)


def view_of(*groups: tuple[str, int, Fragment]) -> View:
    view = View(write_head)
    for name, pushed_at, each in groups:
        view.put(name, pushed_at, [each])
    return view


HISTOGRAM = 'x_bucket{{a="1",le="{0}"}} 1\nx_bucket{{a="1",le="+Inf"}} 1\nx_sum{{a="1"}} {0}\nx_count{{a="1"}} 1\n'
GAUGE = fragment("x", 'x{a="1"} 1\n')
CLASHES = {
    "types": (GAUGE, fragment("x", 'x{a="2"} 2\n', Type.COUNTER)),
    "series": (GAUGE, fragment("x", 'x{a="1"} 2\n')),
    "a name of a histogram": (
        fragment("x_sum", 'x_sum{a="2"} 1\n'),
        fragment("x", HISTOGRAM.format(1), Type.HISTOGRAM),
    ),
    "a name of a summary": (
        fragment("x_count", 'x_count{a="2"} 1\n'),
        fragment("x", 'x_count{a="1"} 1\n', Type.SUMMARY),
    ),
    "histograms": (
        fragment("x", HISTOGRAM.format(1), Type.HISTOGRAM),
        fragment("x", HISTOGRAM.format(2), Type.HISTOGRAM),
    ),
}


@pytest.mark.parametrize(("one", "other"), CLASHES.values(), ids=CLASHES)
def test_the_newest_is_shown_and_the_other_comes_back_when_it_goes(one: Fragment, other: Fragment) -> None:
    for first, second in ((one, other), (other, one)):
        view = view_of(("job/a", 1, first), ("job/b", 2, second))
        assert text_of(view) == second.text.decode().splitlines()
        assert view.hidden_samples == first.text.count(b"\n")
        view.put("job/a", 3, [first])
        assert text_of(view) == first.text.decode().splitlines()
        assert view.hidden_samples == second.text.count(b"\n")
        view.drop("job/a")
        assert text_of(view) == second.text.decode().splitlines()
        assert view.hidden_samples == 0


def test_lines_with_carriage_returns_are_not_cut() -> None:
    """A label value may hold one; only a newline ends a line."""
    one, other = 'x{a="1\r1"} 1\nx{a="1\r2"} 2\n', 'x{a="1\r3"} 3\nx{a="2\r1"} 4\n'
    view = view_of(("job/a", 1, fragment("x", one)), ("job/b", 2, fragment("x", other)))
    assert shown(view) == "# TYPE x gauge\n" + one + other
    assert view.hidden_samples == 0


def test_of_two_that_are_equally_old_the_last_by_name_wins() -> None:
    for order in ((0, 1), (1, 0)):
        groups = [("job/a", 1, fragment("x", 'x{a="1"} 1\n')), ("job/b", 1, fragment("x", 'x{a="1"} 2\n'))]
        assert text_of(view_of(*(groups[number] for number in order))) == ['x{a="1"} 2']


def test_the_gateways_own_families_are_newer_than_any_push() -> None:
    view = view_of(("job/a", 99, fragment("pushgateway_own", 'pushgateway_own{a="1"} 1\n', Type.COUNTER)))
    assert text_of(view) == ['pushgateway_own{a="1"} 1']
    view.show_own([own('pushgateway_own{b="1"} 1\n')])
    assert text_of(view) == ['pushgateway_own{b="1"} 1']
    assert view.hidden_samples == 1
    view.show_own([])
    assert text_of(view) == ['pushgateway_own{a="1"} 1']
    assert "# TYPE pushgateway_own counter" in shown(view)


def test_own_and_pushed_samples_of_one_name_stand_under_one_head() -> None:
    view = View(write_head)
    pushed_text = 'pushgateway_own{job="j"} 2\n'
    view.put("job/j", 1, [Fragment("pushgateway_own", Type.GAUGE, "Pushed.", pushed_text.encode())])
    view.show_own([own('pushgateway_own{v="1"} 1\n')])
    assert shown(view) == (
        '# HELP pushgateway_own Own.\n# TYPE pushgateway_own gauge\npushgateway_own{v="1"} 1\n' + pushed_text
    )
    revision = view.pieces.revision
    view.show_own([own('pushgateway_own{v="1"} 1\n')])
    view.settle()
    assert view.pieces.revision == revision
    view.show_own([])
    assert shown(view) == f"# HELP pushgateway_own Pushed.\n# TYPE pushgateway_own gauge\n{pushed_text}"


def test_a_family_without_samples_is_not_shown() -> None:
    view = view_of(("job/a", 1, fragment("x", "", unchecked=False)))
    assert shown(view) == ""
    assert view.families() == {"x"}
    view.put("job/b", 2, [fragment("x", 'x{a="1"} 1\n', unchecked=False)])
    assert shown(view) == '# TYPE x gauge\nx{a="1"} 1\n'
    view.drop("job/b")
    assert shown(view) == ""


def test_the_same_push_again_changes_no_piece() -> None:
    view = view_of(("job/a", 1, fragment("x", 'x{a="1"} 1\n', unchecked=False)))
    view.settle()
    revision = view.pieces.revision
    view.put("job/a", 2, [fragment("x", 'x{a="1"} 1\n', unchecked=False)])
    view.settle()
    assert view.pieces.revision == revision


def test_a_family_that_comes_twice_is_not_taken_for_another() -> None:
    """No gateway stores that; somebody may, beside the push times."""
    x, y = fragment("x", "x 1\n", unchecked=False), fragment("y", "y 1\n", unchecked=False)
    view = View(write_head)
    view.put("job/a", 1, [x, y])
    view.put("job/a", 2, [y, y._replace(text=b"y 2\n")])
    assert text_of(view) == ["y 2"]
    view.drop("job/a")
    assert shown(view) == ""


def test_a_group_that_was_never_shown_can_be_dropped() -> None:
    view = View(write_head)
    view.drop("job/a")
    assert shown(view) == ""


def test_a_checked_push_to_a_contested_family_is_compared_again() -> None:
    view = view_of(
        ("job/a", 1, fragment("x", 'x{a="1"} 1\n')), ("job/b", 2, fragment("x", 'x{a="2"} 1\n', unchecked=False))
    )
    assert len(text_of(view)) == 2
    view.put("job/b", 3, [fragment("x", 'x{a="1"} 3\n', unchecked=False)])
    assert text_of(view) == ['x{a="1"} 3']


RELATED = {
    "x": {"x_count", "x_sum", "x_bucket"},
    "x_sum": {"x", "x_sum_count", "x_sum_sum", "x_sum_bucket"},
    "_count": {"_count_count", "_count_sum", "_count_bucket"},
}


@pytest.mark.parametrize(("name", "names"), RELATED.items())
def test_a_family_can_clash_with_its_suffixes_and_the_owner_of_its_own(name: str, names: set[str]) -> None:
    assert related(name) == names


@given(st.permutations([1, 2, 3, 4]))
def test_a_contest_does_not_depend_on_the_order_of_contenders(order: Iterable[int]) -> None:
    contenders = {
        1: Contender(4, ("x", "job/a"), Type.GAUGE, b'x{a="1"} 1\n'),
        2: Contender(3, ("x", "job/b"), Type.COUNTER, b'x{a="2"} 1\n'),
        3: Contender(3, ("x", "job/c"), Type.GAUGE, b'x{a="1"} 3\nx{a="3"} 3\n'),
        4: Contender(9, ("x_sum", "job/d"), Type.GAUGE, b'x_sum{a="1"} 1\n'),
    }
    settled = settle(contenders[number] for number in order)
    assert settled.types == {"x": Type.GAUGE, "x_sum": Type.GAUGE}
    assert settled.texts == {
        ("x", "job/a"): b'x{a="1"} 1\n',
        ("x", "job/b"): b"",
        ("x", "job/c"): b'x{a="3"} 3\n',
        ("x_sum", "job/d"): b'x_sum{a="1"} 1\n',
    }


def test_a_text_without_the_count_of_a_histogram_stands_as_a_whole() -> None:
    """No writer of ours makes one; but nothing that is stored may be lost or make the page fail."""
    contenders = [Contender(1, ("x", "a"), Type.HISTOGRAM, b'x_sum{a="1"} 1\n')]
    assert settle(contenders).texts == {("x", "a"): b'x_sum{a="1"} 1\n'}


# What formats other than text are written from.


def test_families_are_shown_with_one_type_and_help_and_their_details() -> None:
    detailed = fragment("x", 'x{a="1"} 1\n', unchecked=False)._replace(details=(b"more",), help="Help.")
    plain = fragment("x", 'x{a="2"} 2\n', unchecked=False)
    view = view_of(("job/a", 1, detailed), ("job/b", 2, plain), ("job/c", 1, fragment("y", "", unchecked=False)))
    view.show_own([own("pushgateway_own 1\n")])
    view.settle()
    shown = [detailed._replace(pushed_at=1), plain._replace(pushed_at=2, help="Help.")]
    assert list(view.shown()) == [[own("pushgateway_own 1\n")], shown]
    assert (view.type_of("x"), view.type_of("y"), view.type_of("z")) == (Type.GAUGE, None, None)
    view.put("job/a", 2, [detailed._replace(details=())])
    view.settle()
    assert [each.details for each in list(view.shown())[1]] == [(), ()]
    view.put("job/a", 3, [detailed])
    view.drop("job/a")
    view.put("job/a", 4, [detailed._replace(details=())])
    view.settle()
    assert [each.details for each in list(view.shown())[1]] == [(), ()]


def test_a_fragment_of_which_something_is_hidden_is_shown_without_details() -> None:
    two = fragment("x", 'x{a="1"} 1\nx{a="2"} 1\n')._replace(details=(b"first", b"second"))
    view = view_of(("job/a", 1, two), ("job/b", 2, GAUGE))
    view.settle()
    [[rest, newest]] = view.shown()
    assert (rest.text, rest.details, newest.text) == (b'x{a="2"} 1\n', (), GAUGE.text)
    view.drop("job/b")
    view.settle()
    [[whole]] = view.shown()
    assert (whole.text, whole.details) == (two.text, two.details)


def test_a_family_is_shown_with_the_time_of_the_push_that_brought_it() -> None:
    x, y = (fragment(name, f"{name} 1\n", unchecked=False) for name in "xy")
    view = View(write_head)

    def times() -> list[int]:
        view.settle()
        return [each.pushed_at for family in view.shown() for each in family]

    view.put("job/a", 7, [x._replace(pushed_at=7), y._replace(pushed_at=7)])
    assert times() == [7, 7]
    view.put("job/a", 9, [x._replace(pushed_at=7), y._replace(pushed_at=9)])
    assert times() == [7, 9]
    view.put("job/a", 11, [x._replace(pushed_at=11), y._replace(pushed_at=11)])
    assert times() == [11, 11]
