-- count: add to the gateway's own counters.
--   KEYS[1] telemetry  hash  field -> number
--   ARGV    number of fields to drop, these fields, then field, amount, field, amount, ...
--   returns nothing
--   The one script that is not harmless to repeat: if a connection is lost between the work and the answer, the counts
--     of a second may be added twice.
--   cost O(fields given)
local drop = tonumber(ARGV[1])
for i = 2, drop + 1 do redis.call('HDEL', KEYS[1], ARGV[i]) end
for i = drop + 2, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[1], ARGV[i], ARGV[i + 1]) end
