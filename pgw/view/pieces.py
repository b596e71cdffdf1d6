"""The page as a sorted row of pieces, each a few tens of kilobytes of neighbouring fragments.

In: texts, each at its place: a family and a group.
Out: the pieces in order; those that have changed have lost their compressed segment.
Never: touches a piece that no change falls into.

A piece is about as large as deflate's window (32 KiB): smaller ones compress worse, larger ones are more work to
redo when one group in them changes.

Where a piece begins depends on what the page holds now and on nothing else: each text says by itself whether it opens
one. So all workers have the same pieces, and compress the same page to the same bytes, whatever each has seen before.
"""

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from pgw.view.deflate import Segment

Place = tuple[str, str]
"""A family and a group; the group "" is the head of the family, and sorts before all others."""

AVERAGE = 32 << 10
"""Bytes of a piece, as of deflate's window. One in fifty is four times as large, one in a million fourteen times."""
_DIES = 1 << 32


def opens(place: Place, text: bytes) -> bool:
    """Tell whether a piece begins here: by a die that is cast of the place, the more likely the longer the text is."""
    die = (
        zlib.crc32("\0".join(place).encode(errors="surrogatepass")) * 0x9E3779B1 % _DIES
    )  # Knuth's multiplier: neighbours are far apart
    return die * AVERAGE < len(text) * _DIES


class Piece:
    """Neighbouring texts and what they look like compressed."""

    __slots__ = ("is_legacy", "places", "segment", "size", "texts")

    def __init__(self, places: list[Place], texts: list[bytes]) -> None:
        self.places = places
        self.texts = texts
        self.size = sum(map(len, texts))
        self.segment: Segment | None = None
        """The text as most clients get it, compressed; None where it was not made since the last change."""
        self.is_legacy: bool | None = None
        """Whether all clients get the text as it is, because no name in it has to be escaped; None: not known."""

    def text(self) -> bytes:
        """The texts, joined."""
        return b"".join(self.texts)

    def position(self, place: Place) -> int:
        """Where `place` is, or would be."""
        return bisect_left(self.places, place)

    def get(self, place: Place) -> bytes | None:
        """What stands at `place`."""
        position = self.position(place)
        return self.texts[position] if self.holds(position, place) else None

    def put(self, place: Place, text: bytes) -> bool:
        """Let `text` stand at `place`; tell whether that changed anything."""
        position = bisect_left(self.places, place)
        if self.holds(position, place):
            if self.texts[position] == text:
                return False
            self.size -= len(self.texts[position])
            self.texts[position] = text
        else:
            self.places.insert(position, place)
            self.texts.insert(position, text)
        self.size += len(text)
        self.segment = self.is_legacy = None
        return True

    def drop(self, place: Place) -> bool:
        """Let nothing stand at `place`; tell whether that changed anything."""
        position = bisect_left(self.places, place)
        if not self.holds(position, place):
            return False
        del self.places[position]
        self.size -= len(self.texts.pop(position))
        self.segment = self.is_legacy = None
        return True

    def holds(self, position: int, place: Place) -> bool:
        """Whether `place` is at a position."""
        return position < len(self.places) and self.places[position] == place


