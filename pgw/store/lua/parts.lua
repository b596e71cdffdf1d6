-- parts: the parts of a header and the times, one at a time; what somebody else has broken is as if it were not there.
--   Included by scripts that read groups or write other series; uses header.
local UNKNOWN = string.rep('\0', 16)  -- the signature of a group whose series nobody has counted as a whole

local function failure_time(header) return time_in(header, FAILED_AT) end
local function deadline_of(header) return time_in(header, DEADLINE_AT) end
local function signature_of(header)
  local found = signature_in(header)
  return found and is_readable(header) and found or UNKNOWN
end
local function labels_of(header) return header:sub(71) end
local function ending_of(signature, labels) return '\196\016' .. signature .. labels end
local function labels_in(ending) return ending:sub(19) end

-- Of the field TIMES: when the last push was, and the time of the whole.
local function moments_in(times)
  if not times or #times ~= 16 and #times ~= 32 or times:find('%D') then return NEVER, NEVER end
  local pushed, whole = times:sub(1, 16), times:sub(17)
  return pushed, whole == '' and pushed or whole
end
