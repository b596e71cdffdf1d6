-- changes: what has changed since a version, and the gateway's own counters.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion; "" -> the version up to which it was trimmed
--   KEYS[3] version     string
--   KEYS[4] epoch       string
--   KEYS[5] telemetry   hash    field -> number
--   ARGV    the epoch and the version that the caller knows ("" and 0: nothing); "" at first, then the cursor of the
--     answer before; how many groups at most
--   returns epoch, version at this moment, 1 if the answer is about everything (what the caller knew is of no use) or
--     0, changed groups, cursor ("" when there are no more changed groups, else ask again with it; then the version of
--     the first answer is the one that counts), deleted groups, telemetry fields and values, microseconds since 1970
--   cost O(log groups + changed groups)
-- include: header

local CHANGES, TOMBSTONES, VERSION, EPOCH, TELEMETRY = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local known_epoch, since, cursor, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])

local epoch = redis.call('GET', EPOCH) or ''
local version = tonumber(redis.call('GET', VERSION) or 0)
local trimmed = tonumber(redis.call('ZSCORE', TOMBSTONES, '') or 0)

local everything = epoch ~= known_epoch or version < since or since < trimmed
if everything then since = 0 end

local after = cursor == '' and since or cursor
local found = redis.call('ZRANGEBYSCORE', CHANGES, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local changed, next_cursor = {}, ''
for i = 1, #found, 2 do changed[#changed + 1] = found[i] end
if #changed == limit then next_cursor = tostring(tonumber(found[#found]) - 1) end

local deleted = {}
if not everything then deleted = redis.call('ZRANGEBYSCORE', TOMBSTONES, '(' .. since, '+inf') end

return {epoch, tostring(version), everything and 1 or 0, changed, next_cursor, deleted,
        redis.call('HGETALL', TELEMETRY), clock()}
