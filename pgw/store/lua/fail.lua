-- fail: note that a push to a group failed; a group that did not exist is made, without families.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] version     string
--   KEYS[4] epoch       string
--   KEYS[5] deadlines   zset    group -> when the next of it expires
--   KEYS[6] totals      hash    see totals.lua
--   KEYS[7] group       hash
--   ARGV    a random name, taken if the store has none yet; group name; name of the twin group or ""; packed labels;
--     microseconds that the group lives if it is new ("0": for ever); "settled" if what has expired was removed for
--     the sake of this call, else ""; how many groups, and groups of one job there may be (0: no limit)
--   returns "" done; nothing done: {"twin"} the group cannot be made beside its twin, {"limit", ...}, {"due", the group}
--     or {"due"} as push.lua
--   cost O(1)
-- include: header
-- include: late
-- include: parts
-- include: expired
-- include: totals
-- include: failure

local CHANGES, TOMBSTONES, VERSION, EPOCH, DEADLINES, TOTALS, GROUP = unpack(KEYS)
local epoch, name, twin, labels, lifetime, settled = unpack(ARGV)

local header = redis.call('HGET', GROUP, '')
if is_due(DEADLINES, name, header, now) then return {'due', name} end
local refusal = not header and twin ~= '' and redis.call('ZSCORE', CHANGES, twin) and {'twin'}
  or not header and group_limit(CHANGES, TOTALS, name, tonumber(ARGV[7]), tonumber(ARGV[8]))
if refusal then return settled == '' and is_any_due(DEADLINES, now) and {'due'} or refusal end

local keys = {changes = CHANGES, tombstones = TOMBSTONES, deadlines = DEADLINES, totals = TOTALS}
local push = {key = GROUP, group = name, labels = labels, lifetime = lifetime}
note_failure(keys, push, header, next_version(VERSION, EPOCH, epoch), now)
return ''
