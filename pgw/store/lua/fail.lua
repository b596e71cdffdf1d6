-- fail: note that a push to a group failed; a group that did not exist is made, without families.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] version     string
--   KEYS[4] epoch       string
--   KEYS[5] group       hash
--   ARGV    a random name, taken if the store has none yet; group name; name of the twin group or ""; packed labels
--   returns "" done, {"twin"} nothing done: the group cannot be made beside its twin
--   cost O(1)
-- include: header
-- include: late

local CHANGES, TOMBSTONES, VERSION, EPOCH, GROUP = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local epoch, name, twin, labels = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local header = redis.call('HGET', GROUP, '')
if not header and twin ~= '' and redis.call('ZSCORE', CHANGES, twin) then return {'twin'} end

local version = next_version(VERSION, EPOCH, epoch)
redis.call('HSET', GROUP, '', header_of(push_time(header), clock(), signature_of(header), labels))
redis.call('ZADD', CHANGES, version, name)
if not header then redis.call('ZREM', TOMBSTONES, name) end
return ''
