"""What the scripts of the store answer, as values of ours.

In: replies.
Out: changes, groups, fragments; the sentence for a clash.
Never: asks Redis anything.
"""

import logging
from collections.abc import Sequence

from pgw.errors import CorruptGroup
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.store import codec
from pgw.store.base import Changes, Feed, Write
from pgw.store.link import Reply

log = logging.getLogger(__name__)


def readable_group(name: str, reply: Reply) -> Group | None:
    """Decode a group; one that somebody else has broken is passed over, so that the others can be scraped."""
    try:
        return codec.decode_group(name, reply)
    except CorruptGroup as error:
        log.error("%s; it is not shown until it is pushed with PUT or deleted", error)  # noqa: TRY400
        return None


def readable_fragment(name: str, family: str, value: bytes) -> Fragment | None:
    """Decode one family of a group; what cannot be read is not shown, and so in nobody's way."""
    if not value:
        return None
    try:
        return codec.decode_fragment(family, value)
    except CorruptGroup as error:
        log.error("the stored group %s: %s", name, error)  # noqa: TRY400
        return None


def read_changes(source: str, reply: Reply, changed: list[bytes]) -> Changes:
    """Read the answer of the feed; `changed` are the names of all its parts."""
    epoch, version, everything, _, _, deleted, telemetry, now = reply
    counters = zip(telemetry[::2], telemetry[1::2], strict=True)
    return Changes(
        Feed(source, epoch.decode(), int(version)),
        bool(everything),
        list(dict.fromkeys(name.decode() for name in changed)),
        [name.decode() for name in deleted],
        {field.decode(): float(value) for field, value in counters},
        int(now),
    )


def describe_clash(kind: str, details: Sequence[str], write: Write) -> str:
    """Say why a push was refused, in the words of the original."""
    if kind == "type":
        name, stored = details
        mine = next(fragment.type for fragment in write.fragments if fragment.name == name)
        return (
            f'collected metric "{name}" is not a family of type {Type(int(stored)).word}, as other groups have it, '
            f"but of type {mine.word}"
        )
    longer, shorter, owner = details
    return f'collected metric "{longer}" collides with previously collected {Type(int(owner)).word} named "{shorter}"'
