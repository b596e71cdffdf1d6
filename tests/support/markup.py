"""HTML, read as a browser would read it: elements with attributes and text.

In: the source of a page.  Out: Element, a tree to look for things in.
Never: mends a page: an element that is not closed, or closed twice, is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CELLS = {"td", "th", "br"}
VOID = {"meta", "link", "img", "input", "br"}


@dataclass
class Element:
    """One element; its parts are elements and texts."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """This element and all in it, in their order."""
        yield self
        for part in self.parts:
            if isinstance(part, Element):
                yield from part.walk()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements in it of a tag and with these attributes; `class_` is one of the classes."""
        wanted = attributes.pop("class_", "")
        return [
            each
            for each in self.walk()
            if tag in ("", each.tag)
            and (not wanted or wanted in each.attributes.get("class", "").split())
            and all(each.attributes.get(name.replace("_", "-")) == value for name, value in attributes.items())
        ]

    def one(self, tag: str = "", **attributes: str) -> Element:
        """The only such element."""
        [found] = self.all(tag, **attributes)
        return found

    @property
    def text(self) -> str:
        """All text in it, blanks as they are shown, and one between cells."""
        return " ".join("".join(self._texts(behind_cell=" ")).split())

    @property
    def exact_text(self) -> str:
        """All text in it as it is written."""
        return "".join(self._texts())

    def _texts(self, behind_cell: str = "") -> Iterator[str]:
        for part in self.parts:
            if isinstance(part, str):
                yield part
            else:
                yield from part._texts(behind_cell)
                if part.tag in CELLS:
                    yield behind_cell


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("")]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        assert len(element.attributes) == len(attrs), f"an attribute stands twice in {self.get_starttag_text()}"
        self.open[-1].parts.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes nothing, line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)


def read_html(source: str) -> Element:
    """Read a page."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    [root] = reader.open
    return root
