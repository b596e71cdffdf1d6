-- signs: which replicas live, and which push was refused last.
--   KEYS[1] replicas  zset  see live.lua
--   KEYS[2] refusal   hash  see live.lua
--   ARGV    seconds after which one that is silent no longer counts
--   returns the names of the replicas; group, reason and time of the refusal, false where there is none
--   cost O(replicas)
local now = tonumber(redis.call('TIME')[1])
local replicas = redis.call('ZRANGEBYSCORE', KEYS[1], now - tonumber(ARGV[1]), '+inf')
return {replicas, redis.call('HMGET', KEYS[2], 'group', 'reason', 'at')}
