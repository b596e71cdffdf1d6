-- expired: what has expired, and whether it is still there. Included by scripts that must not meet it; uses header
-- and parts.
local function is_expired(header, now) return has_come(deadline_of(header), now) end

-- Whether a group has expired and nobody has removed yet what has (expire.lua): then that comes first.
local function is_due(deadlines_key, group, header, now)
  if not is_expired(header, now) then return false end
  local due = redis.call('ZSCORE', deadlines_key, group)
  return not due or tonumber(due) <= tonumber(now)
end

-- Whether there is anything to remove that has expired.
local function is_any_due(deadlines_key, now)
  return #redis.call('ZRANGEBYSCORE', deadlines_key, '-inf', now, 'LIMIT', 0, 1) > 0
end
