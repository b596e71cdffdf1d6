"""What pushes of one form write alike: all of it but the group, the values, and how long they live.

In: the fragments of one push, as an example.
Out: the words of a push, once its values are given, and the heads of its lines where they have to be written.
Never: looks into a text.

The same series come again and again with new values: what is packed around the heads of their lines is packed once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.store.codec import packed, packed_around, values_field


class Mold(NamedTuple):
    """Make it with `of`."""

    types: Mapping[str, Type]
    """Of the families, by their names and in their order."""
    signature: bytes
    """16 bytes that say all that these are but for their values: if the group was last written with the same signature,
    it holds just these."""
    checked: bool
    has_details: bool
    """Whether a push is more than lines and values."""
    around: Sequence[tuple[bytes, bytes]]
    """What stands before and behind the heads of each family, see packed_around."""
    names: Sequence[bytes]
    """Of the fields that have the values of the families."""
    moments: Sequence[int]
    """When each family was pushed, which counts only where what was is put back."""

    @classmethod
    def of(cls, fragments: Sequence[Fragment], sizes: Sequence[int], signature: bytes, *, checked: bool) -> "Mold":
        """Make it of an example; `sizes` says how many sample lines each fragment has."""
        return cls(
            {each.name: each.type for each in fragments},
            signature,
            checked,
            any(each.details for each in fragments),
            list(map(packed_around, fragments, sizes)),
            [values_field(each.name) for each in fragments],
            [each.pushed_at for each in fragments],
        )

    def filled(self, heads: Sequence[bytes]) -> list[bytes]:
        """Pack the fragments whose lines have these heads."""
        return [packed(text, before, behind) for text, (before, behind) in zip(heads, self.around, strict=True)]

    def fresh(self, values: Sequence[bytes]) -> list[str | bytes]:
        """The words of a push that changes values only: for each family the field that has them, and these."""
        words: list[str | bytes] = [b""] * (2 * len(values))
        words[::2], words[1::2] = self.names, values
        return words

    def whole(self, heads: Sequence[bytes], values: Sequence[bytes]) -> list[str | bytes]:
        """The words of any push: for each family its name, its fragment, and as above."""
        words: list[str | bytes] = [b""] * (4 * len(values))
        words[::4], words[1::4], words[2::4], words[3::4] = self.types, self.filled(heads), self.names, values
        return words
