-- header: the header of a group, the value of its field "": what a push of the same series needs of it. The rest is in
-- parts.lua and expired.lua, as a script makes all its functions at each call, which takes longer than to call them.
-- Included by the scripts that change groups.
--   msgpack [failure time, deadline, version, signature, labels]; the times are 16 digits, microseconds since 1970,
--   zeros for never; the version, 16 digits too, is the one under which the changes list the group; the signature is 16
--   bytes; the labels come packed from the worker and are not looked at. Signature and labels together are its ending:
--   the same again, as long as the series are the same.
--   At the deadline the families expire, whether somebody removes them (expire.lua) or not.
-- What each push changes stands in a field of its own, so that most leave the header as it is: 16 digits for the last
-- push, and 16 more for the time of the whole, if that is another: that of the last push after which the group held what
-- was pushed and nothing else. It is the time of each family whose field has none of its own (family.lua). A group
-- without any successful push may have no such field.
local NEVER = '0000000000000000'
local TIMES = '\255'

local function clock()
  local now = redis.call('TIME')
  return now[1] .. string.format('%06d', tonumber(now[2]))
end

-- The deadline of what is pushed now, to live so many microseconds ("0": for ever).
local function deadline_after(now, lifetime)
  return lifetime == '0' and NEVER or string.format('%016.0f', tonumber(now) + tonumber(lifetime))
end

local function header_of(failed, deadline, version, ending)
  return '\149\176' .. failed .. '\176' .. deadline .. '\176' .. version .. ending
end

-- Of a header that somebody else has broken nothing is taken over: the next push makes the group readable again.
local function is_readable(header)
  return #header > 70 and header:find('^\149' .. ('\176' .. ('%d'):rep(16)):rep(3) .. '\196\016')
end

-- One of the times in a header, by where it begins.
local FAILED_AT, DEADLINE_AT = 3, 20
local function time_in(header, first)
  local found = header and header:sub(first, first + 15) or NEVER
  return (found == NEVER or is_readable(header)) and found or NEVER
end

local function listed_in(header) return header:sub(37, 52) end

-- What a header ends with, and the signature in that, as they stand there; false without a header.
local function ending_in(header) return header and header:sub(53) end
local function signature_in(header) return header and header:sub(55, 70) end

local function has_come(deadline, now) return deadline ~= NEVER and deadline <= now end

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
  return string.format('%016.0f', version)
end
