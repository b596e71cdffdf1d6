"""The view: all groups as a scrape shows them, kept in order and changed group by group.

In: groups as they are read from the store, and the gateway's own families.
Out: pieces of a page, of which only those change that a changed group is in.
Never: does I/O, parses samples, or fails because of what was pushed.
Follows: section 7 of the design. Families are sorted by name; within one, groups by name and samples as pushed.

Changes are taken in with `put`, `drop` and `show_own`; `settle` then brings heads and clashes in order.
"""

from collections.abc import Callable, Container, Iterable, Iterator, KeysView, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pgw.model.family import Type
from pgw.model.group import MILLISECOND, Fragment
from pgw.view.contest import Contender, Settled, related, settle
from pgw.view.heads import Head, Vote
from pgw.view.pieces import Pieces, Place

HEAD = ""
"""The group under which the head of a family stands."""
NEWEST = 1 << 62
"""When the gateway's own families were pushed: after every group."""


_Votes = Mapping[str, Vote]
"""Family -> what a group says of it."""
_NO_VOTES: _Votes = MappingProxyType({})
_NOTHING_OLDER: Mapping[str, int] = MappingProxyType({})


class _Moments(NamedTuple):
    """When what the view shows was pushed, in microseconds since 1970."""

    last: dict[str, int]
    """Group -> the last push to it; HEAD -> after all of them, as the gateway's own families count."""
    older: dict[str, Mapping[str, int]]
    """Group -> family -> its push, where that was not the last one to the group; mostly nothing."""

    def of(self, family: str, name: str) -> int:
        """When a group pushed a family."""
        older = self.older.get(name)
        return self.last[name] if older is None else older.get(family, self.last[name])

    def put(self, name: str, last: int, older: Mapping[str, int]) -> None:
        """Note the last push to a group, and those of families that were pushed before."""
        self.last[name] = last
        if older:
            self.older[name] = older
        else:
            self.older.pop(name, None)

    def drop(self, name: str) -> None:
        """Forget a group."""
        self.last.pop(name, None)
        self.older.pop(name, None)


