-- parts: the parts of a header, one at a time; what somebody else has broken is as if it were not there.
--   Included by scripts that read groups or write other series; uses header.
local UNKNOWN = string.rep('\0', 16)  -- the signature of a group whose series nobody has counted as a whole

local function part(header, first, last, otherwise)
  local found = header and header:sub(first, last) or otherwise
  return (found == otherwise or is_readable(header)) and found or otherwise
end

local function push_time(header) return part(header, 3, 18, NEVER) end
local function failure_time(header) return (failure_and_deadline(header)) end
local function deadline_of(header) return select(2, failure_and_deadline(header)) end
local function whole_time(header) return part(header, 54, 69, NEVER) end
local function signature_of(header) return part(header, 89, 104, UNKNOWN) end
local function labels_of(header) return header:sub(105) end
local function ending_of(signature, labels) return '\196\016' .. signature .. labels end
local function labels_in(ending) return ending:sub(19) end
