"""The store on Redis: calls the scripts and turns their replies into values and errors of ours.

In: writes and questions of the gateway.
Out: what the Store protocol (base.py) promises.
Never: decides anything that two workers could decide differently; that is what the scripts are for.
"""

import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence

from pgw.errors import BadGroupingKey, CorruptGroup, InconsistentPush, StoreRefused, StoreUnavailable
from pgw.model.family import Type
from pgw.model.group import Fragment, Group
from pgw.model.grouping import GroupingKey
from pgw.store import codec, scripts
from pgw.store.base import Changes, Copy, Feed, Server, Sizes, Write
from pgw.store.keys import Keys
from pgw.store.link import Argument, Call, Link, Reply
from pgw.store.primary import read_url
from pgw.store.writer import UNCONFIRMED, Confirmation, Part, Writer

log = logging.getLogger(__name__)

TOMBSTONES_KEPT = 10_000
"""About a megabyte in Redis. A worker reads the feed at each scrape; one that missed more deletions than this
since its last look reads every group again, which is then not much more work."""
NAMES_AT_ONCE = 10_000
"""Group names in one answer of the feed: a few milliseconds of Redis."""
GROUPS_AT_ONCE = 64
"""Groups read in one call: below a millisecond of Redis for groups of ordinary size."""


