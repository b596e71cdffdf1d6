"""A bounded memory of what comes in turn.

In: keys that are not known, and what was made of them.
Out: the same again, for as many as it can hold.
Never: holds more than its limit; forgets something for each thing that comes.

The groups of a fleet are pushed one after the other, and then again. Where there are more than can be remembered, a
memory of what came last (recent.py) forgets each just before it comes again. This one keeps what it has, and lets one
in sixteen of the others in, each in the place of the one that has been here longest, so that new ones are regulars
after some pushes too.
"""

from typing import Generic, TypeVar

from pgw.formats.recent import LONGEST_REMEMBERED

EVERY = 16
"""How many have to be turned away before one is let in: a group that is pushed once a minute comes in after a quarter
of an hour, more or less. With fewer, more is let in and forgotten for nothing."""

_Value = TypeVar("_Value")


class Regulars(Generic[_Value]):
    """A mapping from texts."""

    __slots__ = ("_limit", "_texts", "_turned_away", "known")

    def __init__(self, limit: int) -> None:
        """Make an empty one that holds `limit` values at most."""
        self._limit = limit
        self._texts: list[bytes] = []
        self._turned_away = 0
        self.known: dict[bytes, _Value] = {}
        """To be read by anybody."""

    def meet(self, text: bytes, value: _Value) -> None:
        """Remember what was made of a text that is not known, unless it is a long one or others have the places."""
        if len(text) > LONGEST_REMEMBERED:
            return
        if len(self._texts) < self._limit:
            self._texts.append(text)
        else:
            self._turned_away += 1
            place, rest = divmod(self._turned_away, EVERY)
            if rest:
                return
            place %= self._limit
            self.known.pop(self._texts[place], None)
            self._texts[place] = text
        self.known[text] = value
