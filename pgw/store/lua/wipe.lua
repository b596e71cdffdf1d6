-- wipe: remove all groups.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion; "" -> the version up to which it was trimmed
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires
--   KEYS[7] totals      hash    see totals.lua
--   ARGV    a random name, taken if the store has none yet; what the keys of groups begin with
--   returns how many groups there were
--   cost O(groups): the one script that is as long as the store is large, because it must be all or nothing. The keys
--     of the groups cannot be declared for the same reason: only `changes`, at that moment, knows them. They are in
--     the slot of the others.
-- include: header
-- include: late

local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS = unpack(KEYS)
local epoch, prefix = ARGV[1], ARGV[2]

-- First what frees memory: a Redis that is full refuses a script whose first write needs some.
local names = redis.call('ZRANGE', CHANGES, 0, -1)
for _, name in ipairs(names) do redis.call('UNLINK', prefix .. name) end
redis.call('UNLINK', CHANGES, TOMBSTONES, FAMILIES, DEADLINES, TOTALS)
local version = next_version(VERSION, EPOCH, epoch)
redis.call('ZADD', TOMBSTONES, version, '')  -- whoever looked before has to read everything again, which is nothing
return #names
