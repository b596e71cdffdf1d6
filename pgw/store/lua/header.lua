-- header: the header of a group, the value of its field "". Included by the scripts that change groups.
--   msgpack [push time, failure time, deadline, time of the whole, signature, labels]; the times are 16 digits,
--   microseconds since 1970, zeros for never; the signature is 16 bytes; the labels come packed from the worker and are
--   not looked at.
--   At the deadline the families expire, whether somebody removes them (expire.lua) or not.
--   The time of the whole is that of the last push after which the group held what was pushed and nothing else. It is
--   the time of each family whose field has none of its own (family.lua).
local NEVER = '0000000000000000'
local UNKNOWN = string.rep('\0', 16)  -- the signature of a group whose series nobody has counted as a whole

local function clock()
  local now = redis.call('TIME')
  return now[1] .. string.format('%06d', tonumber(now[2]))
end

-- The deadline of what is pushed now, to live so many microseconds ("0": for ever).
local function deadline_after(now, lifetime)
  return lifetime == '0' and NEVER or string.format('%016.0f', tonumber(now) + tonumber(lifetime))
end

local function header_of(pushed, failed, deadline, whole, signature, labels)
  return '\150\176' .. pushed .. '\176' .. failed .. '\176' .. deadline .. '\176' .. whole .. '\196\016' .. signature
    .. labels
end

-- Of a header that somebody else has broken nothing is taken over: the next push makes the group readable again.
local function is_readable(header)
  return #header > 87 and header:find('^\150' .. ('\176' .. ('%d'):rep(16)):rep(4) .. '\196\016')
end

local function part(header, first, last, otherwise)
  if not header then return otherwise end
  local found = header:sub(first, last)
  if found == otherwise then return otherwise end  -- most groups never failed and have no deadline: no look at the rest
  return is_readable(header) and found or otherwise
end

local function push_time(header) return part(header, 3, 18, NEVER) end
local function failure_time(header) return part(header, 20, 35, NEVER) end
local function deadline_of(header) return part(header, 37, 52, NEVER) end
local function whole_time(header) return part(header, 54, 69, NEVER) end
local function signature_of(header) return part(header, 72, 87, UNKNOWN) end
local function labels_of(header) return header:sub(88) end

-- Whether this is the header of a group whose series are those of a signature. One that somebody else has broken, but
-- not there, is written anew all the same.
local function has_signature(header, signature) return header and header:sub(72, 87) == signature end

local function is_expired(header, now)
  local deadline = deadline_of(header)
  return deadline ~= NEVER and deadline <= now
end

-- Whether a group has expired and nobody has removed yet what has (expire.lua): then that comes first.
local function is_due(deadlines_key, group, header, now)
  if not is_expired(header, now) then return false end
  local due = redis.call('ZSCORE', deadlines_key, group)
  return not due or tonumber(due) <= tonumber(now)
end

-- Whether there is anything to remove that has expired.
local function is_any_due(deadlines_key, now)
  return #redis.call('ZRANGEBYSCORE', deadlines_key, '-inf', now, 'LIMIT', 0, 1) > 0
end

-- Keep the list of deadlines like the header of a group.
local function schedule(deadlines_key, group, before, after)
  if after ~= NEVER then
    redis.call('ZADD', deadlines_key, after, group)
  elseif before ~= NEVER then
    redis.call('ZREM', deadlines_key, group)
  end
end

-- The version of this change. The first change of a store gives it its random name.
local function next_version(version_key, epoch_key, epoch)
  local version = redis.call('INCR', version_key)
  if version == 1 then redis.call('SET', epoch_key, epoch) end
  return string.format('%.0f', version)  -- once, not by Redis whenever it is used
end
