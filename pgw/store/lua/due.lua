-- due: groups of which something expires now, the longest overdue first.
--   KEYS[1] deadlines  zset  group -> when the next of it expires, in microseconds since 1970
--   ARGV    how many at most
--   returns their names
--   cost O(log groups + groups returned)
-- include: header

return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', clock(), 'LIMIT', 0, ARGV[1])
