-- copies: read single families of groups, each with the version of its group.
--   KEYS[1]   changes  zset    group -> version of its last change
--   KEYS[1+i] group    hash
--   ARGV      for each group: its name, a family
--   returns   for each group: its version ("" if there is no such group), the family's field, with its time ("" if
--     it has none, or if it has expired), its values
--   cost O(groups asked for)
-- include: header
-- include: parts
-- include: expired
-- include: family

local copies, now = {}, clock()
local function shown(header, times, field)
  if not field or is_expired(header, now) then return '' end
  return time_bytes(field) > 0 and field or timed(select(2, moments_in(times)), field)
end

for i = 2, #KEYS do
  local name, family = ARGV[2 * i - 3], ARGV[2 * i - 2]
  local header, times, field, values = unpack(redis.call('HMGET', KEYS[i], '', TIMES, family, values_field(family)))
  copies[i - 1] = {redis.call('ZSCORE', KEYS[1], name) or '', shown(header, times, field), values or ''}
end
return copies
