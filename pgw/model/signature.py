"""A short name for the set of series that a push holds.

In: the families of a push, and their lines without values.
Out: 16 bytes. If the group was last written as a whole under the same bytes, then this push differs from what it holds
in its values only, so nothing has to be checked or indexed again, and nothing else written.
Never: depends on values; a batch job that pushes the same series with new numbers keeps its signature.
"""

from collections.abc import Sequence
from hashlib import blake2b

from pgw.model.family import Family

SIZE = 16
"""Bytes: enough that nobody finds two sets of series with one signature."""


def signature(families: Sequence[Family], heads: Sequence[str], *, checked: bool) -> bytes:
    """Name what is pushed; `checked` and unchecked pushes never share a name.

    Args:
        families: what is pushed.
        heads: of each family the sample lines, up to their values; the same in all groups of one shape.
        checked: whether it was compared with what is stored.
    """
    named = [(f"{each.type:d}", each.name, each.help, bool(each.details)) for each in families]
    return blake2b("\n\n".join([repr((checked, named)), *heads]).encode(), digest_size=SIZE).digest()
