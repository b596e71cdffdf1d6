"""The protobuf formats, written.

In: messages of families, one by one.
Out: the bytes of each: length-delimited, or as protobuf's own text in lines, or the same on one line.
Never: puts families together or escapes names.
Follows: expfmt/encode.go of prometheus/common; for the text forms, the text format of protobuf.

NOTE(pushgateway): Go varies the blanks of both text forms from build to build, so that nobody relies on them; here
they are always the same.
"""

import math
from collections.abc import Callable, Iterator, Mapping

from google.protobuf.message import Message

from pgw.formats import metrics_pb2 as pb
from pgw.formats.negotiation import Kind
from pgw.formats.numbers import signed
from pgw.model.family import Type

_MORE = 0x80
_BITS = 7
_INDENT = "  "
_WORDS = {math.inf: "inf", -math.inf: "-inf"}
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})


def write_delimited(message: pb.MetricFamily) -> bytes:
    """Write a message with its length in front."""
    encoded = message.SerializeToString()
    return varint(len(encoded)) + encoded


def write_lines(message: pb.MetricFamily) -> bytes:
    """Write a message as protobuf text, a field a line, and an empty line."""
    return ("".join(f"{line}\n" for line in _lines(message, "")) + "\n").encode()


def write_compact(message: pb.MetricFamily) -> bytes:
    """Write a message as protobuf text on one line."""
    return (_compact(message) + "\n").encode()


WRITERS: Mapping[Kind, Callable[[pb.MetricFamily], bytes]] = {
    Kind.DELIMITED: write_delimited,
    Kind.PROTO_TEXT: write_lines,
    Kind.COMPACT_TEXT: write_compact,
}
"""How a family is written in each of the protobuf formats; a page is all of them in a row."""


def varint(value: int) -> bytes:
    """Write a length as protobuf does: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & (_MORE - 1) | _MORE)
        value >>= _BITS
    encoded.append(value)
    return bytes(encoded)


def _lines(message: Message, indent: str) -> Iterator[str]:
    for name, value in _fields(message):
        if isinstance(value, Message):
            yield f"{indent}{name} {{"
            yield from _lines(value, indent + _INDENT)
            yield f"{indent}}}"
        else:
            yield f"{indent}{name}: {value}"


def _compact(message: Message) -> str:
    return " ".join(
        f"{name}:{{{_compact(value)}}}" if isinstance(value, Message) else f"{name}:{value}"
        for name, value in _fields(message)
    )


def _fields(message: Message) -> Iterator[tuple[str, Message | str]]:
    """The fields of a message that are set, by their numbers, each value of a repeated one for itself."""
    for field, value in message.ListFields():
        for each in value if field.is_repeated else (value,):
            yield field.name, each if isinstance(each, Message) else _scalar(message, field.name, each)


def _scalar(message: Message, field: str, value: object) -> str:
    if isinstance(value, bytes):
        return f'"{value.decode(errors="backslashreplace").translate(_ESCAPES)}"'
    if isinstance(value, float):
        return _float(value)
    if field == "type" and isinstance(message, pb.MetricFamily) and isinstance(value, int):
        return Type(value).name
    return str(value)


def _float(value: float) -> str:
    return "nan" if math.isnan(value) else _WORDS.get(value) or signed(value)
