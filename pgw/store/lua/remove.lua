-- remove: take a group out of everything. Included by the scripts that remove groups; header, chunked, family, index and totals come before
-- it.
--   keys   a table: changes, tombstones, families, version, epoch, deadlines, totals
--   fields what HGETALL said of the group, with its header or without
--   cost O(families of the group)
local function leave_index(families_key, fields, shape)
  local names, types, lines = {}, {}, 0
  for i = 1, #fields, 2 do
    if is_family(fields[i]) then
      names[#names + 1] = fields[i]
      types[#types + 1] = type_of(fields[i + 1])
      lines = lines + lines_of(fields[i + 1])
    end
  end
  local index = index_load(families_key, names)
  for i, family in ipairs(names) do index_add(index[family], types[i], shape, -1) end
  return index, names, lines
end

-- The oldest tombstones go; who last looked before the newest of those has to read everything again.
local function trim(tombstones_key, kept)
  local excess = redis.call('ZCARD', tombstones_key) - kept
  if excess > 0 then
    local gone = redis.call('ZPOPMIN', tombstones_key, excess)
    redis.call('ZADD', tombstones_key, gone[#gone], '')
  end
end

local function remove(keys, group_key, name, shape, fields, epoch, kept)
  local index, names, lines = leave_index(keys.families, fields, shape)
  -- First what frees memory: a Redis that is full refuses a script whose first write needs some.
  redis.call('UNLINK', group_key)
  forget(keys.changes, keys.totals, name)
  add_to_total(keys.totals, 'series', -lines)
  redis.call('ZREM', keys.deadlines, name)
  local version = next_version(keys.version, keys.epoch, epoch)
  index_save(keys.families, index, names)
  redis.call('ZADD', keys.tombstones, version, name)
  trim(keys.tombstones, kept)
end
