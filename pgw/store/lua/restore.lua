-- restore: write a group as it once was, with the times that it had then. What the group held until now goes.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] group       hash
--   ARGV    a random name, taken if the store has none yet; "rehearsal" to change nothing, or ""; group name; "checked"
--     or "unchecked"; shape; name of the twin group or ""; packed labels; signature (16 bytes); push time and failure
--     time of the group (16 digits each), number of families, then for each: name, time (16 digits), packed fragment,
--     number of guards, then for each: family, the other shapes it was compared with (joined by " "),
--     number of witnesses, then for each: group, the version it had when it was compared ("" if it did not exist)
--   returns "" done, or why nothing was done, as push does: {"type", ...}, {"suffix", ...}, {"twin"}, {"look", ...}.
--     Other than there, a clash leaves no failure time: what is restored is not a push.
--   cost O(families restored + families the group held)
-- include: header
-- include: index
-- include: clash

local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, GROUP = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local epoch, position = ARGV[1], 1
local function take()
  position = position + 1
  return ARGV[position]
end

local function take_pairs()
  local found = {}
  for _ = 1, tonumber(take()) do
    local name = take()
    found[name] = take()
  end
  return found
end

local rehearsal = take() == 'rehearsal'
local push = {group = take(), checked = take() == 'checked', shape = take(), twin = take(), names = {}, fields = {}}
local labels, signature, pushed, failed = take(), take(), take(), take()
local diff = {added = push.names, pushed = {}}  -- all counts as added: what is beside it may have come unchecked
for i = 1, tonumber(take()) do
  local name, time, blob = take(), take(), take()
  push.names[i], diff.pushed[name] = name, string.byte(blob, 2)
  push.fields[2 * i - 1], push.fields[2 * i] = name, '\176' .. time .. blob
end
push.guards, push.witnesses = take_pairs(), take_pairs()

local stored = redis.call('HGETALL', GROUP)
local exists = #stored > 0
if not exists and push.twin ~= '' and redis.call('ZSCORE', CHANGES, push.twin) then return {'twin'} end

-- The families whose entries in the index change, and those that are only looked at.
local touched, looked_at, known = {}, {}, {}
local function add(to, name)
  if not known[name] then
    known[name] = true
    to[#to + 1] = name
  end
end
for i = 1, #stored, 2 do
  if stored[i] ~= '' then add(touched, stored[i]) end
end
for _, name in ipairs(push.names) do add(touched, name) end
for _, name in ipairs(push.names) do
  for _, relative in ipairs(relatives(name)) do add(looked_at, relative) end
end

local index = index_load(FAMILIES, touched)
for name, entries in pairs(index_load(FAMILIES, looked_at)) do index[name] = entries end
for i = 1, #stored, 2 do
  local kind = stored[i] ~= '' and type_of(stored[i + 1])
  if kind then index_add(index[stored[i]], kind, push.shape, -1) end
end
for name, kind in pairs(diff.pushed) do index_add(index[name], kind, push.shape, 1) end

if push.checked then
  local clash = type_clash(index, push, diff) or suffix_clash(index, diff)
  if clash then return clash end
  local look = unseen_shapes(index, push)
  for group, version in pairs(push.witnesses) do
    if #look == 0 and (redis.call('ZSCORE', CHANGES, group) or '') ~= version then
      for name, shapes in pairs(push.guards) do
        look[#look + 1] = name
        look[#look + 1] = shapes
      end
    end
  end
  if #look > 0 then
    table.insert(look, 1, 'look')
    return look
  end
end

if rehearsal then return '' end

local version = next_version(VERSION, EPOCH, epoch)
index_save(FAMILIES, index, touched)
redis.call('UNLINK', GROUP)
redis.call('HSET', GROUP, '', header_of(pushed, failed, signature, labels))
chunked('HSET', GROUP, push.fields)
redis.call('ZADD', CHANGES, version, push.group)
redis.call('ZREM', TOMBSTONES, push.group)
return ''
