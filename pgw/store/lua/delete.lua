-- delete: remove a group.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] group       hash
--   ARGV    a random name, taken if the store has none yet; group name; shape; how many tombstones are kept
--   returns 1 removed, 0 there was no such group
--   cost O(families of the group)
-- include: header
-- include: late
-- include: index

local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, GROUP = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local epoch, name, shape, kept = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local fields = redis.call('HGETALL', GROUP)
if #fields == 0 and not redis.call('ZSCORE', CHANGES, name) then return 0 end

local names, types = {}, {}
for i = 1, #fields, 2 do
  if fields[i] ~= '' then
    names[#names + 1] = fields[i]
    types[#types + 1] = type_of(fields[i + 1])
  end
end
local index = index_load(FAMILIES, names)
for i, family in ipairs(names) do index_add(index[family], types[i], shape, -1) end

-- First what frees memory: a Redis that is full refuses a script whose first write needs some.
redis.call('UNLINK', GROUP)
redis.call('ZREM', CHANGES, name)
local version = next_version(VERSION, EPOCH, epoch)
index_save(FAMILIES, index, names)
redis.call('ZADD', TOMBSTONES, version, name)

-- The oldest tombstones go; who last looked before the newest of those has to read everything again.
local excess = redis.call('ZCARD', TOMBSTONES) - kept
if excess > 0 then
  local gone = redis.call('ZPOPMIN', TOMBSTONES, excess)
  redis.call('ZADD', TOMBSTONES, gone[#gone], '')
end
return 1
