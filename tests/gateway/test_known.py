"""Pushes of a known form: what is stored is what the rules and the writer would have made of them."""

import pytest
from bodies import BODIES, ORDINARY_BODIES, OTHER_VALUES, with_values
from gateways import Replica, read_text, replica
from hypothesis import given
from hypothesis import strategies as st
from lines import write_samples
from servers import RedisServer

from pgw.errors import BadGroupingKey, OverLimit, ParseError, PushError, PushTooLarge
from pgw.formats.forms import Filled
from pgw.formats.text_reader import TextReader
from pgw.gateway.known import Known
from pgw.gateway.limits import PushLimits
from pgw.gateway.rules import Rules
from pgw.model.family import Exposition, Type
from pgw.model.grouping import GroupingKey
from pgw.store.base import Write
from pgw.telemetry.shared import OWN_TYPES

SIGHTINGS = 3
KEYS = st.builds(
    lambda labels: GroupingKey(tuple(sorted({"job": "j", **labels}.items()))),
    st.dictionaries(
        st.sampled_from(["b", "le", "instance", "zone"]), st.sampled_from(["", "%s", '"\n', "é", "x%"]), max_size=2
    ),
)
JOB = GroupingKey((("job", "j"),))
OTHER_SHAPE = GroupingKey((("b", "1"), ("job", "j")))


def recognized(reader: TextReader, body: bytes) -> Filled | None:
    try:
        found = reader.recognize(body)
    except ParseError:
        return None
    return found if isinstance(found, Filled) else None


def written(rules: Rules, key: GroupingKey, body: bytes) -> Write | str:
    try:
        return rules.write(key, rules.consistent(key, rules.bounded(key, TextReader().read(body))))
    except (PushError, OverLimit) as refused:
        return str(refused)


def is_same(known: Write, expected: Write | str) -> bool:
    """Whether a known push is stored as another, which is not known, would be."""
    assert isinstance(expected, Write)
    written, wanted = ((each.key, each.mold, each.values, each.heads()) for each in (known, expected))
    return written == wanted


@pytest.mark.parametrize("checked", [True, False])
@given(BODIES | ORDINARY_BODIES, st.lists(OTHER_VALUES, min_size=1, max_size=2), st.lists(KEYS, min_size=1, max_size=3))
def test_a_push_of_a_known_form_is_written_as_the_rules_write_it_or_left_to_them(
    checked: bool,  # noqa: FBT001  a parameter
    body: bytes,
    variants: list[list[str]],
    keys: list[GroupingKey],
) -> None:
    rules = Rules(OWN_TYPES, checked)
    reader, known = TextReader(), Known(rules)
    for _ in range(SIGHTINGS):
        recognized(reader, body)
    for variant in (with_values(body, values) for values in variants):
        found = recognized(reader, variant)
        for key in [*keys, *keys]:
            if found is None:
                continue
            write, expected = known.write(key, found), written(rules, key, variant)
            assert isinstance(expected, str) if write is None else is_same(write, expected)


def filled(body: str) -> Filled:
    reader = TextReader()
    for _ in range(SIGHTINGS):
        found = reader.recognize(body.encode())
    assert isinstance(found, Filled)
    return found


@pytest.mark.parametrize(
    "body", ["a 1\na 2\n", 'a{__x="1"} 1\n', "# TYPE pushgateway_build_info counter\npushgateway_build_info 1\n"]
)
def test_what_the_rules_refuse_is_not_known(body: str) -> None:
    assert Known(Rules(OWN_TYPES, checked=True)).write(JOB, filled(body)) is None


def test_without_a_check_the_last_of_two_like_series_is_kept() -> None:
    write = Known(Rules(OWN_TYPES, checked=False)).write(JOB, filled("a 1\na 2\n"))
    assert write is not None
    assert (write.heads(), write.values) == ([b'a{instance="",job="j"} '], [b"2\n"])


def test_a_group_that_could_not_be_scraped_is_refused_though_its_shape_is_known() -> None:
    known, pushed = Known(Rules(OWN_TYPES, checked=True)), filled("a 1\n")
    assert known.write(JOB, pushed) is not None
    with pytest.raises(BadGroupingKey):
        known.write(GroupingKey((("job", "\udcff"),)), pushed)


def test_the_length_of_its_labels_counts_though_the_shape_of_a_group_is_known() -> None:
    known, pushed = Known(Rules(OWN_TYPES, True, PushLimits(label_value_length=3))), filled("a 1\n")
    assert known.write(JOB, pushed) is not None
    with pytest.raises(PushTooLarge):
        known.write(GroupingKey((("job", "long"),)), pushed)