class RedisStore:
    """Groups in one Redis, or one that several replicas share."""

    def __init__(self, url: str, *, prefix: str, timeout: float, confirmation: Confirmation = UNCONFIRMED) -> None:
        """Make a store; nothing is connected yet.

        Args:
            url: where Redis is, see primary.py.
            prefix: what the names of all keys start with.
            timeout: seconds after which Redis counts as away, connecting included.
            confirmation: by how many replicas of Redis a write has to be confirmed.

        Raises:
            ValueError: the URL is of no known form.
        """
        self._keys = Keys(prefix)
        self._primary = read_url(url, slot_of=self._keys.changes, timeout=timeout)
        self._reader = Link(self._primary, timeout)
        self._writing = Link(self._primary, timeout + confirmation.seconds)
        self._writer = Writer(self._writing, self._batch, confirmation)
        self._push, self._fail, self._delete = map(scripts.load, ("push", "fail", "delete"))
        self._changes, self._groups, self._copies = map(scripts.load, ("changes", "groups", "copies"))
        self._count, self._wipe, self._restore = map(scripts.load, ("count", "wipe", "restore"))

    async def push(self, write: Write) -> Mapping[str, str]:
        """See Store.push."""
        return _verdict(await self._writer.write(self._part(write, "merge")), write)

    async def replace(self, write: Write) -> Mapping[str, str]:
        """See Store.replace."""
        return _verdict(await self._writer.write(self._part(write, "replace")), write)

    async def restore(
        self, write: Write, pushed_at: int, failed_at: int, *, rehearsal: bool = False
    ) -> Mapping[str, str]:
        """See Store.restore."""
        keys, key = self._keys, write.key
        words: list[Argument] = [_new_epoch(), "rehearsal" if rehearsal else "", key.name]
        words += ("checked" if write.checked else "unchecked", key.shape, key.twin or "")
        words += (codec.encode_labels(key.labels), write.signature)
        words += (_digits(pushed_at), _digits(failed_at), len(write.fragments))
        for each in write.fragments:
            words += (each.name, _digits(each.pushed_at), codec.encode_fragment(each))
        words += _pairs(write.guard.shapes)
        words += _pairs(write.guard.witnesses)
        touched = (keys.changes, keys.tombstones, keys.families, keys.version, keys.epoch, keys.group(key.name))
        return _verdict(await self._writer.write(Call.of(self._restore, touched, words)), write)

    async def fail(self, key: GroupingKey) -> None:
        """See Store.fail."""
        keys = self._keys
        touched = (keys.changes, keys.tombstones, keys.version, keys.epoch, keys.group(key.name))
        arguments = (_new_epoch(), key.name, key.twin or "", codec.encode_labels(key.labels))
        await self._writer.write(Call.of(self._fail, touched, arguments))

    async def delete(self, key: GroupingKey) -> bool:
        """See Store.delete."""
        keys = self._keys
        group = keys.group(key.name)
        touched = (keys.changes, keys.tombstones, keys.families, keys.version, keys.epoch, group)
        arguments = (_new_epoch(), key.name, key.shape, TOMBSTONES_KEPT)
        return bool(await self._writer.write(Call.of(self._delete, touched, arguments)))

    async def wipe(self) -> int:
        """See Store.wipe."""
        keys = self._keys
        touched = (keys.changes, keys.tombstones, keys.families, keys.version, keys.epoch)
        return int(await self._writer.write(Call.of(self._wipe, touched, (_new_epoch(), keys.group("")))))

    async def changes(self, feed: Feed) -> Changes:
        """See Store.changes; a large answer is read in several parts."""
        first = await self._read_changes(feed, "")
        if feed.version and feed.source != self._reader.source:
            # Another server, or the same one after a failover, may issue the same versions for other changes.
            feed = Feed()
            first = await self._read_changes(feed, "")
        source = self._reader.source
        changed, cursor = [*first[3]], first[4]
        while cursor:
            more = await self._read_changes(feed, cursor)
            changed += more[3]
            cursor = more[4]
        if self._reader.source != source:
            raise StoreUnavailable("Redis was replaced by another server while the changes were read")
        return _changes(source, first, changed)

    async def groups(self, names: Sequence[str]) -> list[Group | None]:
        """See Store.groups."""
        found: list[Group | None] = []
        for start in range(0, len(names), GROUPS_AT_ONCE):
            part = names[start : start + GROUPS_AT_ONCE]
            [replies] = await self._reader.call(Call.of(self._groups, [*map(self._keys.group, part)]))
            found += map(_readable_group, part, replies)
        return found

    async def copies(self, wanted: Sequence[tuple[str, str]]) -> list[Copy]:
        """See Store.copies."""
        if not wanted:
            return []
        keys = [self._keys.changes, *(self._keys.group(name) for name, _ in wanted)]
        [replies] = await self._reader.call(Call.of(self._copies, keys, [word for pair in wanted for word in pair]))
        return [
            Copy(version.decode(), _readable_fragment(name, family, value))
            for (name, family), (version, value) in zip(wanted, replies, strict=True)
        ]

    async def names(self) -> list[str]:
        """See Store.names."""
        return sorted((await self.changes(Feed())).changed)

    async def server(self) -> Server:
        """See Store.server."""
        [text] = await self._reader.call(Call(("INFO",)))
        found = dict(line.split(":", 1) for line in text.decode(errors="replace").splitlines() if ":" in line)
        valkey = found.get("valkey_version")
        version = f"Valkey {valkey}" if valkey else f"Redis {found.get('redis_version', '?')}"
        return Server(version, int(found.get("used_memory", 0)))

    async def sizes(self, names: Sequence[str]) -> Sizes | None:
        """See Store.sizes."""
        keys = [*self._keys.shared, *map(self._keys.group, names)]
        calls = [Call(("MEMORY", "USAGE", key, "SAMPLES", 0)) for key in keys]  # 0: all fields, not some of them
        found: list[int] = []
        try:
            for start in range(0, len(calls), GROUPS_AT_ONCE):
                found += [size or 0 for size in await self._reader.call(*calls[start : start + GROUPS_AT_ONCE])]
        except StoreRefused:
            return None
        others = len(self._keys.shared)
        return Sizes(found[others:], sum(found[:others]))

    async def count(self, amounts: Mapping[str, float], expired: Sequence[str]) -> None:
        """See Store.count."""
        words: list[Argument] = [len(expired), *expired]
        for field, amount in amounts.items():
            words += (field, repr(amount))
        await self._writer.write(Call.of(self._count, (self._keys.telemetry,), words), matters=False)

    @property
    def waiting(self) -> int:
        """See Store.waiting."""
        return self._writer.waiting

    async def ping(self) -> None:
        """See Store.ping."""
        await self._reader.call(Call(("PING",)))

    async def greet(self) -> None:
        """See Store.greet."""
        await self._read_changes(Feed(), "")

    async def follow(self) -> None:
        """See Store.follow."""
        await self._reader.follow()
        await self._writing.follow()

    async def close(self) -> None:
        """See Store.close."""
        await self._writer.close()
        await self._reader.close()
        await self._primary.close()

    def _batch(self, parts: Sequence[Part]) -> Call:
        keys = self._keys
        touched = [keys.changes, keys.tombstones, keys.families, keys.version, keys.epoch]
        touched += [part.key for part in parts]
        arguments: list[Argument] = [_new_epoch()]
        for part in parts:
            arguments += part.arguments
        return Call.of(self._push, touched, arguments)

    def _part(self, write: Write, mode: str) -> Part:
        key, size = write.key, 0
        words: list[Argument] = [key.name, mode, "checked" if write.checked else "unchecked", key.shape]
        words += (key.twin or "", codec.encode_labels(key.labels), write.signature, len(write.fragments))
        for fragment in write.fragments:
            packed = codec.encode_fragment(fragment)
            size += len(packed)
            words += (fragment.name, packed)
        words += _pairs(write.guard.shapes)
        words += _pairs(write.guard.witnesses)
        return Part(self._keys.group(key.name), words, size)

    async def _read_changes(self, feed: Feed, cursor: str) -> Reply:
        keys = self._keys
        touched = (keys.changes, keys.tombstones, keys.version, keys.epoch, keys.telemetry)
        [reply] = await self._reader.call(
            Call.of(self._changes, touched, (feed.epoch, feed.version, cursor, NAMES_AT_ONCE))
        )
        return [*reply[:4], reply[4].decode(), *reply[5:]]


