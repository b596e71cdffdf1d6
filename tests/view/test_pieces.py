"""The row of pieces, beside a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pgw.view.deflate import deflate
from pgw.view.pieces import AVERAGE, Piece, Pieces, Place, opens

PLACES = st.tuples(st.sampled_from(["f", "f_sum", "g"]), st.sampled_from(["", *(f"job/{n:02d}" for n in range(30))]))
LENGTHS = st.sampled_from([0, 1, 100, 1_000, 8_000, 20_000, AVERAGE, AVERAGE + 1, 3 * AVERAGE])


class PiecesBesideADictionary(RuleBasedStateMachine):
    """Puts and drops."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = Pieces()
        self.texts: dict[Place, bytes] = {}
        self.sign = 0

    @rule(place=PLACES, length=LENGTHS)
    def put(self, place: Place, length: int) -> None:
        self.sign = (self.sign + 1) % 256
        self.change(place, bytes([self.sign]) * length)

    @rule(start=st.integers(0, 29), length=st.sampled_from([100, 3_000, 9_000]))
    def put_many(self, start: int, length: int) -> None:
        for number in range(start, 30):
            self.put(("f", f"job/{number:02d}"), length)

    @precondition(lambda self: self.lines())
    @rule(data=st.data(), value=st.sampled_from([b"1", b"2", b"3.5", b"1" * 500]))
    def renew_value(self, data: st.DataObject, value: bytes) -> None:
        place = data.draw(st.sampled_from(self.lines()))
        self.pieces.renew_value(place, value)
        self.texts[place] = b"x " + value + b"\n"

    @rule(start=st.integers(0, 29), value=st.sampled_from([b"1", b"2"]))
    def put_lines(self, start: int, value: bytes) -> None:
        for number in range(start, 30):
            self.change(("g", f"job/{number:02d}"), b"x " + value + b"\n")

    def lines(self) -> list[Place]:
        return sorted(place for place, text in self.texts.items() if text.startswith(b"x "))

    @rule(place=PLACES)
    def drop(self, place: Place) -> None:
        self.change(place, None)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def put_again(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(sorted(self.texts)))
        revision = self.pieces.revision
        self.change(place, self.texts[place])
        assert self.pieces.revision == revision

    def change(self, place: Place, text: bytes | None) -> None:
        """Change one place; every piece that it is not in, and that no piece joins, keeps its segment."""
        for piece in self.pieces:
            piece.segment = piece.segment or deflate(b"as it was")
        before = {id(piece): (piece, list(piece.places)) for piece in self.pieces}
        revision = self.pieces.revision
        same = self.texts.get(place) == text
        if text is None:
            self.pieces.drop(place)
            self.texts.pop(place, None)
        else:
            self.pieces.put(place, text)
            self.texts[place] = text
        assert (self.pieces.revision == revision) == same
        stale = [piece for piece in self.pieces if piece.segment is None]
        assert len(stale) <= (0 if same else 2)
        for piece in self.pieces:
            if piece.segment is not None:
                assert before[id(piece)] == (piece, piece.places)
                assert place not in piece.places or same

    @invariant()
    def the_texts_are_those_of_the_dictionary_in_order(self) -> None:
        ordered = sorted(self.texts.items())
        assert [place for piece in self.pieces for place in piece.places] == [place for place, _ in ordered]
        assert b"".join(piece.text() for piece in self.pieces) == b"".join(text for _, text in ordered)
        for place in (*self.texts, ("e", "x"), ("f", "x"), ("z", "")):
            assert self.pieces.get(place) == self.texts.get(place)
        for family in ("e", "f", "f_", "f_sum", "g", "h"):
            expected = [(place[1], text) for place, text in ordered if place[0] == family and place[1]]
            assert list(self.pieces.texts(family)) == expected

    @invariant()
    def pieces_begin_where_a_text_opens_one_whatever_happened_before(self) -> None:
        for number, piece in enumerate(self.pieces):
            assert piece.places
            assert piece.size == len(piece.text())
            begins = [opens(place, text) for place, text in zip(piece.places, piece.texts, strict=True)]
            assert begins[0] or number == 0
            assert not any(begins[1:])


def test_pieces_hold_what_a_dictionary_holds() -> None:
    run_state_machine_as_test(PiecesBesideADictionary, settings=settings(max_examples=100, stateful_step_count=40))


@pytest.mark.parametrize("length", [50, 100, 1_000, 5_000])
def test_many_texts_are_pieces_of_about_the_window_of_deflate(length: int) -> None:
    pieces, texts = Pieces(), 200 * AVERAGE // length
    for number in range(texts):
        pieces.put(("f", f"job/backup/instance/db-{number * 7919 % texts}"), b"x" * length)
    sizes = [piece.size for piece in pieces]
    assert sum(sizes) == texts * length
    assert 150 < len(sizes) < 250
    assert max(sizes) < 10 * AVERAGE


def test_pieces_that_become_sparse_are_joined() -> None:
    pieces = Pieces()
    for number in range(3_000):
        pieces.put(("f", f"{number:04d}"), b"x" * 100)
    for number in range(3_000):
        if number % 100:
            pieces.drop(("f", f"{number:04d}"))
    assert sum(piece.size for piece in pieces) == 3_000
    assert len(pieces) <= 3
    for number in range(0, 3_000, 100):
        pieces.drop(("f", f"{number:04d}"))
    assert len(pieces) == 0
    assert pieces.get(("f", "0000")) is None
    assert list(pieces.texts("f")) == []
    pieces.drop(("f", "0000"))


def test_where_texts_were_found_is_forgotten_with_their_families() -> None:
    pieces = Pieces()
    for number in range(100):
        place = (f"f{number}", "job/j")
        for text in (b"1", b"2"):
            pieces.put(place, text)
        pieces.drop(place)
    assert not pieces._next


def test_a_piece_tells_whether_something_changed() -> None:
    piece = Piece([("f", "a")], [b"1"])
    assert not piece.put(("f", "a"), b"1")
    assert piece.put(("f", "a"), b"22")
    assert piece.put(("f", "b"), b"")
    assert (piece.get(("f", "a")), piece.get(("f", "b")), piece.get(("f", "c"))) == (b"22", b"", None)
    assert not piece.drop(("f", "c"))
    assert piece.drop(("f", "a"))
    assert (piece.places, piece.size) == ([("f", "b")], 0)
