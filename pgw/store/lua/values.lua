-- values: apply a batch of pushes that change nothing but values, each all or nothing, each with a verdict of its own.
--   KEYS[1] changes    zset    group -> version of its last change
--   KEYS[2] version    string
--   KEYS[3] epoch      string
--   KEYS[4] deadlines  zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[5] read       string  see changes.lua
--   KEYS[5+i]          hash    the group of push i
--   ARGV[1] what the keys of groups begin with; behind it stands the name of the group
--   ARGV[2] a random name, taken if the store has none yet
--   ARGV then for each push: how many words of families it has, microseconds that the group lives from now on ("0": for
--     ever), the signature of the series,
--     for each family: name of the field with its values, values
--   returns for each push: "" done; "unknown" nothing done, the group holds other series, or they have expired: come
--     again with all, to push.lua. An error of Redis': somebody else has put something else where the group belongs.
--   cost O(families pushed) for each
-- include: header
-- include: late
-- include: chunked

local SHARED = 5
local CHANGES, VERSION, EPOCH, DEADLINES, READ = unpack(KEYS, 1, SHARED)
local NAME = #ARGV[1] + 1
local GIVEN, AHEAD = 2, 3  -- words before those of the first push; before the families of each
-- include: batch

local verdicts, first = {}, GIVEN + AHEAD + 1
for i = 1, #KEYS - SHARED do
  local key, last = KEYS[SHARED + i], first - 1 + ARGV[first - AHEAD]
  local lifetime, signature = ARGV[first - 2], ARGV[first - 1]
  local header, verdict = redis.pcall('HGET', key, ''), 'unknown'
  if type(header) == 'table' then
    verdict = header  -- the key is no hash: that fails this push and no other
  elseif signature_in(header) == signature then
-- include: same
  end
  verdicts[i] = verdict
  first = last + AHEAD + 1
end
if #unlisted > 0 then redis.call('ZADD', CHANGES, unpack(unlisted)) end
return verdicts
