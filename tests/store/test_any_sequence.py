"""Any sequence of pushes, replaces, failures, deletes and wipes, beside a model of a few dictionaries.

After each step the groups, the verdicts, the feed and the index of families are what the model says. Groups may
expire: at once, so that the next step finds them so, or not before the end. Now and then somebody sweeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from pushes import (
    KEYS,
    PERMANENT,
    PREFIX,
    TIMEOUT,
    all_keys,
    client,
    group,
    recounted_index,
    recounted_totals,
    stored_deadlines,
    stored_index,
    stored_totals,
    write,
)
from servers import RedisServer

from pgw.errors import BadGroupingKey, InconsistentPush
from pgw.model.consistency import SUFFIXES
from pgw.model.family import Type
from pgw.model.group import Fragment, Group, Renewal
from pgw.model.grouping import GroupingKey
from pgw.store.base import Feed, Guard
from pgw.store.redis_store import RedisStore

_Result = TypeVar("_Result")

GROUPS = [
    group(job="a"),
    group(job="b"),
    group(job="a", instance=""),
    group(job="a", instance="1"),
    group(job="b", instance="1"),
    group(job="a", zone="z"),
]
FAMILIES = ["x", "x_count", "x_bucket", "y"]
TYPES = [Type.GAUGE, Type.COUNTER, Type.SUMMARY, Type.HISTOGRAM]
VERBS = ["push", "replace"]
AT_ONCE, LONG = 1, 10**12

PUSHED = st.dictionaries(st.sampled_from(FAMILIES), st.sampled_from(TYPES), max_size=3)
KEY = st.sampled_from(GROUPS)
LIFETIME = st.sampled_from([0, 0, AT_ONCE, LONG])


@dataclass
class ModelGroup:
    """What a group should be."""

    families: dict[str, Type] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    """The last of each family; more than it holds."""
    loose: set[str] = field(default_factory=set)
    """Families pushed without a check."""
    whole: object = None
    """What the group was last written with as a whole; None where nobody knows."""
    pushed: bool = False
    failed: bool = False
    lifetime: int = 0


class Model:
    """The rules of a push, on dictionaries."""

    def __init__(self, *, linger: bool) -> None:
        self.groups: dict[str, ModelGroup] = {}
        self._linger = linger
        """Whether expired groups stay, or go at once."""

    def verdict(
        self, key: GroupingKey, pushed: Mapping[str, Type], verb: str, whole: object
    ) -> str | dict[str, set[str]]:
        """ "" stored at once, the word for a refusal, or what to look at."""
        mine = self.groups.get(key.name)
        if mine is not None and pushed and mine.whole == whole:
            return ""
        if mine is None and key.twin in self.groups:
            return "twin"
        checked = isinstance(whole, tuple) and whole[0]
        if not checked:
            return ""
        after = {name: dict(each.families) for name, each in self.groups.items()}
        after[key.name] = {**(after.get(key.name, {}) if verb == "push" else {}), **pushed}
        if self._type_clash(after, pushed):
            return "type"
        if self._suffix_clash(after, mine, pushed):
            return "suffix"
        return self._other_shapes(after, key, pushed)

    @staticmethod
    def _type_clash(after: Mapping[str, Mapping[str, Type]], pushed: Mapping[str, Type]) -> bool:
        return any(
            families[name] is not kind
            for name, kind in pushed.items()
            for families in after.values()
            if name in families
        )

    @staticmethod
    def _suffix_clash(
        after: Mapping[str, Mapping[str, Type]], mine: ModelGroup | None, pushed: Mapping[str, Type]
    ) -> bool:
        known = {} if mine is None else {name: kind for name, kind in mine.families.items() if name not in mine.loose}
        standing = [item for families in after.values() for item in families.items()]
        names = {name for name, _ in standing}
        taken = {name + suffix for name, kind in standing for suffix in SUFFIXES.get(kind, ())}
        for name, kind in pushed.items():
            if known.get(name) is kind:
                continue
            if name in taken or any(name + suffix in names for suffix in SUFFIXES.get(kind, ())):
                return True
        return False

    @staticmethod
    def _other_shapes(
        after: Mapping[str, Mapping[str, Type]], key: GroupingKey, pushed: Mapping[str, Type]
    ) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for other, families in after.items():
            shape = GroupingKey.from_name(other).shape
            for name in pushed:
                if name in families and shape != key.shape:
                    found.setdefault(name, set()).add(shape)
        return found

    def store(
        self,
        key: GroupingKey,
        pushed: Mapping[str, Type],
        verb: str,
        whole: tuple[bool, object],
        lifetime: int,
        *,
        value: int,
    ) -> None:
        """Take a push in."""
        new = key.name not in self.groups
        mine = self.groups.setdefault(key.name, ModelGroup())
        if verb == "replace":
            mine.families.clear()
            mine.loose.clear()
        if verb == "replace" or new or pushed:
            others = mine.families.keys() - pushed.keys()
            mine.whole = None if others else whole
        mine.families.update(pushed)
        mine.values.update(dict.fromkeys(pushed, value))
        mine.loose = mine.loose - pushed.keys() if whole[0] else mine.loose | pushed.keys()
        mine.pushed = True
        mine.lifetime = lifetime
        self._expire(key)

    def fail(self, key: GroupingKey, lifetime: int) -> None:
        """Note a failure."""
        if key.name in self.groups or key.twin not in self.groups:
            self.groups.setdefault(key.name, ModelGroup(lifetime=lifetime)).failed = True
            self._expire(key)

    def _expire(self, key: GroupingKey) -> None:
        mine = self.groups[key.name]
        if mine.lifetime != AT_ONCE:
            return
        if not self._linger:
            del self.groups[key.name]
        mine.families, mine.loose, mine.whole = {}, set(), None


@dataclass
class Follower:
    """A reader, and what it was told."""

    feed: Feed = Feed()  # noqa: RUF009  a tuple, which nobody can change
    groups: dict[str, Group | None] = field(default_factory=dict)


def renewed(before: Group | None, renewal: Renewal) -> Group:
    """A group that is known, with what may have changed of it."""
    assert before is not None
    texts = dict(renewal.texts)
    assert texts.keys() == {each.name for each in before.fragments}
    fragments = [each._replace(text=texts[each.name], pushed_at=renewal.pushed_at) for each in before.fragments]
    pushed_at, failed_at, deadline, _ = renewal
    return Group(before.key, pushed_at, failed_at, tuple(fragments), deadline, before.signature)


class AnySequence(RuleBasedStateMachine):
    """Steps, each taken by the store and by the model."""

    url: str
    linger: int

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.connection = client(self.url)
        self.connection.flushall()
        self.model = Model(linger=self.linger > 0)
        self.store, self.other = (
            RedisStore(self.url, prefix=PREFIX, timeout=TIMEOUT, linger=self.linger) for _ in range(2)
        )
        self.followers = [Follower(), Follower()]
        self.last: tuple[GroupingKey, dict[str, Type], bool, str] | None = None
        self.value = 0

    def run(self, doing: Coroutine[Any, Any, _Result]) -> _Result:
        return self.runner.run(doing)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.other.close())
        self.runner.close()
        self.connection.close()

    @rule(
        key=KEY,
        pushed=PUSHED,
        verb=st.sampled_from(VERBS),
        checked=st.booleans(),
        series=st.sampled_from("12"),
        lifetime=LIFETIME,
    )
    def push(
        self, key: GroupingKey, pushed: dict[str, Type], verb: str, *, checked: bool, series: str, lifetime: int
    ) -> None:
        self.last = key, pushed, checked, series
        self.send(key, pushed, verb, checked=checked, series=series, lifetime=lifetime)

    def send(
        self, key: GroupingKey, pushed: dict[str, Type], verb: str, *, checked: bool, series: str, lifetime: int
    ) -> None:
        self.value += 1
        lines = {name: f'{name}{{s="{series}"}} {self.value}\n'.encode() for name in pushed}
        fragments = [Fragment(name, kind, None, lines[name]) for name, kind in sorted(pushed.items())]
        sent = write(key, *fragments, checked=checked, series=series)._replace(lifetime=lifetime)
        whole = (checked, sent.mold.signature)
        expected = self.model.verdict(key, pushed, verb, whole)
        store = self.other if self.value % 3 == 0 else self.store  # what one has learnt the other makes untrue
        commit = store.push if verb == "push" else store.replace
        if expected == "twin":
            with pytest.raises(BadGroupingKey):
                self.run(commit(sent))
            return
        if expected in ("type", "suffix"):
            with pytest.raises(InconsistentPush, match="is not a" if expected == "type" else "collides with"):
                self.run(commit(sent))
            self.model.fail(key, lifetime)
            return
        assert isinstance(expected, dict) or not expected
        unswept = self.unswept()
        look = self.run(commit(sent))
        found = {(name, shape) for name, shapes in look.items() for shape in shapes.split(" ")}
        wanted = {(name, shape) for name, shapes in dict(expected or {}).items() for shape in shapes}
        assert wanted <= found <= wanted | unswept
        if look:
            assert self.run(commit(sent._replace(guard=Guard(look, {})))) == {}
        self.model.store(key, pushed, verb, whole, lifetime, value=self.value)

    def raw(self) -> dict[str, Group]:
        """All groups, as they are stored."""
        names = self.run(self.store.names())
        found = zip(names, self.run(self.store.groups(names)), strict=True)
        return {name: each for name, each in found if each is not None}

    def visible(self, raw: Mapping[str, Group]) -> dict[str, Group]:
        """All groups, as readers show them."""
        now = self.run(self.store.changes(Feed(), follows=False)).now
        found = ((name, each.at(now, self.linger)) for name, each in raw.items())
        return {name: each for name, each in found if each is not None}

    def unswept(self) -> set[tuple[str, str]]:
        """Families, and the shapes of groups that still hold them though they have expired."""
        raw = self.raw()
        shown = self.visible(raw)
        return {
            (fragment.name, each.key.shape)
            for name, each in raw.items()
            for fragment in each.fragments
            if name not in shown or fragment not in shown[name].fragments
        }

    @rule()
    def sweep(self) -> None:
        while self.run(self.store.expire()):
            pass
        # One that had no families keeps its signature when it expires.
        raw = {name: each._replace(signature=b"") for name, each in self.raw().items()}
        assert raw == self.visible(raw)

    @rule(key=KEY, lifetime=LIFETIME)
    def fail(self, key: GroupingKey, lifetime: int) -> None:
        self.run(self.store.fail(key, lifetime))
        self.model.fail(key, lifetime)

    @rule(key=KEY)
    def delete(self, key: GroupingKey) -> None:
        self.sweep()
        assert self.run(self.store.delete(key)) == (key.name in self.model.groups)
        self.model.groups.pop(key.name, None)

    @rule(keys=st.lists(KEY, unique=True, max_size=4), dry_run=st.booleans())
    def remove(self, keys: list[GroupingKey], *, dry_run: bool) -> None:
        expected = [key.name in self.model.groups for key in keys]
        assert self.run(self.store.remove(keys, dry_run=dry_run)) == expected
        for key in [] if dry_run else keys:
            self.model.groups.pop(key.name, None)

    @precondition(lambda self: self.last is not None)
    @rule(verb=st.sampled_from(VERBS), lifetime=LIFETIME)
    def push_again(self, verb: str, lifetime: int) -> None:
        """The same series to the same group, which may be stored without a look at the others."""
        assert self.last is not None
        key, pushed, checked, series = self.last
        self.send(key, pushed, verb, checked=checked, series=series, lifetime=lifetime)

    @rule(rarely=st.integers(0, 19))
    def empty(self, rarely: int) -> None:
        """Now and then all groups go: by a wipe, or because somebody empties Redis, which is another store then."""
        if rarely == 0:
            self.connection.flushall()
            self.model.groups.clear()
        if rarely == 1:
            self.wipe()

    def wipe(self) -> None:
        self.sweep()
        assert self.run(self.store.wipe()) == len(self.model.groups)
        self.model.groups.clear()

    @rule(which=st.integers(0, 1))
    def follow(self, which: int) -> None:
        """One of two readers looks, now and then; what it has read is not listed for it again."""
        self.followers[which] = self.told(self.followers[which], follows=True)

    def told(self, reader: Follower, *, follows: bool) -> Follower:
        """What a reader knows who looks now."""
        changes = self.run(self.store.changes(reader.feed, follows=follows))
        assert changes.everything or changes.feed.version >= reader.feed.version
        groups = {} if changes.everything else dict(reader.groups)
        for name in changes.deleted:
            groups.pop(name, None)
        before = {name: reader.groups.get(name) for name in changes.changed}
        known = {name: b"" if each is None else each.signature for name, each in before.items()}
        for name, found in zip(known, self.run(self.store.renewed(known)), strict=True):
            groups[name] = renewed(before[name], found) if isinstance(found, Renewal) else found
        return Follower(changes.feed, groups)

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        raw = self.raw()  # read once: most of the time of this test goes into reading
        self.the_groups_are_those_of_the_model(raw)
        self.the_deadlines_are_listed(raw)
        self.the_feeds_lead_from_what_was_known_to_what_is(raw)
        self.there_are_no_other_keys(raw)

    def the_groups_are_those_of_the_model(self, raw: Mapping[str, Group]) -> None:
        shown = self.visible(raw)
        assert shown.keys() == self.model.groups.keys()
        for name, found in shown.items():
            mine = self.model.groups[name]
            assert {each.name: each.type for each in found.fragments} == mine.families
            assert {each.name for each in found.fragments if each.unchecked} == mine.loose
            values = {each.name: int(each.text.rpartition(b" ")[2]) for each in found.fragments}
            assert values == {family: mine.values[family] for family in mine.families}
            assert (found.pushed_at > 0, found.failed_at > 0) == (mine.pushed, mine.failed)
            assert (found.deadline > 0) == (mine.lifetime > 0)
            assert found.key.name == name
        assert stored_index(self.connection) == recounted_index(list(raw.values()))
        assert stored_totals(self.connection) == recounted_totals(list(raw.values()))

    def the_deadlines_are_listed(self, raw: Mapping[str, Group]) -> None:
        assert stored_deadlines(self.connection).keys() == {name for name, each in raw.items() if each.deadline}

    def the_feeds_lead_from_what_was_known_to_what_is(self, raw: Mapping[str, Group]) -> None:
        for reader in self.followers:
            assert self.told(reader, follows=False).groups == raw

    def there_are_no_other_keys(self, raw: Mapping[str, Group]) -> None:
        groups = {KEYS.group(name) for name in raw}
        assert groups <= all_keys(self.connection) <= PERMANENT | groups


@pytest.mark.parametrize(("tombstones_kept", "linger"), [(10_000, 10**12), (2, 0)])
def test_any_sequence_leads_to_what_the_model_says(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, tombstones_kept: int, linger: int
) -> None:
    monkeypatch.setattr("pgw.store.redis_store.TOMBSTONES_KEPT", tombstones_kept)
    monkeypatch.setattr("pgw.store.redis_store.NAMES_AT_ONCE", 3)
    monkeypatch.setattr(AnySequence, "url", redis_server.url, raising=False)
    monkeypatch.setattr(AnySequence, "linger", linger, raising=False)
    run_state_machine_as_test(
        AnySequence,
        settings=settings(
            max_examples=50,
            stateful_step_count=30,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
