-- push: apply a batch of pushes, each all or nothing, each with a verdict of its own.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[7+i]           hash    the group of push i
--   ARGV[1] a random name, taken if the store has none yet
--   ARGV[2] ARGV[3] ARGV[4] how many series, groups, and groups of one job there may be (0: no limit)
--   ARGV then for each push: group name, "merge" or "replace", "checked" or "unchecked", shape, name of the twin
--     group or "", packed labels, signature (16 bytes), microseconds that the group lives from now on ("0": for ever),
--     "settled" if what has expired was removed for the sake of this push, else "",
--     number of sample lines, number of families, then for each: name, packed fragment,
--     number of guards, then for each: family, the other shapes it was compared with (joined by " "),
--     number of witnesses, then for each: group, the version it had when it was compared ("" if it did not exist)
--   returns for each push: "" done, or an array: {"type", family, its type in other groups},
--     {"suffix", family, the histogram or summary it collides with, its type}, {"twin"},
--     {"look", family, other shapes, family, other shapes, ...}: compare with these and come again.
--     {"limit", "series" or "groups" or "groups_per_job", how many there would be},
--     {"due", the group} or {"due"}: the group itself has expired, or something has that may be why the push would be
--     refused; call expire for that group, or until nothing is due, and come again.
--     A push refused for type, suffix or the number of series leaves its time as the failure time (but a limit makes
--     no group); the others leave nothing.
--   cost O(families pushed) for each; a replace that drops families: O(families of the group)
-- include: header
-- include: late
-- include: index
-- include: totals
-- include: failure
-- include: clash

local SHARED = 7
local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS = unpack(KEYS, 1, SHARED)
local MOST_SERIES, MOST_GROUPS, MOST_OF_JOB = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local position = 4
local function take()
  position = position + 1
  return ARGV[position]
end

local function take_pairs(into)
  for _ = 1, tonumber(take()) do
    local name = take()
    into[name] = take()
  end
  return into
end

local function read_push(i)
  local names, blobs = {}, {}
  local group, mode, checked, shape, twin, labels, signature, lifetime, settled, lines, families =
    unpack(ARGV, position + 1, position + 11)
  position = position + 11
  for f = 1, tonumber(families) do
    names[f], blobs[f] = ARGV[position + 1], ARGV[position + 2]
    position = position + 2
  end
  return {
    key = KEYS[SHARED + i], group = group, mode = mode, checked = checked == 'checked', shape = shape, twin = twin,
    labels = labels, signature = signature, lifetime = lifetime, settled = settled == 'settled', lines = lines,
    names = names, blobs = blobs, guards = take_pairs({}), witnesses = take_pairs({}),
  }
end

-- What the group holds of the families in question, all of them if they are to be replaced: as name -> type, or false
-- for one that it does not hold or that cannot be read; which of these nobody has checked; how many lines they have.
local function held_types(push)
  local held, loose, lines = {}, {}, 0
  local function note(name, value)
    lines = lines + lines_of(value)
    held[name] = type_of(value) or false
    loose[name] = is_unchecked(value)
  end
  if push.mode == 'replace' then
    local all = redis.call('HGETALL', push.key)
    for i = 1, #all, 2 do
      if all[i] ~= '' then note(all[i], all[i + 1]) end
    end
  else
    local values = chunked('HMGET', push.key, push.names)
    for i, name in ipairs(push.names) do note(name, values[i]) end
  end
  return held, loose, lines
end

