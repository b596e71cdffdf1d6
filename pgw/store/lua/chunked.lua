-- chunked: a command with any number of arguments, in as many calls as it takes.
--   returns what they return, one list behind the other
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
