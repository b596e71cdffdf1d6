-- same: write a group again whose series are those that are pushed, as nearly all are: nothing to check, nothing to index.
-- A block that values and push share, and no function, because a script makes its functions at each call.
--   takes key, header and lifetime; the words of the families stand in ARGV from first to last
--   sets verdict to '', unless what the group holds has expired
--   uses header and batch; the keys by their names; NAME: where in its key the name of a group begins
  local failed, until_now = failure_and_deadline(header)
  if not has_come(until_now, now) then
    local deadline, listed = deadline_after(now, lifetime), listed_in(header)
    local number = tonumber(listed)
    -- If nobody has read the changes since the group was listed, whoever does finds it there, and what it holds by then.
    if not number or number <= read or number > latest then
      version = version or next_version(VERSION, EPOCH, ARGV[2])
      latest, listed = tonumber(version), version
      unlisted[#unlisted + 1] = version
      unlisted[#unlisted + 1] = key:sub(NAME)
    end
    write_whole(key, header_of(now, failed, deadline, now, listed, ending_in(header)), first, last)
    if deadline ~= until_now then schedule(DEADLINES, key:sub(NAME), until_now, deadline) end
    verdict = ''
  end