def _readable_group(name: str, reply: Reply) -> Group | None:
    """Decode a group; one that somebody else has broken is passed over, so that the others can be scraped."""
    try:
        return codec.decode_group(name, reply)
    except CorruptGroup as error:
        log.error("%s; it is not shown until it is pushed with PUT or deleted", error)  # noqa: TRY400
        return None


def _readable_fragment(name: str, family: str, value: bytes) -> Fragment | None:
    """Decode one family of a group; what cannot be read is not shown, and so in nobody's way."""
    if not value:
        return None
    try:
        return codec.decode_fragment(family, value)
    except CorruptGroup as error:
        log.error("the stored group %s: %s", name, error)  # noqa: TRY400
        return None


def _new_epoch() -> str:
    """A name for the store, should this be its first change; after FLUSHALL it has to be another."""
    return secrets.token_hex(8)


def _digits(moment: int) -> str:
    """A time as the scripts keep it."""
    return f"{moment:0{codec.TIME_DIGITS}d}"


def _pairs(values: Mapping[str, str]) -> Iterable[Argument]:
    return [len(values), *(word for pair in values.items() for word in pair)]


def _changes(source: str, reply: Reply, changed: list[bytes]) -> Changes:
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


def _verdict(reply: Reply, write: Write) -> Mapping[str, str]:
    """Read the verdict of the push script.

    Returns:
        What the push has to be compared with; nothing if it was stored.
    """
    if reply == b"":
        return {}
    kind, *details = (word.decode() for word in reply)
    if kind == "look":
        return dict(zip(details[::2], details[1::2], strict=True))
    if kind == "twin":
        raise BadGroupingKey(
            f"the group {write.key.twin} exists, and its push times would be the same series as those of this one: "
            'no instance label and instance="" look alike in a scrape'
        )
    raise InconsistentPush(_clash(kind, details, write))


def _clash(kind: str, details: Sequence[str], write: Write) -> str:
    if kind == "type":
        name, stored = details
        mine = next(fragment.type for fragment in write.fragments if fragment.name == name)
        return (
            f'collected metric "{name}" is not a family of type {Type(int(stored)).word}, as other groups have it, '
            f"but of type {mine.word}"
        )
    longer, shorter, owner = details
    return f'collected metric "{longer}" collides with previously collected {Type(int(owner)).word} named "{shorter}"'
