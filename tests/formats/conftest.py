"""What the tests of formats share: a reader, and an exposition as a group shows it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for wire.py

from pgw.formats.text_reader import TextReader
from pgw.formats.text_writer import write_head, write_samples
from pgw.model.family import Exposition
from pgw.model.grouping import GroupingKey


@pytest.fixture
def reader() -> TextReader:
    return TextReader()


@pytest.fixture
def scraped() -> Callable[[Exposition], str]:
    """The families in their own order, in the group {job="j"}."""
    key = GroupingKey((("job", "j"),))

    def write(exposition: Exposition) -> str:
        return "".join(
            write_head(family.name, family.type, family.help) + write_samples(family, key)
            for family in exposition.families
        )

    return write
