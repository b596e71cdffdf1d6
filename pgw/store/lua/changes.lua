-- changes: what has changed since a version, and the gateway's own counters.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion; "" -> the version up to which it was trimmed
--   KEYS[3] version     string
--   KEYS[4] epoch       string
--   KEYS[5] telemetry   hash    field -> number
--   KEYS[6] read        string  the version up to which somebody has read the changes
--   ARGV    the epoch and the version that the caller knows ("" and 0: nothing); "" at first, then the cursor of the
--     answer before; how many groups at most; "follow" if the caller will ask for what comes after this version: then it
--     is noted that it was read, as a push to a group that is listed and that nobody has read lists it no more
--   returns epoch, version up to which the caller knows all then, 1 if the answer is about everything (what the caller
--     knew is of no use) or 0, changed groups, cursor ("" when there are no more changed groups, else ask again with
--     it), and in the first answer, which is the one that counts for all but the changed groups: deleted groups,
--     telemetry fields and values, microseconds since 1970
--   cost O(log groups + groups in the answer)
-- include: header

local CHANGES, TOMBSTONES, VERSION, EPOCH, TELEMETRY, READ = unpack(KEYS)
local known_epoch, since, cursor, limit = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local follows = ARGV[5] == 'follow'

local epoch = redis.call('GET', EPOCH) or ''
local version = tonumber(redis.call('GET', VERSION) or 0)
local trimmed = tonumber(redis.call('ZSCORE', TOMBSTONES, '') or 0)

local everything = epoch ~= known_epoch or version < since or since < trimmed
if everything then since = 0 end

-- Where it cannot be noted (a Redis that is full refuses it) the caller is told to come back to what was noted last.
local function noted(latest)
  local read = tonumber(redis.call('GET', READ) or 0)
  if read >= latest then return latest end
  local refusal = redis.pcall('SET', READ, string.format('%.0f', latest)).err
  return refusal and read or latest
end
if follows and cursor == '' then version = noted(version) end

local after = cursor == '' and since or cursor
local found = redis.call('ZRANGEBYSCORE', CHANGES, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, limit)
local changed, next_cursor = {}, ''
for i = 1, #found, 2 do changed[#changed + 1] = found[i] end
if #changed == limit then  -- groups may share a version: those of the last one come with the next answer, all of them
  local last = found[#found]
  for i = limit, 1, -1 do
    if found[2 * i] ~= last then break end
    changed[i] = nil
  end
  next_cursor = tostring(tonumber(last) - 1)
end

local answer = {epoch, tostring(version), everything and 1 or 0, changed, next_cursor}
if cursor == '' then
  answer[6] = everything and {} or redis.call('ZRANGEBYSCORE', TOMBSTONES, '(' .. since, '+inf')
  answer[7], answer[8] = redis.call('HGETALL', TELEMETRY), clock()
end
return answer
