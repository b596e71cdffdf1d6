-- expire: of groups whose deadline has come remove the families; of those that have lingered since, all.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[8] telemetry   hash    field -> number
--   KEYS[8+i]           hash    the group i
--   ARGV    a random name, taken if the store has none yet; how many tombstones are kept; microseconds that a group
--     lingers without its families; then for each group: its name, its shape
--   returns how many groups lost their families; `expired` in telemetry counts them
--   A group that was pushed to meanwhile stays as it is: its header says when it expires, not the list. What others
--     have removed already is no change.
--   cost O(families of these groups)
-- include: header
-- include: parts
-- include: expired
-- include: chunked
-- include: family
-- include: index
-- include: totals
-- include: remove

local SHARED = 8
local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS, TELEMETRY = unpack(KEYS, 1, SHARED)
local epoch, kept, linger = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local keys = {changes = CHANGES, tombstones = TOMBSTONES, families = FAMILIES, version = VERSION, epoch = EPOCH,
              deadlines = DEADLINES, totals = TOTALS}
local now, expired = clock(), 0

local function drop_families(key, name, shape, fields, header)
  local index, names, lines = leave_index(FAMILIES, fields, shape)
  chunked('HDEL', key, fields_of(names))
  index_save(FAMILIES, index, names)
  add_to_total(TOTALS, 'series', -lines)
  local failed, deadline, version = failure_time(header), deadline_of(header), next_version(VERSION, EPOCH, epoch)
  redis.call('HSET', key, '', header_of(failed, deadline, version, ending_of(UNKNOWN, labels_of(header))))
  redis.call('ZADD', CHANGES, version, name)
end

local function expire(key, name, shape)
  local fields, header = redis.call('HGETALL', key), redis.call('HGET', key, '')
  redis.call('ZREM', DEADLINES, name)  -- first what frees memory: a Redis that is full would refuse ZADD
  if not is_expired(header, now) then return schedule(DEADLINES, name, NEVER, deadline_of(header)) end
  local gone = string.format('%016.0f', tonumber(deadline_of(header)) + linger)
  local has_families = #fields > 4  -- more than the header and the times, each with its name
  if has_families then expired = expired + 1 end
  if gone <= now then return remove(keys, key, name, shape, fields, epoch, kept) end
  if has_families then drop_families(key, name, shape, fields, header) end
  redis.call('ZADD', DEADLINES, gone, name)
end

for i = 1, #KEYS - SHARED do expire(KEYS[SHARED + i], ARGV[2 * i + 2], ARGV[2 * i + 3]) end
if expired > 0 then redis.call('HINCRBYFLOAT', TELEMETRY, 'expired', expired) end
return expired
