"""Every key in Redis, its type and what it holds, on one page.

In: the prefix of a deployment and the number of a shard.
Out: key names, all with the hash tag `{<prefix>:<shard>}`: one tag is one slot, so one script may touch them all.
Never: touches Redis.
Follows: section 4 of the design; docs/redis.md shows each of them.
"""


class Keys:
    """The keys of one shard."""

    def __init__(self, prefix: str, shard: int = 0) -> None:
        tag = f"{{{prefix}:{shard}}}"
        self.changes = f"{tag}:changes"
        """zset: group name -> version of its last change. Its members are the groups there are."""
        self.tombstones = f"{tag}:tombstones"
        """zset: group name -> version of its deletion; the member "" -> the version up to which it was trimmed."""
        self.families = f"{tag}:families"
        """hash: family -> how many groups hold it, by type and shape: `1 instance,job=12;1 job=3`."""
        self.version = f"{tag}:version"
        """string: counts the changes."""
        self.read = f"{tag}:read"
        """string: the version up to which somebody has read the changes, and will ask for what comes after it."""
        self.epoch = f"{tag}:epoch"
        """string: a random name of this store; another one means another store under the same keys."""
        self.deadlines = f"{tag}:deadlines"
        """zset: group name -> when the next of it expires, its families or what is left: microseconds since 1970."""
        self.totals = f"{tag}:totals"
        """hash: `series` -> sample lines of all groups; `job/<job>` -> groups of that job."""
        self.telemetry = f"{tag}:telemetry"
        """hash: the gateway's own counters, summed over all workers and replicas."""
        self.replicas = f"{tag}:replicas"
        """zset: replica -> unix time in seconds when it was last heard of."""
        self.refusal = f"{tag}:refusal"
        """hash: the push that was refused last: its group, the reason, and when that was."""
        self._group = f"{tag}:group:"

    @property
    def shared(self) -> tuple[str, ...]:
        """Every key but those of groups."""
        return tuple(key for field, key in vars(self).items() if field != "_group")

    @property
    def of_all_groups(self) -> tuple[str, ...]:
        """What a script that changes groups touches beside them, in the order in which it expects them."""
        return self.changes, self.tombstones, self.families, self.version, self.epoch, self.deadlines, self.totals

    def group(self, name: str) -> str:
        r"""hash: family -> what the group holds of it; "" -> the header of the group; \xff -> its times (codec.py)."""
        return self._group + name
