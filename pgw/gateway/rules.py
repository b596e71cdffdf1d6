"""What a push must satisfy by itself, before anything stored is looked at; so must what is imported or checked.

In: the key and the exposition of a push.
Out: the families that would be stored, or the reason why not.
Never: needs a store; what may stand beside other groups is decided there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pgw.errors import TooManyFamilies
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model import consistency
from pgw.model.family import Exposition, Family, Type
from pgw.model.grouping import GroupingKey

MOST_FAMILIES = 10_000
"""Families in one push. Redis takes some 27 µs for each that is new to a group and serves nobody else meanwhile: a
quarter of a second for so many."""


class Rules(NamedTuple):
    """The rules of a gateway."""

    own: Mapping[str, Type]
    """The types of the gateway's own families."""
    checked: bool
    """Whether pushes are checked for consistency."""

    def bounded(self, key: GroupingKey, pushed: Exposition) -> Exposition:
        """Return the push without what belongs to the gateway.

        Raises:
            PushError: its group could not be scraped, or it is too large.
        """
        key.require_utf8()
        if len(pushed.families) > MOST_FAMILIES:
            raise TooManyFamilies(len(pushed.families), MOST_FAMILIES)
        return pushed._replace(families=[each for each in pushed.families if each.name not in PUSH_TIMES])

    def consistent(self, key: GroupingKey, bounded: Exposition) -> list[Family]:
        """Return the families of a push that `bounded` has returned, as they would be stored.

        Raises:
            InconsistentPush: naming the metric and the rule.
        """
        if self.checked:
            consistency.check(bounded, key, self.own)
            return bounded.families
        consistency.check_readable(bounded, key)
        return [consistency.without_duplicates(family, key) for family in bounded.families]
