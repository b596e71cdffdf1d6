-- same: write a group again whose series are those that are pushed, as nearly all are: nothing to check, nothing to index.
-- A block that values and push share, and no function, because a script makes its functions at each call.
--   takes key, header and lifetime; the words of the families stand in ARGV from first to last
--   sets verdict to '', unless what the group holds has expired
--   uses header and batch; the keys by their names; NAME: where in its key the name of a group begins
  local until_now = time_in(header, DEADLINE_AT)
  if not has_come(until_now, now) then
    local deadline, before = deadline_after(now, lifetime), listed_in(header)
    local number, listed = tonumber(before), before
    -- If nobody has read the changes since the group was listed, whoever does finds it there, and what it holds by then.
    if not number or number <= read or number > latest then
      version = version or next_version(VERSION, EPOCH, ARGV[2])
      latest, listed = tonumber(version), version
      unlisted[#unlisted + 1] = version
      unlisted[#unlisted + 1] = key:sub(NAME)
    end
    if listed ~= before or deadline ~= until_now then
      redis.call('HSET', key, '', header_of(time_in(header, FAILED_AT), deadline, listed, ending_in(header)))
    end
    write_whole(key, first, last)
    if deadline ~= until_now then schedule(DEADLINES, key:sub(NAME), until_now, deadline) end
    verdict = ''
  end