@pytest.mark.parametrize("limits", [PushLimits(series=1), PushLimits(families=1), PushLimits(label_value_length=2)])
def test_what_is_beyond_a_limit_is_not_known(limits: PushLimits) -> None:
    known = Known(Rules(OWN_TYPES, True, limits))
    assert known.write(JOB, filled('a{x="123"} 1\nb 1\n')) is None


async def push_thrice(one: Replica, key: GroupingKey, body: str) -> None:
    reader = TextReader()
    for _ in range(SIGHTINGS):
        pushed = reader.recognize(body.encode())
        await one.gateway.push(key, pushed)
    assert isinstance(pushed, Filled)


@pytest.mark.parametrize("checked", [True, False])
async def test_a_push_of_a_known_form_is_scraped_like_any_other(redis_server: RedisServer, *, checked: bool) -> None:
    async with replica(redis_server.url, checked=checked) as one:
        await push_thrice(one, JOB, 'a{x="1"} 1\n# TYPE s summary\ns_count 3\n')
        assert await one.lines() == [
            'a{instance="",job="j",x="1"} 1',
            's_sum{instance="",job="j"} 0',
            's_count{instance="",job="j"} 3',
        ]


OTHERS = {
    "help": ("# HELP a One.\na 1\n", "# HELP a Other.\na 2\n"),
    "no help": ("# HELP a One.\na 1\n", "a 2\n"),
    "type": ("# TYPE a counter\na 1\n", "# TYPE a gauge\na 2\n"),
    "bounds": (
        '# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
        '# TYPE a histogram\na_bucket{le="2"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    ),
    "quantiles": (
        '# TYPE a summary\na{quantile="0.5"} 1\na_sum 1\na_count 1\n',
        '# TYPE a summary\na{quantile="0.9"} 1\na_sum 1\na_count 1\n',
    ),
    "order": ('a{x="1"} 1\na{x="2"} 2\n', 'a{x="2"} 4\na{x="1"} 3\n'),
}


Shown = list[tuple[str, Type, str | None, bytes, tuple[bytes, ...]]]


def as_read(pushed: Exposition) -> Shown:
    return [
        (each.name, each.type, each.help, write_samples(each, JOB).encode(), each.details) for each in pushed.families
    ]


async def stored(one: Replica) -> Shown:
    group = await one.group(JOB)
    assert group is not None
    return [(each.name, each.type, each.help, each.text, each.details) for each in group.fragments]


@pytest.mark.parametrize("bodies", OTHERS.values(), ids=OTHERS)
async def test_of_two_known_forms_that_take_turns_each_is_shown_as_it_is(
    redis_server: RedisServer, bodies: tuple[str, str]
) -> None:
    async with replica(redis_server.url) as one:
        for body in (*bodies, *bodies):
            await one.gateway.push(JOB, filled(body))
            assert await stored(one) == as_read(read_text(body))


async def test_details_come_and_go_with_each_push(redis_server: RedisServer) -> None:
    plain = read_text("a 1\n")
    one_way, another = ([plain.families[0]._replace(details=(details,))] for details in (b"more", b"less"))
    async with replica(redis_server.url) as one:
        for families in (one_way, another, one_way, plain.families, plain.families, another, plain.families):
            await one.gateway.push(JOB, plain._replace(families=families))
            assert await stored(one) == as_read(plain._replace(families=families))


async def test_a_known_form_is_compared_with_groups_of_other_shapes(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await push_thrice(one, JOB, 'a{b="2"} 1\n')
        await push_thrice(one, OTHER_SHAPE, "a 5\n")
        assert await one.lines() == ['a{b="2",instance="",job="j"} 1', 'a{b="1",instance="",job="j"} 5']


async def test_a_known_form_that_clashes_is_refused_and_the_failure_is_noted(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.push(JOB, 'a{b="1"} 1\n')
        with pytest.raises(PushError, match="was collected before"):
            await push_thrice(one, OTHER_SHAPE, "a 5\n")
        pushed = filled("a 5\n")
        with pytest.raises(PushError, match="was collected before"):
            await one.gateway.push(OTHER_SHAPE, pushed)
        group = await one.group(OTHER_SHAPE)
        assert group is not None
        assert group.failed_at
        assert not group.fragments


async def test_a_known_form_lives_as_long_as_the_request_says(redis_server: RedisServer) -> None:
    async with replica(redis_server.url) as one:
        await one.gateway.replace(JOB, filled("a 1\n"), 60.0)
        group = await one.group(JOB)
        assert group is not None
        assert group.deadline - group.pushed_at == 60_000_000


def test_what_is_known_is_bounded() -> None:
    known = Known(Rules(OWN_TYPES, checked=True), samples=20)
    for number in range(50):
        known.write(JOB, filled(f"a_{number} 1\nb 2\n"))
    assert sum(layout.size for layout in (*known._layouts.young.values(), *known._layouts._old.values())) <= 20
