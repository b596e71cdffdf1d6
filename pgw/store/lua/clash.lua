-- clash: what may not stand together, told from the index. Included by push and restore.
--   A push here is a table with names, shape, guards and witnesses; diff says what it changes (see push.lua), index is
--   that of index.lua with the push applied already.
--   What a push was compared with comes as one word, "" for nothing: JSON {"shapes": {family: the other shapes, joined by
--   " "}, "witnesses": {group: the version it had when it was compared, "" if it did not exist}}.
local function read_guard(word)
  if word == '' then return {}, {} end
  local guard = cjson.decode(word)
  return guard.shapes, guard.witnesses
end

local SUMMARY, HISTOGRAM, GAUGE_HISTOGRAM = 2, 4, 5  -- as in io.prometheus.client.MetricType
-- Which types take up a name with a suffix: x_count belongs to a summary or a histogram x, x_bucket to a histogram.
local OWNERS = {
  _count = {[SUMMARY] = true, [HISTOGRAM] = true, [GAUGE_HISTOGRAM] = true},
  _sum = {[SUMMARY] = true, [HISTOGRAM] = true, [GAUGE_HISTOGRAM] = true},
  _bucket = {[HISTOGRAM] = true, [GAUGE_HISTOGRAM] = true},
}

-- The names that clash with one, as its suffixes or as the owner of its own.
local function relatives(name)
  local found = {}
  for suffix in pairs(OWNERS) do
    found[#found + 1] = name .. suffix
    if #name > #suffix and name:sub(-#suffix) == suffix then found[#found + 1] = name:sub(1, -#suffix - 1) end
  end
  return found
end

local function stored_type(entries, types)
  for entry in pairs(entries or {}) do
    local kind = tonumber(entry:match('^%d+'))
    if not types or types[kind] then return kind end
  end
end

local function type_clash(index, push, diff)
  for _, name in ipairs(push.names) do
    for entry in pairs(index[name]) do
      local kind = tonumber(entry:match('^%d+'))
      if kind ~= diff.pushed[name] then return {'type', name, tostring(kind)} end
    end
  end
end

local function suffix_clash(index, diff)
  for _, name in ipairs(diff.added) do
    for suffix, owners in pairs(OWNERS) do
      local longer, shorter = name .. suffix, name:sub(1, -#suffix - 1)
      if owners[diff.pushed[name]] and stored_type(index[longer]) then
        return {'suffix', longer, name, tostring(diff.pushed[name])}
      end
      local owner = name == shorter .. suffix and stored_type(index[shorter], owners)
      if owner then return {'suffix', name, shorter, tostring(owner)} end
    end
  end
end

-- Families that live in groups of other shapes, where a series could stand twice: was it looked at, and is what
-- was looked at still there? Groups of one shape cannot hold the same series, so most pushes pass at once.
local function unseen_shapes(index, push)
  local look, missing = {}, false
  for _, name in ipairs(push.names) do
    local others = {}
    for entry in pairs(index[name]) do
      local shape = entry:match(' (.*)$')
      if shape ~= push.shape then
        others[#others + 1] = shape
        missing = missing or not (' ' .. (push.guards[name] or '') .. ' '):find(' ' .. shape .. ' ', 1, true)
      end
    end
    if #others > 0 then
      look[#look + 1] = name
      look[#look + 1] = table.concat(others, ' ')
    end
  end
  -- One that was not looked at is reason to look at all again: the guards that come back are those of this answer.
  return missing and look or {}
end

local function witnesses_moved(changes_key, push)
  for group, version in pairs(push.witnesses) do
    if (redis.call('ZSCORE', changes_key, group) or '') ~= version then return true end
  end
end

-- What the push has to be compared with before it may stand, as {"look", family, other shapes, ...}; nil: nothing more.
local function to_look_at(changes_key, index, push)
  local look = unseen_shapes(index, push)
  if #look == 0 and witnesses_moved(changes_key, push) then
    for name, shapes in pairs(push.guards) do
      look[#look + 1] = name
      look[#look + 1] = shapes
    end
  end
  if #look > 0 then
    table.insert(look, 1, 'look')
    return look
  end
end
