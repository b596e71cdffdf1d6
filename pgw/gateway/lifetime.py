"""How long a group lives after a push: as the request asks, or as a rule or the setting says; never beyond the bound.

In: a grouping key, and the duration that came with the push, if one did.
Out: microseconds; 0: for ever.
Never: knows about HTTP or clocks.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from pgw.durations import read_interval, show_duration
from pgw.errors import BadLifetime
from pgw.model.group import MICROSECONDS
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector

MOST_SECONDS = 100 * 365 * 86400.0
"""A hundred years: a deadline and the time that a group lingers behind it have to fit into 16 digits of microseconds,
which last until the year 2286."""
EXPECTED = "a duration such as 90s, 2h or 1d, 0 for ever, 100y at most"


class Rule(NamedTuple):
    """Groups, and how many seconds they live; 0: for ever."""

    selector: Selector
    seconds: float


class Lifetimes(NamedTuple):
    """The settings of expiry."""

    rules: Sequence[Rule] = ()
    """The first that selects a group decides."""
    otherwise: float = 0.0
    """Seconds for groups that no rule selects; 0: for ever."""
    longest: float = 0.0
    """Seconds that no group outlives, whatever is asked for; 0: no bound."""

    def of(self, key: GroupingKey, asked: float | None) -> int:
        """Tell how long a group lives from a push on, in microseconds; 0: for ever.

        Args:
            key: the group.
            asked: the seconds that the request names, if it names any; 0: for ever.

        Raises:
            BadLifetime: the request asks for more than is allowed.
        """
        if asked is None and not (self.rules or self.otherwise or self.longest):
            return 0  # as most are configured
        if asked is not None and self.longest and not 0 < asked <= self.longest:
            limit = show_duration(self.longest)
            raise BadLifetime(show_duration(asked), f"a duration above zero and up to {limit} (--push.ttl-max)")
        seconds = self._configured(key) if asked is None else asked
        if self.longest:
            seconds = min(seconds or self.longest, self.longest)
        return microseconds(seconds)

    def _configured(self, key: GroupingKey) -> float:
        if not self.rules:
            return self.otherwise
        labels = dict(key.labels)
        return next((rule.seconds for rule in self.rules if rule.selector.selects(labels)), self.otherwise)


FOR_EVER = Lifetimes()
"""What is not configured: groups live as long as nobody deletes them, unless a request asks for less."""


def read_lifetime(text: str) -> float:
    """Seconds of a duration that a group may live; 0: for ever. ValueError for anything else."""
    seconds = read_interval(text)
    if seconds > MOST_SECONDS:
        raise ValueError(text)
    return seconds


def microseconds(seconds: float) -> int:
    """The same in the unit of the store; what is above zero stays so."""
    return math.ceil(seconds * MICROSECONDS)
