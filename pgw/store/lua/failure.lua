-- failure: note that a push to a group failed. Included by push and fail; uses header, parts and totals.
--   keys  a table: changes, tombstones, deadlines, totals
--   push  a table: key, group, labels, lifetime; a group that does not exist is made with these, without families
local function note_failure(keys, push, header, version, now)
  local deadline = header and deadline_of(header) or deadline_after(now, push.lifetime)  -- a failure renews nothing
  local ending = ending_of(signature_of(header), push.labels)
  redis.call('HSET', push.key, '', header_of(now, deadline, version, ending))
  touch(keys.changes, keys.totals, version, push.group)
  if header then return end
  schedule(keys.deadlines, push.group, NEVER, deadline)
  redis.call('ZREM', keys.tombstones, push.group)
end
