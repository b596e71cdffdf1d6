"""Sample lines as a scrape shows them, for tests that begin with families.

Out: text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgw.formats.text_writer import sample_lines

if TYPE_CHECKING:
    from pgw.model.family import Family
    from pgw.model.grouping import GroupingKey


def write_samples(family: Family, key: GroupingKey) -> str:
    """The sample lines of a family in a group; every line ends in a newline."""
    heads, values = sample_lines(family, key)
    shown = (heads % (key.values * len(values))).split("\n")
    return "".join(f"{head}{value}\n" for head, value in zip(shown, values, strict=False))
