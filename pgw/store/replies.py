"""What the scripts answer, as values and errors of ours.

In: replies as Redis gives them.
Out: changes, groups and verdicts; or an error that says why a push was refused.
Never: asks Redis; fails because of what somebody else has written there.
"""

import logging
from collections.abc import Mapping, Sequence

from redis.exceptions import ResponseError

from pgw.errors import BadGroupingKey, CorruptGroup, InconsistentPush, StoreFull
from pgw.model.family import Type
from pgw.model.group import Fragment, Group, Renewal
from pgw.store import codec
from pgw.store.base import Changes, Feed, Limits, Write
from pgw.store.link import Reply, unusable

STORED = b""
"""What the scripts say of a push that they have stored."""
STORED_BESIDE = b"beside"
"""And the group holds other families too."""
UNKNOWN = b"unknown"
"""What values.lua says of a group that does not hold these series, or not any more."""

log = logging.getLogger(__name__)


def readable_group(name: str, reply: Reply) -> Group | None:
    """Decode a group; one that somebody else has broken is passed over, so that the others can be scraped.

    Raises:
        StoreUnavailable: Redis did not read it, for a reason that is not in the group.
    """
    if isinstance(reply, ResponseError):
        if "WRONGTYPE" not in str(reply):
            raise unusable(reply)
        log.error("the stored group %s cannot be read: %s; it is not shown until it is deleted", name, reply)
        return None
    try:
        return codec.decode_group(name, reply)
    except CorruptGroup as error:
        log.error("%s; it is not shown until it is pushed with PUT or deleted", error)  # noqa: TRY400
        return None


def readable_again(name: str, signature: bytes, reply: Reply) -> Group | Renewal | None:
    """Decode a group that was read before; `signature` is the one it had then, empty if it had none."""
    if signature and type(reply) is list:
        renewal = codec.decode_renewal(signature, reply)
        if renewal is not None:
            return renewal
    return readable_group(name, reply)


def readable_fragment(name: str, family: str, value: bytes, values: bytes) -> Fragment | None:
    """Decode one family of a group; what cannot be read is not shown, and so in nobody's way."""
    if not value:
        return None
    try:
        return codec.decode_fragment(family, value, values)
    except CorruptGroup as error:
        log.error("the stored group %s: %s", name, error)  # noqa: TRY400
        return None


def read_changes(source: str, reply: Reply, changed: Sequence[str]) -> Changes:
    """Read the feed: which server it is of, its first answer, and the changed groups of all answers."""
    epoch, version, everything, _, _, deleted, telemetry, now = reply
    counters = zip(telemetry[::2], telemetry[1::2], strict=True)
    return Changes(
        Feed(source, epoch.decode(), int(version)),
        bool(everything),
        changed,
        [name.decode() for name in deleted],
        {field.decode(): float(value) for field, value in counters},
        int(now),
    )


def read_verdict(reply: Reply, write: Write, limits: Limits) -> Mapping[str, str]:
    """Read the verdict of the push script.

    Args:
        reply: what push.lua or restore.lua says.
        write: what was sent.
        limits: those that were sent with it.

    Returns:
        What the push has to be compared with; nothing if it was stored.

    Raises:
        BadGroupingKey, InconsistentPush, StoreFull: it was refused.
        StoreUnavailable: there is something else where the group belongs.
    """
    if reply in (STORED, STORED_BESIDE):
        return {}
    if isinstance(reply, ResponseError):
        raise unusable(reply)
    kind, *details = (word.decode() for word in reply)
    if kind == "look":
        return dict(zip(details[::2], details[1::2], strict=True))
    if kind == "limit":
        what, value = details
        raise StoreFull(what, int(value), getattr(limits, what))
    if kind == "twin":
        raise BadGroupingKey(
            f"the group {write.key.twin} exists, and its push times would be the same series as those of this one: "
            'no instance label and instance="" look alike in a scrape'
        )
    raise InconsistentPush(_clash(kind, details, write))


def _clash(kind: str, details: Sequence[str], write: Write) -> str:
    if kind == "type":
        name, stored = details
        mine = write.mold.types[name]
        return (
            f'collected metric "{name}" is not a family of type {Type(int(stored)).word}, as other groups have it, '
            f"but of type {mine.word}"
        )
    longer, shorter, owner = details
    return f'collected metric "{longer}" collides with previously collected {Type(int(owner)).word} named "{shorter}"'
