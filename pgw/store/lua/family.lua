-- family: the two fields of a family in the hash of its group. Included by the scripts that read or write families.
--   The one with its name: msgpack [type, flags, 8 digits, ...], the fragment as codec.py packs it. Before it stands the
--   time of the push that wrote it (17 bytes: a mark and 16 digits, microseconds since 1970), unless that is the time of
--   the whole, see header.lua. The other, with a byte before the name that no name begins with: the values.
local VALUES = 255
local function values_field(name) return '\255' .. name end
local function is_family(field) return field ~= '' and string.byte(field) ~= VALUES end

-- All fields of some families.
local function fields_of(names)
  local fields = {}
  for i, name in ipairs(names) do fields[2 * i - 1], fields[2 * i] = name, values_field(name) end
  return fields
end

local function add_fields(fields, name, value, values)
  local last = #fields
  fields[last + 1], fields[last + 2], fields[last + 3], fields[last + 4] = name, value, values_field(name), values
end

local TIMED = 176
local function timed(time, fragment) return '\176' .. time .. fragment end
local function time_bytes(value) return string.byte(value) == TIMED and 17 or 0 end

-- Behind the mark of the array (1): the type, then the flags.
local function type_of(value) return value and string.byte(value, time_bytes(value) + 2) end
local function is_unchecked(value) return value and string.byte(value, time_bytes(value) + 3) == 1 end

-- The sample lines in it, counted by codec.py: behind the flags and the head of the 8 digits.
local COUNTED = '\196\008'
local function lines_of(value)
  local first = value and time_bytes(value) + 4
  return value and value:sub(first, first + 1) == COUNTED and tonumber(value:sub(first + 2, first + 9)) or 0
end
