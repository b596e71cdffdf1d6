"""The type and the help of a family that many groups hold, each with its own idea of them.

In: one vote for each group that holds the family, and what the gateway itself says of its own families.
Out: the one type and the one help that are shown.
Never: depends on the order in which votes came; every replica shows the same.

NOTE(pushgateway): where helps differ the original shows one at random; here it is the one most groups have.
"""

from collections import Counter
from typing import NamedTuple

from pgw.model.family import Type


class Vote(NamedTuple):
    """What one group says of a family."""

    type: Type
    help: str | None
    unchecked: bool
    """Pushed with the consistency check off."""
    silent: bool
    """Without samples: such a family is stored, but not shown."""


class Head:
    """The votes for one family."""

    __slots__ = ("_kept", "_votes", "own", "unchecked")

    def __init__(self) -> None:
        self._votes: Counter[Vote] = Counter()
        self._kept: dict[Vote, Vote] = {}
        self.own: Vote | None = None
        """What the gateway says, if the family is one of its own: that overrules all groups."""
        self.unchecked = 0
        """How many groups were pushed with the consistency check off; where there are any, the family is contested."""

    def add(self, vote: Vote) -> Vote:
        """Count a group that holds the family; returns the vote to keep, one object for all equal ones."""
        vote = self._kept.setdefault(vote, vote)
        self._votes[vote] += 1
        self.unchecked += vote.unchecked
        return vote

    def remove(self, vote: Vote) -> None:
        """Count a group no longer."""
        self._votes[vote] -= 1
        self.unchecked -= vote.unchecked
        if not self._votes[vote]:
            del self._votes[vote], self._kept[vote]

    def __bool__(self) -> bool:
        return bool(self._votes) or self.own is not None

    @property
    def contested(self) -> bool:
        """Whether some group was pushed with the consistency check off."""
        return self.unchecked > 0

    @property
    def silent(self) -> bool:
        """Whether there is nothing to show."""
        return self.own is None and all(vote.silent for vote in self._votes)

    def winner(self) -> Vote:
        """The vote that is shown: any help rather than none, then the most frequent, then the first by name."""
        if self.own is not None:
            return self.own
        helps: Counter[str | None] = Counter()
        for vote, count in self._votes.items():
            helps[vote.help] += count
        return min(self._votes, key=lambda vote: (vote.help is None, -helps[vote.help], vote.help or "", vote.type))
