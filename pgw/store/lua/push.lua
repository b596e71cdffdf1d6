-- push: apply a batch of pushes, each all or nothing, each with a verdict of its own. What brings nothing but new values, as
-- most do, goes to values.lua.
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
--     ever), packed signature and labels,
--     for each family: name, packed fragment, name of the field with its values, values,
--     one word for what only pushes of other series need, with a blank between each: "merge" or "replace", "checked" or
--     "unchecked", shape, name of the twin group or "", "settled" if what has expired was removed for the sake of this
--     push, else "", and what it was compared with, see clash.lua
--   returns for each push: "" done; "beside" done, and the group holds other families too; or an array: {"type", family,
--     its type in other groups}, {"suffix", family, the histogram or summary it collides with, its type}, {"twin"},
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
-- include: batch

local write_other
local verdicts, first = {}, GIVEN + AHEAD + 1
for i = 1, #KEYS - SHARED do
  local key, last = KEYS[SHARED + i], first - 1 + ARGV[first - AHEAD]
  local lifetime, ending = ARGV[first - 2], ARGV[first - 1]
  local header, verdict = redis.pcall('HGET', key, ''), nil
  if type(header) == 'table' then
    verdict = header  -- the key is no hash: that fails this push and no other
  elseif first <= last and ending_in(header) == ending and is_readable(header) then
-- include: same
  end
  if not verdict then
    -- Pushes of other series look at the changes. All that they take is made for the first of a batch.
    if #unlisted > 0 then redis.call('ZADD', CHANGES, unpack(unlisted)) end
    unlisted = {}
    write_other = write_other or (function()
-- include: anew
    end)()
    verdict = write_other(key, header, first, last)
  end
  verdicts[i] = verdict
  first = last + BEHIND + AHEAD + 1
end
if #unlisted > 0 then redis.call('ZADD', CHANGES, unpack(unlisted)) end
return verdicts
