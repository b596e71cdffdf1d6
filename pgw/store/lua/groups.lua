-- groups: read groups whole.
--   KEYS    hash    the groups
--   returns for each: its fields and values, an empty array if there is no such group; an error if the key is no hash
--   cost O(families of these groups)
local groups = {}
for i, key in ipairs(KEYS) do groups[i] = redis.pcall('HGETALL', key) end
return groups