class Pieces:
    """All texts of a page in the order of their places."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._firsts: list[Place] = []
        self._nowhere = Piece([], []), 0
        self._next: dict[str, tuple[Piece, int]] = {}
        """Family -> the piece of the place that was looked up last, and the position behind it; if it is known."""
        self.revision = 0
        """Grows with every change."""

    def __iter__(self) -> Iterator[Piece]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def put(self, place: Place, text: bytes) -> None:
        """Let `text` stand at `place`; the same text again changes nothing."""
        found = self._look_up(place)
        if found is None:
            self._put_another_length(place, text)
        elif self._put_instead(*found, place, text):
            found[0].is_legacy = None

    def renew(self, place: Place, text: bytes) -> None:
        """Let `text` stand at `place` instead of one that has the same names."""
        found = self._look_up(place)
        if found is None:
            self._put_another_length(place, text)
        else:
            self._put_instead(*found, place, text)

    def renew_value(self, place: Place, value: bytes) -> None:
        """Let the one line that stands at `place` have another value."""
        found = self._look_up(place)
        if found is not None:
            piece, position = found
            line = piece.texts[position]
            self._put_instead(piece, position, place, b"%b%b\n" % (line[: line.rindex(b" ") + 1], value))

    def _look_up(self, place: Place) -> tuple[Piece, int] | None:
        """Find a text: mostly right behind the one of its family found before, as those that change come in order."""
        piece, position = self._next.get(place[0], self._nowhere)
        if not piece.holds(position, place):
            if not self._pieces:
                return None
            piece = self._pieces[self._find(place)]
            position = piece.position(place)
            if not piece.holds(position, place):
                return None
        self._next[place[0]] = piece, position + 1
        return piece, position

    def _put_instead(self, piece: Piece, position: int, place: Place, text: bytes) -> bool:
        """Let a text stand instead of another; tell whether that changed anything.

        Most are as long, and then a piece begins where one began before.
        """
        before = piece.texts[position]
        if before == text:
            return False
        if len(before) == len(text):
            piece.texts[position] = text
            piece.segment = None
            self.revision += 1
        else:
            self._put_another_length(place, text)
        return True

    def _put_another_length(self, place: Place, text: bytes) -> None:
        """Let a text stand where none did, or one of another length; that may change where pieces begin."""
        if not self._pieces:
            self._pieces, self._firsts = [Piece([], [])], [place]
        number = self._find(place)
        piece = self._pieces[number]
        piece.put(place, text)
        self.revision += 1
        self._firsts[number] = piece.places[0]
        position = piece.position(place)
        if position:
            self._divide_where_one_opens(number, position)
        elif number == 0:
            self._divide_where_one_opens(number, 1)  # until now that may have been the first of all
        elif not opens(place, text):
            self._join_to_the_one_before(number)

    def drop(self, place: Place) -> None:
        """Let nothing stand at `place`."""
        self._next.pop(place[0], None)
        if not self._pieces:
            return
        number = self._find(place)
        piece = self._pieces[number]
        if not piece.drop(place):
            return
        self.revision += 1
        if not piece.places:
            self._remove(number)
            return
        if number and piece.places[0] != self._firsts[number]:
            self._join_to_the_one_before(number)  # it has lost the text that opened it, and no other does
        else:
            self._firsts[number] = piece.places[0]

    def get(self, place: Place) -> bytes | None:
        """What stands at `place`."""
        return self._pieces[self._find(place)].get(place) if self._pieces else None

    def texts(self, family: str) -> Iterator[tuple[str, bytes]]:
        """The groups that hold a family, and what stands there; the head is not among them."""
        if not self._pieces:
            return
        for number in range(self._find((family, "")), len(self._pieces)):
            piece = self._pieces[number]
            for place, text in zip(piece.places, piece.texts, strict=True):
                if place[0] > family:
                    return
                if place[0] == family and place[1]:
                    yield place[1], text

    def _find(self, place: Place) -> int:
        return max(bisect_right(self._firsts, place) - 1, 0)

    def _insert(self, number: int, piece: Piece) -> None:
        self._next.clear()  # what was divided or joined is no piece any more
        self._pieces.insert(number, piece)
        self._firsts.insert(number, piece.places[0])

    def _remove(self, number: int) -> None:
        del self._pieces[number]
        del self._firsts[number]

    def _divide_where_one_opens(self, number: int, position: int) -> None:
        """Divide a piece at a text, if there is one that opens a piece."""
        piece = self._pieces[number]
        if position < len(piece.texts) and opens(piece.places[position], piece.texts[position]):
            self._remove(number)
            self._insert(number, Piece(piece.places[position:], piece.texts[position:]))
            self._insert(number, Piece(piece.places[:position], piece.texts[:position]))

    def _join_to_the_one_before(self, number: int) -> None:
        left, right = self._pieces[number - 1 : number + 1]
        self._remove(number)
        self._remove(number - 1)
        self._insert(number - 1, Piece(left.places + right.places, left.texts + right.texts))
