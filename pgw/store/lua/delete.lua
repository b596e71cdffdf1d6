-- delete: remove groups, each as a whole; or only tell which would be.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[7+i]           hash    the group i
--   ARGV    a random name, taken if the store has none yet; how many tombstones are kept; "delete" or "look"; how many
--     microseconds ago a group must have been pushed to last ("" for any group); how many families may be removed
--     before the rest is left for another call; then for each group: its name, its shape
--   returns for each group, up to where it stopped: 1 removed (or would be), 0 there is none, or it was pushed to since;
--     "due": it has expired and stopped the call; call expire for it and come again
--   cost O(families of the groups), bounded by that number and the families of one group
-- include: header
-- include: late
-- include: parts
-- include: expired
-- include: chunked
-- include: family
-- include: index
-- include: totals
-- include: remove

local SHARED, GIVEN = 7, 5
local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS = unpack(KEYS, 1, SHARED)
local epoch, kept, removes = ARGV[1], tonumber(ARGV[2]), ARGV[3] == 'delete'
local age, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local keys = {changes = CHANGES, tombstones = TOMBSTONES, families = FAMILIES, version = VERSION, epoch = EPOCH,
              deadlines = DEADLINES, totals = TOTALS}
local removed, answers = 0, {}

-- A group that no push has ever succeeded for is as old as the last that failed.
local function is_old(key, header)
  if not age then return true end
  local pushed = moments_in(redis.call('HGET', key, TIMES))
  if pushed == NEVER then pushed = failure_time(header) end
  return tonumber(now) - tonumber(pushed) > age
end

local function drop(key, name, shape, fields)
  if removes then
    remove(keys, key, name, shape, fields, epoch, kept)
    removed = removed + #fields / 4  -- two for each family, each with its name
  end
  return 1
end

local function apply(key, name, shape)
  local header = redis.pcall('HGET', key, '')
  if type(header) == 'table' then
    if header.err:find('WRONGTYPE', 1, true) then return drop(key, name, shape, {}) end  -- somebody has overwritten it
    redis.call('HGET', key, '')  -- any other error says nothing of the group: it ends the script, and deletes nothing
  end
  if is_due(DEADLINES, name, header, now) then return 'due' end
  if not is_old(key, header) then return 0 end
  local fields = redis.call('HGETALL', key)
  if #fields == 0 and not redis.call('ZSCORE', CHANGES, name) then return 0 end
  return drop(key, name, shape, fields)
end

for i = 1, #KEYS - SHARED do
  answers[i] = apply(KEYS[SHARED + i], ARGV[GIVEN + 2 * i - 1], ARGV[GIVEN + 2 * i])
  if answers[i] == 'due' or removed > most then break end
end
return answers
