-- copies: read single families of groups, each with the version of its group.
--   KEYS[1]   changes  zset    group -> version of its last change
--   KEYS[1+i] group    hash
--   ARGV      for each group: its name, a family
--   returns   for each group: its version ("" if there is no such group), the family's field ("" if it has none)
--   cost O(groups asked for)
local copies = {}
for i = 2, #KEYS do
  local name, family = ARGV[2 * i - 3], ARGV[2 * i - 2]
  copies[i - 1] = {redis.call('ZSCORE', KEYS[1], name) or '', redis.call('HGET', KEYS[i], family) or ''}
end
return copies