-- What the push changes in the index: names that it adds, takes away or gives another type. Those that were there
-- without a check count as added too when it comes to what may stand beside them.
local function difference(push, held, loose)
  local changed, added, dropped, pushed = {}, {}, {}, {}
  for i, name in ipairs(push.names) do
    local kind = string.byte(push.blobs[i], 2)
    pushed[name] = kind
    if held[name] ~= kind then changed[#changed + 1] = name end
    if held[name] ~= kind or loose[name] then added[#added + 1] = name end
  end
  for name in pairs(held) do
    if not pushed[name] then
      changed[#changed + 1] = name
      dropped[#dropped + 1] = name
    end
  end
  return {changed = changed, added = added, dropped = dropped, pushed = pushed}
end

local function load_index(push, diff)
  local names, known = {}, {}
  local function add(name)
    if not known[name] then
      known[name] = true
      names[#names + 1] = name
    end
  end
  for _, name in ipairs(push.names) do add(name) end
  for _, name in ipairs(diff.changed) do add(name) end
  for _, name in ipairs(diff.added) do
    for _, relative in ipairs(relatives(name)) do add(relative) end
  end
  return index_load(FAMILIES, names)
end

local function apply_difference(index, push, held, diff)
  for _, name in ipairs(diff.changed) do
    if held[name] then index_add(index[name], held[name], push.shape, -1) end
    if diff.pushed[name] then index_add(index[name], diff.pushed[name], push.shape, 1) end
  end
end

local function write(push, header, signature, version, now)
  local deadline = deadline_after(now, push.lifetime)
  local fields = {'', header_of(now, failure_time(header), deadline, signature, push.labels)}
  for i, name in ipairs(push.names) do
    fields[2 * i + 1] = name
    fields[2 * i + 2] = '\176' .. now .. push.blobs[i]
  end
  chunked('HSET', push.key, fields)
  schedule(DEADLINES, push.group, deadline_of(header), deadline)
  touch(CHANGES, TOTALS, version, push.group)
  if not header then redis.call('ZREM', TOMBSTONES, push.group) end
end

-- A refusal must not be for the sake of what has expired.
local function may_not_be_refused_yet(push, now) return not push.settled and is_any_due(DEADLINES, now) end

local function refuse(push, header, version, now)
  local keys = {changes = CHANGES, tombstones = TOMBSTONES, deadlines = DEADLINES, totals = TOTALS}
  note_failure(keys, push, header, version, now)
end

-- The signature says which series a group holds as a whole; a merge that leaves others in place does not know.
local function signature_after(push, header, held)
  if push.mode == 'replace' or not header then return push.signature end
  if #push.names == 0 then return signature_of(header) end
  local kept = redis.call('HLEN', push.key) - 1
  for _, kind in pairs(held) do
    if kind then kept = kept - 1 end
  end
  return kept == 0 and push.signature or UNKNOWN
end

local function apply(push, version, now)
  local header = redis.call('HGET', push.key, '')
  if is_due(DEADLINES, push.group, header, now) then return {'due', push.group} end
  if header and signature_of(header) == push.signature and #push.names > 0 then
    write(push, header, push.signature, version, now)  -- the same series again: nothing to check, nothing to index
    return ''
  end
  if not header and push.twin ~= '' and redis.call('ZSCORE', CHANGES, push.twin) then
    return {may_not_be_refused_yet(push, now) and 'due' or 'twin'}
  end
  local full = not header and group_limit(CHANGES, TOTALS, push.group, MOST_GROUPS, MOST_OF_JOB)
  if full then return may_not_be_refused_yet(push, now) and {'due'} or full end
  local held, loose, lines = held_types(push)
  local diff = difference(push, held, loose)
  local index = load_index(push, diff)
  apply_difference(index, push, held, diff)
  if push.checked then
    local clash = type_clash(index, push, diff) or suffix_clash(index, diff)
    if clash then
      if may_not_be_refused_yet(push, now) then return {'due'} end
      refuse(push, header, version, now)
      return clash
    end
    local look = to_look_at(CHANGES, index, push)
    if look then return look end
  end
  local growth = push.lines - lines
  local excess = series_limit(TOTALS, growth, MOST_SERIES)
  if excess then
    if may_not_be_refused_yet(push, now) then return {'due'} end
    if header then refuse(push, header, version, now) end
    return excess
  end
  local signature = signature_after(push, header, held)
  if #diff.changed > 0 then index_save(FAMILIES, index, diff.changed) end
  chunked('HDEL', push.key, diff.dropped)
  add_to_total(TOTALS, 'series', growth)
  write(push, header, signature, version, now)
  return ''
end

local now, version, verdicts = clock(), next_version(VERSION, EPOCH, ARGV[1]), {}
for i = 1, #KEYS - SHARED do verdicts[i] = apply(read_push(i), version, now) end
return verdicts
