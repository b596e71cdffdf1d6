-- restore: write a group as it once was, with the times that it had then. What the group held until now goes.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[8] group       hash
--   ARGV    a random name, taken if the store has none yet; how many series, groups, and groups of one job there may be
--     (0: no limit); "rehearsal" to change nothing, or ""; "settled" if what has expired was removed for the sake of
--     this call, else ""; "checked" or "unchecked"; group name; shape; name of the twin group or ""; packed labels;
--     push time, failure time and deadline of the group (16 digits each, zeros for never),
--     number of families, then for each: name, time (16 digits), packed fragment, values,
--     what it was compared with, see clash.lua
--   returns "" done, or why nothing was done, as push does: {"type", ...}, {"suffix", ...}, {"twin"}, {"look", ...},
--     {"limit", ...}, {"due", the group} or {"due"}. Other than there, a refusal leaves no failure time: what is
--     restored is not a push.
--   A deadline that is past is one of a group that has expired: expire.lua comes to it as to any other.
--   cost O(families restored + families the group held)
-- include: header
-- include: late
-- include: parts
-- include: expired
-- include: chunked
-- include: family
-- include: index
-- include: totals
-- include: clash

local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS, GROUP = unpack(KEYS)
local epoch, most_series, most_groups, most_of_job = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local position = 4
local function take()
  position = position + 1
  return ARGV[position]
end

local rehearsal, settled, checked = take() == 'rehearsal', take() == 'settled', take() == 'checked'
local push = {group = take(), shape = take(), twin = take(), names = {}, fields = {}}
local labels, pushed, failed, deadline = take(), take(), take(), take()
local lines = 0  -- how many more there will be
local diff = {added = push.names, pushed = {}}  -- all counts as added: what is beside it may have come unchecked
for i = 1, tonumber(take()) do
  local name, time, blob, values = take(), take(), take(), take()
  push.names[i], diff.pushed[name] = name, type_of(blob)
  add_fields(push.fields, name, timed(time, blob), values)
  lines = lines + lines_of(blob)
end
push.guards, push.witnesses = read_guard(take())

local stored = redis.call('HGETALL', GROUP)
local header = redis.call('HGET', GROUP, '')
if is_due(DEADLINES, push.group, header, now) then return {'due', push.group} end

-- A refusal must not be for the sake of what has expired.
local function refused(reason) return not settled and is_any_due(DEADLINES, now) and {'due'} or reason end

if #stored == 0 then
  if push.twin ~= '' and redis.call('ZSCORE', CHANGES, push.twin) then return refused({'twin'}) end
  local full = group_limit(CHANGES, TOTALS, push.group, most_groups, most_of_job)
  if full then return refused(full) end
end

-- The families whose entries in the index change, and those that are only looked at.
local touched, looked_at, known = {}, {}, {}
local function add(to, name)
  if not known[name] then
    known[name] = true
    to[#to + 1] = name
  end
end
for i = 1, #stored, 2 do
  if is_family(stored[i]) then
    add(touched, stored[i])
    lines = lines - lines_of(stored[i + 1])
  end
end
for _, name in ipairs(push.names) do add(touched, name) end
for _, name in ipairs(push.names) do
  for _, relative in ipairs(relatives(name)) do add(looked_at, relative) end
end

local index = index_load(FAMILIES, touched)
for name, entries in pairs(index_load(FAMILIES, looked_at)) do index[name] = entries end
for i = 1, #stored, 2 do
  local kind = is_family(stored[i]) and type_of(stored[i + 1])
  if kind then index_add(index[stored[i]], kind, push.shape, -1) end
end
for name, kind in pairs(diff.pushed) do index_add(index[name], kind, push.shape, 1) end

if checked then
  local clash = type_clash(index, push, diff) or suffix_clash(index, diff)
  if clash then return refused(clash) end
  local look = to_look_at(CHANGES, index, push)
  if look then return look end
end

local excess = series_limit(TOTALS, lines, most_series)
if excess then return refused(excess) end
if rehearsal then return '' end

local version = next_version(VERSION, EPOCH, epoch)
index_save(FAMILIES, index, touched)
redis.call('UNLINK', GROUP)
-- The families have times of their own, so that values alone would not do for the next push.
local after = header_of(failed, deadline, version, ending_of(UNKNOWN, labels))
redis.call('HSET', GROUP, '', after, TIMES, pushed .. NEVER)
chunked('HSET', GROUP, push.fields)
add_to_total(TOTALS, 'series', lines)
schedule(DEADLINES, push.group, deadline_of(header), deadline)
touch(CHANGES, TOTALS, version, push.group)
redis.call('ZREM', TOMBSTONES, push.group)
return ''
