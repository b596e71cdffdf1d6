"""The store on Redis: calls the scripts and turns their replies into values and errors of ours.

In: writes and questions of the gateway.
Out: what the Store protocol (base.py) promises.
Never: decides anything that two workers could decide differently; that is what the scripts are for.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from pgw.errors import StoreConflict, StoreRefused, StoreUnavailable
from pgw.model.group import Group, Renewal
from pgw.model.grouping import GroupingKey
from pgw.store import codec, scripts
from pgw.store.base import NO_LIMITS, Changes, Copy, Feed, Limits, Refusal, Server, Signs, Sizes, Write
from pgw.store.keys import Keys
from pgw.store.link import Argument, Call, Link, Reply
from pgw.store.primary import read_url
from pgw.store.pushes import Pushes, digits, guard_word, new_epoch
from pgw.store.replies import (
    STORED,
    UNKNOWN,
    read_changes,
    read_verdict,
    readable_again,
    readable_fragment,
    readable_group,
)
from pgw.store.watch import Watch
from pgw.store.writer import UNCONFIRMED, Confirmation, Part, Writer

TOMBSTONES_KEPT = 10_000
"""About a megabyte in Redis. A worker reads the feed at each scrape; one that missed more deletions than this
since its last look reads every group again, which is then not much more work."""
NAMES_AT_ONCE = 1_000
"""Group names in one answer of the feed: a millisecond or two of Redis. With 10,000 it were 20, which pushes wait."""
EXPIRE_AT_ONCE = 16
"""Groups that are expired in one call: a millisecond or two of Redis for groups of ten families."""
SETTLE_ATTEMPTS = 5
"""How often a write is sent again because something has expired that is in its way. The group itself can do so twice
(its families, then the rest), the others once."""
SILENT_SECONDS = 15
"""After which a replica no longer counts: three times as long as they wait before they are heard of again."""
REASON_CHARACTERS = 500
"""Of why a push was refused that are kept: the reasons are a line each, but some quote what the client sent."""
GROUPS_AT_ONCE = 64
"""Groups read or removed in one call: a millisecond or two of Redis for groups of ordinary size."""
FAMILIES_AT_ONCE = 1_000
"""Families after which a call that removes groups leaves the rest to the next one: about 10 ms of Redis."""

Found = TypeVar("Found")


class RedisStore:
    """Groups in one Redis, or one that several replicas share."""

    def __init__(  # noqa: PLR0913  all that is configured about it
        self,
        url: str,
        *,
        prefix: str,
        timeout: float,
        confirmation: Confirmation = UNCONFIRMED,
        linger: int = 0,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """Make a store; nothing is connected yet.

        Args:
            url: where Redis is, see primary.py.
            prefix: what the names of all keys start with.
            timeout: seconds after which Redis counts as away, connecting included.
            confirmation: by how many replicas of Redis a write has to be confirmed.
            linger: microseconds that a group stays after its families have expired.
            limits: how much may be stored.

        Raises:
            ValueError: the URL is of no known form.
        """
        self._keys = Keys(prefix)
        self._encode = codec.Encoder()
        self._linger = linger
        self._limits = limits
        self._pushes = Pushes(self._keys, self._encode, limits)
        self._expiring = asyncio.Lock()
        self._broken: set[str] = set()
        """Names of groups that somebody has broken; the next push writes each as a whole."""
        self._primary = read_url(url, slot_of=self._keys.changes, timeout=timeout)
        self._reader = Link(self._primary, timeout)
        self._writing = Link(self._primary, timeout + (confirmation.seconds if confirmation.replicas else 0.0))
        self._watch = Watch()
        batch = self._pushes.batch
        self._writer = Writer(self._writing, batch, watch=self._watch, timeout=timeout, confirmation=confirmation)
        self._fail, self._delete = map(scripts.load, ("fail", "delete"))
        self._changes, self._groups, self._copies = map(scripts.load, ("changes", "groups", "copies"))
        self._count, self._wipe, self._restore = map(scripts.load, ("count", "wipe", "restore"))
        self._due, self._expire, self._live, self._signs = map(scripts.load, ("due", "expire", "live", "signs"))

    def push(self, write: Write) -> Coroutine[Any, Any, Mapping[str, str]]:
        """See Store.push."""
        return self._write(write, "merge")

    def replace(self, write: Write) -> Coroutine[Any, Any, Mapping[str, str]]:
        """See Store.replace."""
        return self._write(write, "replace")

    async def restore(
        self, write: Write, pushed_at: int, failed_at: int, *, deadline: int = 0, rehearsal: bool = False
    ) -> Mapping[str, str]:
        """See Store.restore."""
        key, mold, mode = write.key, write.mold, "rehearsal" if rehearsal else ""
        words: list[Argument] = ["checked" if mold.checked else "unchecked", key.name, key.shape, key.twin or ""]
        words.append(self._encode.labels(key.labels))
        words += (digits(pushed_at), digits(failed_at), digits(deadline), len(mold.types))
        families = zip(mold.types, map(digits, mold.moments), mold.filled(write.heads()), write.values, strict=True)
        for fields in families:
            words += fields
        words.append(guard_word(write.guard))
        touched = (*self._keys.of_all_groups, self._keys.group(key.name))

        def make(settled: str) -> Call:
            return Call.of(self._restore, touched, (new_epoch(), *self._limits, mode, settled, *words))

        return read_verdict(await self._send(key, make), write, self._limits)

    async def fail(self, key: GroupingKey, lifetime: int = 0) -> None:
        """See Store.fail."""
        keys = self._keys
        shared = (keys.changes, keys.tombstones, keys.version, keys.epoch, keys.deadlines, keys.totals)
        touched = (*shared, keys.group(key.name))
        words = (new_epoch(), key.name, key.twin or "", self._encode.labels(key.labels), lifetime)
        limits = (self._limits.groups, self._limits.groups_per_job)
        await self._send(key, lambda settled: Call.of(self._fail, touched, (*words, settled, *limits)))

    async def delete(self, key: GroupingKey) -> bool:
        """See Store.delete."""
        [removed] = await self.remove([key])
        return removed

    async def remove(
        self, groups: Sequence[GroupingKey], *, older_than: int | None = None, dry_run: bool = False
    ) -> list[bool]:
        """See Store.remove; in as many steps as it takes to hold up nobody else."""
        removed: list[bool] = []
        attempts = 0
        while rest := groups[len(removed) : len(removed) + GROUPS_AT_ONCE]:
            call = self._removal(rest, "" if older_than is None else older_than, "look" if dry_run else "delete")
            [reply] = await self._reader.call(call) if dry_run else [await self._writer.write(call)]
            done = [bool(answer) for answer in reply if answer != b"due"]
            removed += done
            if len(done) < len(reply):
                attempts = 1 if done else attempts + 1
                if attempts > SETTLE_ATTEMPTS:
                    raise StoreConflict(rest[0].name, SETTLE_ATTEMPTS)
                await self._expire_groups(rest[len(done) : len(done) + EXPIRE_AT_ONCE])
        return removed

    async def wipe(self) -> int:
        """See Store.wipe."""
        keys = self._keys
        arguments = (new_epoch(), keys.group(""))
        return int(await self._writer.write(Call.of(self._wipe, keys.of_all_groups, arguments)))

    async def expire(self) -> bool:
        """See Store.expire."""
        [due] = await self._reader.call(Call.of(self._due, (self._keys.deadlines,), (EXPIRE_AT_ONCE,)))
        if due:
            await self._expire_groups([GroupingKey.from_name(name.decode()) for name in due])
        return len(due) == EXPIRE_AT_ONCE

    async def changes(self, feed: Feed, *, follows: bool = True) -> Changes:
        """See Store.changes; a large answer is read in several parts."""
        first = await self._read_changes(feed, follows=follows)
        if feed.version and feed.source != self._reader.source:
            # Another server, or the same one after a failover, may issue the same versions for other changes.
            feed = Feed()
            first = await self._read_changes(feed, follows=follows)
        source = self._reader.source
        changed, cursor = [*map(bytes.decode, first[3])], first[4]
        while cursor:
            more = await self._read_changes(feed, cursor)
            changed += map(bytes.decode, more[3])
            cursor = more[4]
        if self._reader.source != source:
            raise StoreUnavailable("Redis was replaced by another server while the changes were read")
        return read_changes(source, first, changed)

    async def groups(self, names: Sequence[str]) -> list[Group | None]:
        """See Store.groups."""
        return await self._read_groups(names, readable_group)

    async def renewed(self, known: Mapping[str, bytes]) -> list[Group | Renewal | None]:
        """See Store.renewed."""
        return await self._read_groups([*known], lambda name, reply: readable_again(name, known[name], reply))

    async def copies(self, wanted: Sequence[tuple[str, str]]) -> list[Copy]:
        """See Store.copies."""
        if not wanted:
            return []
        keys = [self._keys.changes, *(self._keys.group(name) for name, _ in wanted)]
        [replies] = await self._reader.call(Call.of(self._copies, keys, [word for pair in wanted for word in pair]))
        return [
            Copy(version.decode(), readable_fragment(name, family, *fields))
            for (name, family), (version, *fields) in zip(wanted, replies, strict=True)
        ]

    async def names(self) -> list[str]:
        """See Store.names."""
        return sorted(set((await self.changes(Feed(), follows=False)).changed))

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

    async def live(self, replica: str, refusal: Refusal | None) -> None:
        """See Store.live."""
        news = refusal or Refusal("", "")
        keys, reason = self._keys, news.reason[:REASON_CHARACTERS].encode(errors="replace")
        words: tuple[Argument, ...] = (replica, SILENT_SECONDS, news.group, reason)
        await self._writer.write(Call.of(self._live, (keys.replicas, keys.refusal), words), matters=False)

    async def signs(self) -> Signs:
        """See Store.signs."""
        keys = (self._keys.replicas, self._keys.refusal)
        [(replicas, refusal)] = await self._reader.call(Call.of(self._signs, keys, (SILENT_SECONDS,)))
        group, reason, at = refusal
        known = Refusal(group.decode(), reason.decode(errors="replace"), int(at)) if group and reason and at else None
        return Signs([replica.decode(errors="replace") for replica in replicas], known)

    @property
    def waiting(self) -> int:
        """See Store.waiting."""
        return self._writer.waiting

    async def ping(self) -> None:
        """See Store.ping."""
        await self._reader.call(Call(("PING",)))

    async def greet(self) -> None:
        """See Store.greet."""
        await self._read_changes(Feed())

    async def follow(self) -> None:
        """See Store.follow."""
        self._watch.start()  # the first time: whoever follows serves, and pushes may come
        await self._reader.follow()
        await self._writing.follow()

    async def close(self) -> None:
        """See Store.close."""
        await self._writer.close()
        self._watch.stop()
        await self._reader.close()
        await self._primary.close()

    async def _write(self, write: Write, mode: str) -> Mapping[str, str]:
        key, signature = write.key, write.mold.signature
        if key.left == signature and key.name not in self._broken:
            reply = await self._writer.write(self._pushes.fresh(write))
            if reply == STORED:
                return {}
            key.left = b""
            if reply != UNKNOWN:
                return read_verdict(reply, write, self._limits)
        reply = await self._send(key, lambda settled: self._pushes.whole(write, mode, settled))
        if reply == STORED and write.values and not write.mold.has_details:
            key.left = signature  # so next time the values will do
            self._broken.discard(key.name)
        return read_verdict(reply, write, self._limits)

    async def _send(self, key: GroupingKey, make: Callable[[str], Part | Call]) -> Reply:
        """Send a write, and whatever has to come before it; `make` as in `_settle`."""
        return await self._settle(key, make, await self._writer.write(make("")))

    async def _settle(self, key: GroupingKey, make: Callable[[str], Part | Call], reply: Reply) -> Reply:
        """Remove what has expired and is in the way of a write, and send it again, until nothing is.

        Args:
            key: the group that is written to.
            make: makes the write; the word tells the script whether all was removed that had expired by then.
            reply: what the script said to the write when it was sent first.
        """
        settled, sent = "", 1
        while _is_due(reply):
            if sent == SETTLE_ATTEMPTS:
                raise StoreConflict(key.name, SETTLE_ATTEMPTS)
            if len(reply) == 1:
                await self._expire_all()
                settled = "settled"
            else:
                await self._expire_groups([key])
            reply = await self._writer.write(make(settled))
            sent += 1
        return reply

    async def _expire_all(self) -> None:
        async with self._expiring:  # for those that wait nothing is left
            while await self.expire():
                pass

    async def _expire_groups(self, keys: Sequence[GroupingKey]) -> None:
        touched = (*self._keys.of_all_groups, self._keys.telemetry, *(self._keys.group(key.name) for key in keys))
        arguments: list[Argument] = [new_epoch(), TOMBSTONES_KEPT, self._linger]
        for key in keys:
            arguments += (key.name, key.shape)
        await self._writer.write(Call.of(self._expire, touched, arguments), matters=False)

    def _removal(self, groups: Sequence[GroupingKey], age: Argument, mode: str) -> Call:
        touched = [*self._keys.of_all_groups, *(self._keys.group(key.name) for key in groups)]
        arguments: list[Argument] = [new_epoch(), TOMBSTONES_KEPT, mode, age, FAMILIES_AT_ONCE]
        for key in groups:
            arguments += (key.name, key.shape)
        return Call.of(self._delete, touched, arguments)

    async def _read_groups(self, names: Sequence[str], read: Callable[[str, Reply], Found]) -> list[Found]:
        found: list[Found] = []
        for start in range(0, len(names), GROUPS_AT_ONCE):
            part = names[start : start + GROUPS_AT_ONCE]
            [replies] = await self._reader.call(Call.of(self._groups, [*map(self._keys.group, part)]))
            found += map(read, part, replies)
            read_now = zip(part, replies, found[start:], strict=True)
            self._broken.update(name for name, reply, group in read_now if reply and group is None)
        return found

    async def _read_changes(self, feed: Feed, cursor: str = "", *, follows: bool = False) -> Reply:
        keys = self._keys
        touched = (keys.changes, keys.tombstones, keys.version, keys.epoch, keys.telemetry, keys.read)
        words = (feed.epoch, feed.version, cursor, NAMES_AT_ONCE, "follow" if follows else "")
        [reply] = await self._reader.call(Call.of(self._changes, touched, words))
        return [*reply[:4], reply[4].decode(), *reply[5:]]


def _is_due(reply: Reply) -> bool:
    """Whether a script says that something has expired and has to be removed first."""
    return isinstance(reply, list) and reply[:1] == [b"due"]
