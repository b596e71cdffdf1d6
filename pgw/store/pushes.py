"""Pushes as the words that their scripts read.

In: writes.
Out: the parts of a batch, and the call that a batch is.
Never: sends anything, or knows what Redis holds.
Follows: the heads of lua/push.lua and lua/values.lua.
"""

import json
import random
from collections.abc import Sequence

from pgw.store import codec, scripts
from pgw.store.base import NO_GUARD, Guard, Limits, Write
from pgw.store.keys import Keys
from pgw.store.link import Argument, Call
from pgw.store.scripts import Script
from pgw.store.writer import Part


class Pushes:
    """Puts pushes into words, for one store."""

    def __init__(self, keys: Keys, encoder: codec.Encoder, limits: Limits) -> None:
        """Make it; `limits` is how much may be stored."""
        self._keys = keys
        self._encoder = encoder
        self._limits = limits
        self._push, self._values = map(scripts.load, ("push", "values"))

    def fresh(self, write: Write) -> Part:
        """The values alone, for a group that holds these series."""
        return self._part(self._values, write, write.mold.signature, write.mold.fresh(write.values))

    def whole(self, write: Write, mode: str, settled: str) -> Part:
        """All of a push: `mode` is merge or replace, `settled` whether all was removed that had expired."""
        key, mold = write.key, write.mold
        checked = "checked" if mold.checked else "unchecked"
        rest = f"{mode} {checked} {key.shape} {key.twin or ''} {settled} {guard_word(write.guard)}"
        ending = self._encoder.ending(mold.signature, key.labels)
        return self._part(self._push, write, ending, mold.whole(write.heads(), write.values), rest)

    def batch(self, parts: Sequence[Part]) -> Call:
        """One call of all parts; they are of one script."""
        keys, script = self._keys, parts[0].script
        arguments: list[Argument] = [keys.group(""), new_epoch()]
        if script is self._values:
            touched = [keys.changes, keys.version, keys.epoch, keys.deadlines, keys.read]
        else:
            touched = [*keys.of_all_groups, keys.read]
            arguments += self._limits
        touched += [part.key for part in parts]
        for part in parts:
            arguments += part.arguments
        return Call.of(script, touched, arguments)

    def _part(self, script: Script, write: Write, ending: bytes, fields: list[str | bytes], *rest: str) -> Part:
        words = (len(fields), write.lifetime, ending, *fields, *rest)
        return Part(script, self._keys.group(write.key.name), words, sum(map(len, fields)))


def new_epoch() -> str:
    """A name for the store, should this be its first change; after FLUSHALL it has to be another.

    Nobody gains anything by guessing it, and the kernel need not be asked for each batch.
    """
    return f"{random.getrandbits(64):016x}"


def digits(moment: int) -> str:
    """A time as the scripts keep it."""
    return f"{moment:0{codec.TIME_DIGITS}d}"


def guard_word(guard: Guard) -> str:
    """What a write was compared with, as clash.lua reads it."""
    return "" if guard is NO_GUARD else json.dumps(guard._asdict())
