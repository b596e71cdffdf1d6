-- live: note that a replica lives, and which push it refused last.
--   KEYS[1] replicas  zset  replica -> unix time in seconds when it was last heard of
--   KEYS[2] refusal   hash  the push that was refused last: group, reason, at (unix time in seconds)
--   ARGV    replica; seconds after which one that is silent is forgotten; group and reason, both "" if there is no news
--   returns nothing
--   cost O(replicas)
local REPLICAS, REFUSAL = KEYS[1], KEYS[2]
local replica, silence, group, reason = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]

local now = tonumber(redis.call('TIME')[1])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', REPLICAS, '-inf', now - silence)) do
  redis.call('ZREM', REPLICAS, gone)
end
redis.call('ZADD', REPLICAS, now, replica)
if group ~= '' then redis.call('HSET', REFUSAL, 'group', group, 'reason', reason, 'at', now) end
