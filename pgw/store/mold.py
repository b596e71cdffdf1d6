"""What pushes of one form write alike: all of it but the group, the values, and how long they live.

In: the fragments of one push, as an example.
Out: packed fragments, once their texts are given.
Never: looks into a text.

The same series come again and again with new values: what stands around their texts is packed once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pgw.model.family import Type
from pgw.model.group import Fragment
from pgw.store.codec import packed, packed_around


class Mold(NamedTuple):
    """Make it with `of`."""

    types: Mapping[str, Type]
    """Of the families, by their names and in their order."""
    signature: bytes
    """16 bytes that say which series of which types these are: if the group was last written with the same
    signature, it holds just these."""
    checked: bool
    around: Sequence[tuple[bytes, bytes]]
    """What stands before and behind the text of each family, see packed_around."""
    words: list[str | bytes]
    """The names of the families, with room for a packed fragment behind each."""
    moments: Sequence[int]
    """When each family was pushed, which counts only where what was is put back."""

    @classmethod
    def of(cls, fragments: Sequence[Fragment], sizes: Sequence[int], signature: bytes, *, checked: bool) -> "Mold":
        """Make it of an example; `sizes` says how many sample lines each fragment has."""
        return cls(
            {each.name: each.type for each in fragments},
            signature,
            checked,
            list(map(packed_around, fragments, sizes)),
            [word for each in fragments for word in (each.name, b"")],
            [each.pushed_at for each in fragments],
        )

    def filled(self, texts: Sequence[bytes]) -> list[bytes]:
        """Pack the fragments that have these texts."""
        return [packed(text, before, behind) for text, (before, behind) in zip(texts, self.around, strict=True)]
