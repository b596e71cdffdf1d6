-- push: apply a batch of pushes, each all or nothing, each with a verdict of its own.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[8] read        string  see changes.lua
--   KEYS[8+i]           hash    the group of push i
--   ARGV[1] what the keys of groups begin with; behind it stands the name of the group
--   ARGV[2] a random name, taken if the store has none yet
--   ARGV[3] ARGV[4] ARGV[5] how many series, groups, and groups of one job there may be (0: no limit)
--   ARGV then for each push: how many words of families it has, microseconds that the group lives from now on ("0": for
--     ever), packed signature and labels (or the signature, if the values come alone),
--     for each family: name, packed fragment, name of the field with its values, values; or only the last two, for a
--     group that holds just these series,
--     one word for what only pushes of other series need, with a blank between each: "merge" or "replace", "checked" or
--     "unchecked", shape, name of the twin group or "", "settled" if what has expired was removed for the sake of this
--     push, else "", and what it was compared with, see clash.lua; "" where the values came alone
--   returns for each push: "" done; "beside" done, and the group holds other families too; "unknown" values came alone,
--     and the group holds other series: come again with all; or an array: {"type", family, its type in other groups},
--     {"suffix", family, the histogram or summary it collides with, its type}, {"twin"},
--     {"look", family, other shapes, family, other shapes, ...}: compare with these and come again.
--     {"limit", "series" or "groups" or "groups_per_job", how many there would be},
--     {"due", the group} or {"due"}: the group itself has expired, or something has that may be why the push would be
--     refused; call expire for that group, or until nothing is due, and come again.
--     A push refused for type, suffix or the number of series leaves its time as the failure time (but a limit makes
--     no group); the others leave nothing.
--     An error of Redis': somebody else has put something else where the group belongs.
--   cost O(families pushed) for each; a replace that drops families: O(families of the group)
-- include: header
-- include: late
-- include: chunked

local SHARED = 8
local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS, READ = unpack(KEYS, 1, SHARED)
local NAME = #ARGV[1] + 1
local GIVEN, AHEAD, BEHIND = 5, 3, 1  -- words before those of the first push; around the families of each

local latest, read = tonumber(redis.call('GET', VERSION) or 0), tonumber(redis.call('GET', READ) or 0)
local version
-- The version of all that this call changes.
local function this_version()
  version = version or next_version(VERSION, EPOCH, ARGV[2])
  latest = tonumber(version)
  return version
end

-- Groups that were written and are not among the changes yet: version, name, and so on.
local unlisted = {}
local function list_changes()
  if #unlisted > 0 then redis.call('ZADD', CHANGES, unpack(unlisted)) end
  unlisted = {}
end

-- Whether nobody has read the changes since a group was listed under this version: whoever does will find it there, and
-- whatever it holds by then.
local function is_unread(listed)
  local number = tonumber(listed)
  return number and read < number and number <= latest
end

-- Write all that is new in a group: the words of its families stand in ARGV from first to last.
local function write_whole(key, header, first, last)
  if last - first < CHUNK then return redis.call('HSET', key, '', header, unpack(ARGV, first, last)) end
  redis.call('HSET', key, '', header)
  for from = first, last, CHUNK do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  end
end

-- Write the same series again, as nearly all pushes have them: nothing to check, nothing to index. False, and nothing
-- done, if the group does not hold them any more.
local function write_same(key, header, first, last)
  local lifetime, ending = ARGV[first - 2], ending_of_same(header, ARGV[first - 1])
  local failed, until_now = failure_and_deadline(header)
  if first > last or not ending or has_come(until_now, now) then return false end
  local group, deadline, listed = key:sub(NAME), deadline_after(now, lifetime), listed_in(header)
  if not is_unread(listed) then
    listed = this_version()
    unlisted[#unlisted + 1] = listed
    unlisted[#unlisted + 1] = group
  end
  write_whole(key, header_of(now, failed, deadline, now, listed, ending), first, last)
  schedule(DEADLINES, group, until_now, deadline)
  return true
end

local write_other
local verdicts, first = {}, GIVEN + AHEAD + 1
for i = 1, #KEYS - SHARED do
  local key, last = KEYS[SHARED + i], first - 1 + ARGV[first - AHEAD]
  local header = redis.pcall('HGET', key, '')
  if type(header) == 'table' then
    verdicts[i] = header  -- the key is no hash: that fails this push and no other
  elseif write_same(key, header, first, last) then
    verdicts[i] = ''
  elseif ARGV[last + BEHIND] == '' then
    verdicts[i] = 'unknown'
  else
    list_changes()  -- the others look at them
    -- Pushes of other series are few: all that they take is made for the first of a batch.
    write_other = write_other or (function()
-- include: anew
    end)()
    verdicts[i] = write_other(key, header, first, last)
  end
  first = last + BEHIND + AHEAD + 1
end
list_changes()
return verdicts
