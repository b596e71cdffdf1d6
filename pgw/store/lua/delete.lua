-- delete: remove a group.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[8] group       hash
--   ARGV    a random name, taken if the store has none yet; group name; shape; how many tombstones are kept
--   returns 1 removed, 0 there was no such group
--   cost O(families of the group)
-- include: header
-- include: index
-- include: totals
-- include: remove

local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS, GROUP = unpack(KEYS)
local epoch, name, shape, kept = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local fields = redis.call('HGETALL', GROUP)
if #fields == 0 and not redis.call('ZSCORE', CHANGES, name) then return 0 end
remove({changes = CHANGES, tombstones = TOMBSTONES, families = FAMILIES, version = VERSION, epoch = EPOCH,
        deadlines = DEADLINES, totals = TOTALS}, GROUP, name, shape, fields, epoch, kept)
return 1
