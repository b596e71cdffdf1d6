"""How large one push may be.

In: the families of a push and its group; their fragments.
Out: nothing, or PushTooLarge.
Never: knows what is stored; the limits of that are the store's.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pgw.errors import PushTooLarge
from pgw.model.family import Exposition
from pgw.model.grouping import GroupingKey

LONGEST_RUNE = 4
"""Bytes of a character in UTF-8 at most."""


class PushLimits(NamedTuple):
    """What a push may hold; 0: no limit."""

    families: int = 0
    series: int = 0
    label_value_length: int = 0
    """Bytes in UTF-8, as Prometheus counts them for its own limit."""

    def check_key(self, key: GroupingKey) -> None:
        """Refuse a group that has a label with too long a value.

        Raises:
            PushTooLarge: naming what, and the limit.
        """
        if self.label_value_length:
            self._check_labels(key.labels, "of the grouping key")

    def check(self, pushed: Exposition) -> None:
        """Refuse a push that has too many families, or a label with too long a value.

        Raises:
            PushTooLarge: naming what, and the limit.
        """
        if 0 < self.families < len(pushed.families):
            found = f"the push holds {len(pushed.families)} metric families"
            raise PushTooLarge("push.max-families", found, self.families)
        if self.label_value_length:
            for family in pushed.families:
                for metric in family.metrics:
                    self._check_labels(metric[0].labels, f"of the metric {family.name}")

    def check_series(self, sizes: Iterable[int]) -> None:
        """Refuse a push that has too many series: lines of samples, as they are scraped, of all its families.

        Raises:
            PushTooLarge: naming how many, and the limit.
        """
        if not self.series:
            return
        series = sum(sizes)
        if series > self.series:
            raise PushTooLarge("push.max-series", f"the push holds {series} series", self.series)

    def _check_labels(self, labels: Iterable[tuple[str, str]], place: str) -> None:
        limit = self.label_value_length
        for name, value in labels:
            if len(value) * LONGEST_RUNE > limit and (size := len(value.encode(errors="surrogateescape"))) > limit:
                found = f"the value of the label {name} {place} has {size} bytes"
                raise PushTooLarge("push.max-label-value-length", found, limit)


UNLIMITED = PushLimits()
"""What is not configured."""
