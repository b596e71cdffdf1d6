"""Every file of the corpus: what a body becomes in a scrape, or the words in which it is refused.

`valid/NAME.prom` is a body and `valid/NAME.out` what the group {job="j"} shows of it, families in their own order;
`invalid/NAME.error` is the error of `invalid/NAME.prom`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from pgw.errors import ParseError
from pgw.formats.text_reader import TextReader
from pgw.model.family import Exposition

CORPUS = Path(__file__).with_name("corpus")
VALID = sorted((CORPUS / "valid").glob("*.prom"))
INVALID = sorted((CORPUS / "invalid").glob("*.prom"))


def name(path: Path) -> str:
    return path.stem


def test_every_body_has_what_is_expected_of_it() -> None:
    assert {path.with_suffix(".out") for path in VALID} == set((CORPUS / "valid").glob("*.out"))
    assert {path.with_suffix(".error") for path in INVALID} == set((CORPUS / "invalid").glob("*.error"))


@pytest.mark.parametrize("path", VALID, ids=name)
def test_a_valid_body_is_scraped_as_the_original_does(
    path: Path, reader: TextReader, scraped: Callable[[Exposition], str]
) -> None:
    body = path.read_bytes()
    expected = path.with_suffix(".out").read_bytes().decode()
    assert scraped(reader.read(body)) == expected
    assert scraped(reader.read(body)) == expected, "the second reading, from memory, differs"


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_an_invalid_body_is_refused_in_the_words_of_the_original(path: Path, reader: TextReader) -> None:
    expected = path.with_suffix(".error").read_bytes().decode().removesuffix("\n")
    for _ in range(2):
        with pytest.raises(ParseError) as refused:
            reader.read(path.read_bytes())
        assert str(refused.value) == expected
