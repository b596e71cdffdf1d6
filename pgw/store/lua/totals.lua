-- totals: how much is stored in all. Included by the scripts that change groups.
--   hash  "series" -> sample lines of all groups; "job/<job>" as in the names of groups -> groups of that job.
--     The number of all groups is that of the members of `changes`.
local function add_to_total(totals_key, field, amount)
  if amount ~= 0 and redis.call('HINCRBY', totals_key, field, amount) <= 0 then redis.call('HDEL', totals_key, field) end
end

local function job_of(group) return group:match('^job/[^/]*') or group end

-- Note the last change of a group, and count it if it is new.
local function touch(changes_key, totals_key, version, group)
  if redis.call('ZADD', changes_key, version, group) == 1 then add_to_total(totals_key, job_of(group), 1) end
end

local function forget(changes_key, totals_key, group)
  if redis.call('ZREM', changes_key, group) == 1 then add_to_total(totals_key, job_of(group), -1) end
end

-- Which limit a new group would exceed, as {"limit", which, the number that it would make}; 0 stands for no limit.
local function group_limit(changes_key, totals_key, group, most, most_of_job)
  if most > 0 and redis.call('ZCARD', changes_key) >= most then
    return {'limit', 'groups', tostring(redis.call('ZCARD', changes_key) + 1)}
  end
  local of_job = most_of_job > 0 and tonumber(redis.call('HGET', totals_key, job_of(group)) or 0) or -1
  if of_job >= most_of_job then return {'limit', 'groups_per_job', tostring(of_job + 1)} end
end

-- The limit that so many more series would exceed, as above. Fewer, or as many as before, exceed none.
local function series_limit(totals_key, growth, most)
  if most <= 0 or growth <= 0 then return nil end
  local sum = tonumber(redis.call('HGET', totals_key, 'series') or 0) + growth
  if sum > most then return {'limit', 'series', string.format('%.0f', sum)} end
end
