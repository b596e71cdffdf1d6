-- anew: a push of other series than the group holds: what it may stand beside, what it changes in the index. Included
-- by push, in a function that is made for the first of these only: most batches have none.
--   returns what writes a push, of whose families the words stand in ARGV from one to another, and gives its verdict,
--     see push.lua
-- include: parts
-- include: expired
-- include: family
-- include: index
-- include: totals
-- include: failure
-- include: clash

-- The version of all that this call changes, once it has to have one.
local function this_version()
  version = version or next_version(VERSION, EPOCH, ARGV[2])
  latest = tonumber(version)
  return version
end

local MOST_SERIES, MOST_GROUPS, MOST_OF_JOB = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

-- The words of a push in a table, which most pushes do without. Those of its families stand in ARGV from first to last.
local function read_push(key, first, last)
  local lifetime, ending = ARGV[first - 2], ARGV[first - 1]
  local mode, checked, shape, twin, settled, guard = ARGV[last + 1]:match('^(%S+) (%S+) (%S+) (%S*) (%S*) (.*)$')
  local shapes, witnesses = read_guard(guard)
  local push = {
    key = key, group = key:sub(NAME), lifetime = lifetime, ending = ending, labels = labels_in(ending),
    first = first, last = last, names = {}, blobs = {}, values = {}, lines = 0, shape = shape, twin = twin,
    replaces = mode == 'replace', checked = checked == 'checked', settled = settled == 'settled',
    guards = shapes, witnesses = witnesses,
  }
  for position = first, last, 4 do
    local i = #push.names + 1
    push.names[i], push.blobs[i], push.values[i] = ARGV[position], ARGV[position + 1], ARGV[position + 3]
    push.lines = push.lines + lines_of(push.blobs[i])
  end
  return push
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
  if push.replaces then
    local all = redis.call('HGETALL', push.key)
    for i = 1, #all, 2 do
      if is_family(all[i]) then note(all[i], all[i + 1]) end
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
  local changed, added, pushed = {}, {}, {}
  for i, name in ipairs(push.names) do
    local kind = type_of(push.blobs[i])
    pushed[name] = kind
    if held[name] ~= kind then changed[#changed + 1] = name end
    if held[name] ~= kind or loose[name] then added[#added + 1] = name end
  end
  for name in pairs(held) do
    if not pushed[name] then changed[#changed + 1] = name end
  end
  return {changed = changed, added = added, pushed = pushed}
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

-- Write some of what a group holds.
local function write_part(push, whole, now)
  local fields = {TIMES, now .. whole}
  for i, name in ipairs(push.names) do add_fields(fields, name, timed(now, push.blobs[i]), push.values[i]) end
  chunked('HSET', push.key, fields)
end

-- The time of the whole and the ending, whose signature says which series a group holds, as they will be: a merge that
-- leaves other families in place does not know these.
local function whole_after(push, header, held, now)
  if push.replaces or not header then return now, push.ending end
  local _, whole = moments_in(redis.call('HGET', push.key, TIMES))
  if #push.names == 0 then return whole, ending_of(signature_of(header), push.labels) end
  local kept = math.floor((redis.call('HLEN', push.key) - 1) / 2)  -- the times may be there or not
  for _, kind in pairs(held) do
    if kind then kept = kept - 1 end
  end
  if kept == 0 then return now, push.ending end
  return whole, ending_of(UNKNOWN, push.labels)
end

local function write(push, header, held, now)
  local version, deadline = this_version(), deadline_after(now, push.lifetime)
  local whole, ending = whole_after(push, header, held, now)
  redis.call('HSET', push.key, '', header_of(failure_time(header), deadline, version, ending))
  if whole == now then
    write_whole(push.key, push.first, push.last)
  else
    write_part(push, whole, now)
  end
  schedule(DEADLINES, push.group, deadline_of(header), deadline)
  touch(CHANGES, TOTALS, version, push.group)
  if not header then redis.call('ZREM', TOMBSTONES, push.group) end
  return whole == now and '' or 'beside'
end

-- A refusal must not be for the sake of what has expired.
local function may_not_be_refused_yet(push, now) return not push.settled and is_any_due(DEADLINES, now) end

local function refuse(push, header, now)
  local keys = {changes = CHANGES, tombstones = TOMBSTONES, deadlines = DEADLINES, totals = TOTALS}
  note_failure(keys, push, header, this_version(), now)
end

return function(key, header, first, last)
  local push = read_push(key, first, last)
  if is_due(DEADLINES, push.group, header, now) then return {'due', push.group} end
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
      refuse(push, header, now)
      return clash
    end
    local look = to_look_at(CHANGES, index, push)
    if look then return look end
  end
  local growth = push.lines - lines
  local excess = series_limit(TOTALS, growth, MOST_SERIES)
  if excess then
    if may_not_be_refused_yet(push, now) then return {'due'} end
    if header then refuse(push, header, now) end
    return excess
  end
  if #diff.changed > 0 then index_save(FAMILIES, index, diff.changed) end
  if push.replaces then redis.call('UNLINK', push.key) end
  add_to_total(TOTALS, 'series', growth)
  return write(push, header, held, now)
end
