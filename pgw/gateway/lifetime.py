"""How long a group lives after a push: what the request asks for, or a rule says, or the setting; never beyond the bound.

In: a grouping key, and the duration that came with the push, if one did.
Out: microseconds; 0: for ever.
Never: knows about HTTP or clocks.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pgw.durations import show_duration
from pgw.errors import BadLifetime
from pgw.model.group import MICROSECONDS
from pgw.model.grouping import GroupingKey
from pgw.model.selector import Selector


class Rule(NamedTuple):
    """Groups, and how many seconds they live."""

    selector: Selector
    seconds: float


class Lifetimes(NamedTuple):
    """The settings of expiry."""

    rules: Sequence[Rule] = ()
    """The first that fits decides."""
    otherwise: float = 0.0
    """Seconds for groups that no rule fits; 0: for ever."""
    longest: float = 0.0
    """Seconds that no group outlives; 0: no bound."""
    linger: float = 0.0
    """Seconds that a group without its families stays, with its push times."""

    @property
    def linger_microseconds(self) -> int:
        """The same in the unit of the store."""
        return round(self.linger * MICROSECONDS)

    def of(self, key: GroupingKey, asked: float | None) -> int:
        """Tell how long a group lives from a push on, in microseconds; 0: for ever.

        Args:
            key: the group.
            asked: the seconds that the request names, if it names any.

        Raises:
            BadLifetime: the request asks for more than is allowed.
        """
        if asked is not None and self.longest and not 0 < asked <= self.longest:
            limit = show_duration(self.longest)
            raise BadLifetime(show_duration(asked), f"a duration above zero and up to {limit} (--push.ttl-max)")
        seconds = self._configured(key) if asked is None else asked
        return round((seconds or self.longest) * MICROSECONDS)

    def _configured(self, key: GroupingKey) -> float:
        if not self.rules:
            return self.otherwise
        labels = dict(key.labels)
        return next((rule.seconds for rule in self.rules if rule.selector.matches(labels)), self.otherwise)
