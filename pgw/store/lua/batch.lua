-- batch: what the scripts have in common that apply a batch of pushes. Included by values and push.
--   uses header, late, chunked, VERSION and READ
local latest, read = tonumber(redis.call('GET', VERSION) or 0), tonumber(redis.call('GET', READ) or 0)
local version  -- of all that this call changes, once it has one
local unlisted = {}  -- groups that were written and are not among the changes yet: version, name, and so on

-- Write what is pushed now into a group that will hold nothing else: the words of its families stand in ARGV from first
-- to last.
local function write_whole(key, first, last)
  if last - first < CHUNK then return redis.call('HSET', key, TIMES, now, unpack(ARGV, first, last)) end
  redis.call('HSET', key, TIMES, now)
  for from = first, last, CHUNK do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  end
end
