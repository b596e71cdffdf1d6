-- index: how many groups hold each family, by type and shape. Included by the scripts that change groups.
--   hash  family -> entries "<type> <shape>=<count>" joined by ";", the type as in io.prometheus.client.MetricType.
local function index_load(index_key, names)
  local index, values = {}, chunked('HMGET', index_key, names)
  for i, name in ipairs(names) do
    local entries = {}
    if values[i] then
      for kind, shape, count in values[i]:gmatch('(%d+) ([^=;]*)=(%d+)') do
        entries[kind .. ' ' .. shape] = tonumber(count)
      end
    end
    index[name] = entries
  end
  return index
end

local function index_add(entries, kind, shape, count)
  local entry = kind .. ' ' .. shape
  local sum = (entries[entry] or 0) + count
  entries[entry] = sum > 0 and sum or nil
end

local function index_save(index_key, index, names)
  local set, gone = {}, {}
  for _, name in ipairs(names) do
    local entries = {}
    for entry, count in pairs(index[name]) do entries[#entries + 1] = entry .. '=' .. count end
    if #entries > 0 then
      table.sort(entries)
      set[#set + 1] = name
      set[#set + 1] = table.concat(entries, ';')
    else
      gone[#gone + 1] = name
    end
  end
  chunked('HSET', index_key, set)
  chunked('HDEL', index_key, gone)
end