class View:
    """What a scrape shows.

    What is held of a group are texts and numbers, and mappings that groups share: the garbage collector would walk
    through whatever else there is for each of 100,000 groups.
    """

    def __init__(self, write_head: Callable[[str, Type, str | None], str]) -> None:
        self._write_head = write_head
        self.pieces = Pieces()
        self._votes: dict[str, _Votes] = {}
        """Group -> what it says of its families. Groups that say the same share one mapping."""
        self._shared: dict[tuple[str, ...], _Votes] = {}
        """What a group said last that holds these families."""
        # That one entry more has a use besides: a dictionary of 87,000 groups takes 5 to 13 ms to grow, and those that
        # have an entry for each group would all grow at the same one.
        self._moments = _Moments({HEAD: NEWEST}, {})
        self._heads: dict[str, Head] = {}
        self._own: dict[str, Fragment] = {}
        self._types: dict[str, Type] = {}
        """Family -> the type under which it is shown, if it is."""
        self._touched: set[str] = set()
        self._hidden: dict[str, dict[Place, bytes]] = {}
        """Family -> the texts of which something is not shown, as they were pushed."""
        self._details: dict[Place, tuple[bytes, ...]] = {}
        """What the text format cannot carry of the metrics at a place, where there is anything."""

    def names(self) -> KeysView[str]:
        """The names of the groups."""
        return self._votes.keys()

    def families(self) -> KeysView[str]:
        """The names of the families, own ones and those without samples included."""
        return self._heads.keys()

    @property
    def hidden_samples(self) -> int:
        """How many sample lines are not shown, because a newer push that nobody checked is in their way."""
        return sum(
            text.count(b"\n") - (self.pieces.get(place) or b"").count(b"\n")
            for texts in self._hidden.values()
            for place, text in texts.items()
        )

    def type_of(self, family: str) -> Type | None:
        """The type under which a family is shown; None if it is not."""
        return self._types.get(family)

    def shown(self) -> Iterator[list[Fragment]]:
        """All families that are shown, in order, each as the fragments of its groups."""
        for family in sorted(self._types):
            yield list(self._shown_fragments(family))

    def stamped(self, timeless: Container[str]) -> Iterator[bytes]:
        """The texts of all pieces as they are now, each line with the milliseconds of the push that brought it.

        Args:
            timeless: families that are shown without; the gateway's own always are.

        Returns:
            The texts, made one after the other; until then all that is held besides are references.
        """
        pieces = [(tuple(piece.places), tuple(piece.texts)) for piece in self.pieces]
        moments = _Moments(dict(self._moments.last), dict(self._moments.older))
        return _stamped(pieces, moments, timeless)

    def put(self, name: str, pushed_at: int, fragments: Sequence[Fragment]) -> None:
        """Show a group as it is now."""
        votes = self._votes.get(name)
        if votes is None or not _says_the_same(votes, fragments):
            self._votes[name] = self._share(self._vote(name, votes or _NO_VOTES, fragments))
        older = {}
        for family, _, _, text, _, moment, details in fragments:
            if details or self._details:
                self._put_details((family, name), details)
            if self._may_hide(family):
                self._uncover(family, name)
            self.pieces.put((family, name), text)
            if moment not in (0, pushed_at):
                older[family] = moment
        self._moments.put(name, pushed_at, older)

    def renew(
        self, name: str, pushed_at: int, texts: Iterable[tuple[str, bytes]], values: Iterable[tuple[str, bytes]]
    ) -> None:
        """Show other values of the series that a group shows already.

        Args:
            name: of the group.
            pushed_at: when it was pushed, as a whole.
            texts: families without details, and their lines.
            values: families of one line, and its value.
        """
        for family, text in texts:
            if self._may_hide(family):
                self._uncover(family, name)
                self.pieces.put((family, name), text)
            else:
                self.pieces.renew((family, name), text)
        for family, value in values:
            self.pieces.renew_value((family, name), value)
        self._moments.put(name, pushed_at, _NOTHING_OLDER)

    def drop(self, name: str) -> None:
        """Show a group no longer."""
        for family, vote in self._votes.pop(name, _NO_VOTES).items():
            self._drop_fragment(name, family, vote)
        self._moments.drop(name)

    def show_own(self, fragments: Iterable[Fragment]) -> None:
        """Show the gateway's own families; their samples stand before those of any group."""
        now = {fragment.name: fragment for fragment in fragments}
        for family in self._own.keys() | now.keys():
            if now.get(family) != self._own.get(family):
                own = now.get(family)
                self._head(family).own = own and Vote(own.type, own.help, unchecked=False, silent=False)
                self._touched.add(family)
        self._own = now

    def settle(self) -> None:
        """Bring the heads in order, and what clashes; call it after changes, before pieces are read."""
        contested = self._contested()
        settled = settle(self._contenders(contested)) if contested else Settled({}, {})
        self._show_settled(contested, settled)
        for family in self._touched | contested:
            self._show_head(family, settled.types.get(family), shown=family not in contested or family in settled.types)
        self._touched.clear()

    def _shown_fragments(self, family: str) -> Iterator[Fragment]:
        kind, text_help = self._types[family], self._heads[family].winner().help
        own = self._own.get(family)
        if own is not None:
            yield own
        hidden = self._hidden.get(family, {})
        for name, text in self.pieces.texts(family):
            place = (family, name)
            # Details go with whole fragments; one of which something is hidden is shown as its lines say.
            details = () if place in hidden else self._details.get(place, ())
            if text:
                pushed_at = self._moments.of(family, name)
                yield Fragment(family, kind, text_help, text, pushed_at=pushed_at, details=details)

    def _share(self, votes: _Votes) -> _Votes:
        """Take the mapping of another group that says the same, if there is one."""
        families = tuple(votes)
        if self._shared.get(families) != votes:
            if len(self._shared) > len(self._votes):  # more than there can be in use
                self._shared.clear()
            self._shared[families] = votes
        return self._shared[families]

    def _head(self, family: str) -> Head:
        head = self._heads.get(family)
        if head is None:
            head = self._heads[family] = Head()
        return head

    def _vote(self, name: str, before: _Votes, fragments: Iterable[Fragment]) -> _Votes:
        """Count what a group says now, and no longer what it said before."""
        now: dict[str, Vote] = {}
        for each in fragments:
            vote = Vote(each.type, each.help, each.unchecked, silent=not each.text)
            said = now.get(each.name) or before.get(each.name)
            if vote != said:
                self._touched.add(each.name)
                head = self._head(each.name)
                if said is not None:
                    head.remove(said)
                said = head.add(vote)
            now[each.name] = said
        for family in before.keys() - now.keys():
            self._drop_fragment(name, family, before[family])
        return now

    def _may_hide(self, family: str) -> bool:
        """Whether something of a family may not be shown, because somebody pushed it without a check."""
        return family in self._hidden or self._heads[family].contested

    def _uncover(self, family: str, name: str) -> None:
        """Forget what is hidden of a text that changes or goes; `settle` looks at it anew."""
        self._touched.add(family)
        self._hidden.get(family, {}).pop((family, name), None)

    def _drop_fragment(self, name: str, family: str, vote: Vote) -> None:
        self._uncover(family, name)
        self._put_details((family, name), ())
        self.pieces.drop((family, name))
        self._heads[family].remove(vote)

    def _put_details(self, place: Place, details: tuple[bytes, ...]) -> None:
        if details:
            self._details[place] = details
        else:
            self._details.pop(place, None)

    def _show_head(self, family: str, kind: Type | None, *, shown: bool) -> None:
        head = self._heads.get(family)
        if not head:
            self._heads.pop(family, None)
        if not head or head.silent or not shown:
            self._types.pop(family, None)
            self.pieces.drop((family, HEAD))
            return
        vote = head.winner()
        self._types[family] = vote.type if kind is None else kind
        text = self._write_head(family, self._types[family], vote.help).encode()
        own = self._own.get(family)
        self.pieces.put((family, HEAD), text + own.text if own else text)

    def _contested(self) -> set[str]:
        """The families among those touched in which something pushed without a check may clash, or did so far."""
        found: set[str] = set()
        for family in self._touched:
            cluster = self._cluster(family)
            if any(name in self._hidden or self._heads[name].contested for name in cluster):
                found |= cluster
        return found

    def _cluster(self, family: str) -> set[str]:
        """The families that can clash with one, also by way of another."""
        cluster, fresh = {family} & self._heads.keys(), {family}
        while fresh:
            fresh = {name for each in fresh for name in related(each)} & self._heads.keys() - cluster
            cluster |= fresh
        return cluster

    def _contenders(self, families: Iterable[str]) -> Iterable[Contender]:
        for family in families:
            hidden = self._hidden.get(family, {})
            for name, text in self.pieces.texts(family):
                original = hidden.get((family, name), text)
                pushed_at, kind = self._moments.last[name], self._votes[name][family].type
                yield Contender(pushed_at, (family, name), kind, original)
            own = self._own.get(family)
            if own is not None:
                yield Contender(self._moments.last[HEAD], (family, HEAD), own.type, own.text)

    def _show_settled(self, families: Iterable[str], settled: Settled) -> None:
        before = {place: text for family in families for place, text in self._hidden.pop(family, {}).items()}
        for place, text in settled.texts.items():
            if place[1] == HEAD:
                continue
            original = before.get(place) or self.pieces.get(place) or b""
            if text != original:
                self._hidden.setdefault(place[0], {})[place] = original
            self.pieces.put(place, text)


def _says_the_same(votes: _Votes, fragments: Sequence[Fragment]) -> bool:
    """Whether a group says of the same families, in the same order, what it said before; as it mostly does."""
    if len(votes) != len(fragments):
        return False
    for (family, vote), (name, kind, text_help, text, unchecked, _, _) in zip(votes.items(), fragments, strict=True):
        if name != family or vote != (kind, text_help, unchecked, not text):  # a Vote, without the cost of making one
            return False
    return True


def _stamped(
    pieces: Iterable[tuple[Sequence[Place], Sequence[bytes]]], moments: _Moments, timeless: Container[str]
) -> Iterator[bytes]:
    for places, texts in pieces:
        lines = []
        for (family, name), text in zip(places, texts, strict=True):
            if text and name != HEAD and family not in timeless:
                lines.append(text.replace(b"\n", b" %d\n" % (moments.of(family, name) // MILLISECOND)))
            else:
                lines.append(text)
        yield b"".join(lines)
