-- index: how many groups hold each family, by type and shape. Included by the scripts that change groups.
--   hash  family -> entries "<type> <shape>=<count>" joined by ";", the type as in io.prometheus.client.MetricType.
local CHUNK = 4000  -- arguments in one call: unpack() gives up at about 8000

local function chunked(command, key, arguments)
  local all = {}
  for first = 1, #arguments, CHUNK do
    local last = math.min(first + CHUNK - 1, #arguments)
    local reply = redis.call(command, key, unpack(arguments, first, last))
    if type(reply) == 'table' then
      for i = 1, last - first + 1 do all[first + i - 1] = reply[i] end
    end
  end
  return all
end

-- The type in the value of a family's field: behind the time (17 bytes) and the mark of the array (1).
local function type_of(value) return value and string.byte(value, 19) end
local function is_unchecked(value) return value and string.byte(value, 20) == 1 end  -- the flags, see codec.py

-- The sample lines in it, counted by codec.py: behind the flags and the head of the 8 digits.
local COUNTED = '\196\008'
local function lines_of(value)
  return value and value:sub(21, 22) == COUNTED and tonumber(value:sub(23, 30)) or 0
end

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
