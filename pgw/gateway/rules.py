"""What a push must satisfy by itself, before anything stored is looked at; so must what is imported or checked.

In: the key and the exposition of a push.
Out: the write that would be stored, or the reason why not.
Never: needs a store; what may stand beside other groups, and how much in all, is decided there.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgw.formats.text_writer import sample_lines, write_values
from pgw.gateway.limits import UNLIMITED, PushLimits
from pgw.gateway.push_times import NAMES as PUSH_TIMES
from pgw.model import consistency
from pgw.model.family import Exposition, Family, Type
from pgw.model.group import Fragment
from pgw.model.grouping import GroupingKey
from pgw.model.signature import signature
from pgw.store.base import Write
from pgw.store.mold import Mold


class Rules(NamedTuple):
    """The rules of a gateway."""

    own: Mapping[str, Type]
    """The types of the gateway's own families."""
    checked: bool
    """Whether pushes are checked for consistency."""
    limits: PushLimits = UNLIMITED

    def bounded(self, key: GroupingKey, pushed: Exposition) -> Exposition:
        """Return the push without what belongs to the gateway.

        Raises:
            PushError: its group could not be scraped.
            PushTooLarge: it has too many families, or too long a label.
        """
        self.admit(key)
        self.limits.check(pushed)
        return pushed._replace(families=[each for each in pushed.families if each.name not in PUSH_TIMES])

    def admit(self, key: GroupingKey) -> None:
        """Let a group be pushed to.

        Raises:
            BadGroupingKey, PushTooLarge: it could not be scraped, or has too long a label.
        """
        if not key.is_utf8 or self.limits.label_value_length:
            key.require_utf8()
            self.limits.check_key(key)

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

    def write(self, key: GroupingKey, families: Sequence[Family]) -> Write:
        """Write families that `consistent` has returned as they would be stored.

        Raises:
            PushTooLarge: they have too many series.
        """
        lines = [sample_lines(each, key) for each in families]
        sizes = [len(each.values) for each in lines]
        self.limits.check_series(sizes)
        named = signature(families, [each.heads for each in lines], checked=self.checked)
        values = [write_values(each.values) for each in lines]
        filling = key.values
        heads = [(each.heads % (filling * len(each.values))).encode() for each in lines]
        unchecked = not self.checked
        fragments = [
            Fragment(each.name, each.type, each.help, b"", unchecked, details=each.details) for each in families
        ]
        return Write(key, Mold.of(fragments, sizes, named, checked=self.checked), values, lambda: heads)
