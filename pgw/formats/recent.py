"""A bounded memory.

In: keys and what was made of them.
Out: the same again, as long as it is remembered.
Never: holds more than its limit, nor keeps track of every use; two generations are enough to keep what is hot.

What is forgotten goes one by one, each with a value that comes. To let go of 25,000 at once takes 5 ms, under load
three times as long; and to the garbage collector, which looks whenever there are 10,000 objects more than before,
values that come while none go look like growth.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

LONGEST_REMEMBERED = 1_000
"""Characters that are worth remembering: with it a limit on the number of things is one on their bytes too."""

_Key = TypeVar("_Key", bound=Hashable)
_Text = TypeVar("_Text", str, bytes)
_Value = TypeVar("_Value")


class Recent(Generic[_Key, _Value]):
    """A mapping of what was used lately, in two generations.

    When the young generation is full it becomes the old one, and the old one is forgotten; what is asked for
    moves back to the young one.
    """

    __slots__ = ("_forgotten", "_generation", "_old", "_room", "_size_of", "young")

    def __init__(self, limit: int, size_of: Callable[[_Value], int] | None = None) -> None:
        """Make an empty one; `limit` is in values or, where they have sizes, the sum of these."""
        self._generation = self._room = max(1, limit // 2)
        self._size_of = size_of
        self._forgotten: dict[_Key, _Value] = {}
        self._old: dict[_Key, _Value] = {}
        self.young: dict[_Key, _Value] = {}
        """The young generation, for callers in a hurry; another dict after every `get` and `put`."""

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def get(self, key: _Key) -> _Value | None:
        """Look `key` up in both generations."""
        value = self.young.get(key)
        if value is None and (value := self._old.pop(key, None)) is not None:
            self.put(key, value)
        return value

    def find(self, keys: Sequence[_Key]) -> list[_Value | None]:
        """Look many keys up."""
        found = list(map(self.young.get, keys))
        if None not in found or self._old.keys().isdisjoint(keys):
            return found
        return list(map(self.get, keys))

    def put(self, key: _Key, value: _Value) -> None:
        """Remember `value`; one that is larger than a generation is alone in it."""
        size = 1 if self._size_of is None else self._size_of(value)
        if self._room < size:
            self._forgotten, self._old, self.young = self._old, self.young, {}
            self._room = self._generation
        if self._forgotten:
            self._forgotten.popitem()
        self._room -= size
        self.young[key] = value

    def remember(self: "Recent[_Text, _Value]", text: _Text, value: _Value) -> None:
        """Remember what was made of a text, unless that is a long one."""
        if len(text) <= LONGEST_REMEMBERED:
            self.put(text, value)

    def update(self, found: Mapping[_Key, _Value]) -> None:
        """Remember many values."""
        if self._size_of is None and len(found) <= self._room:
            self._room -= len(found)
            self.young.update(found)
            for _ in range(min(len(found), len(self._forgotten))):
                self._forgotten.popitem()
        else:
            for key, value in found.items():
                self.put(key, value)
