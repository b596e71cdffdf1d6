-- push: apply a batch of pushes, each all or nothing, each with a verdict of its own.
--   KEYS[1] changes     zset    group -> version of its last change
--   KEYS[2] tombstones  zset    group -> version of its deletion
--   KEYS[3] families    hash    the index, see index.lua
--   KEYS[4] version     string
--   KEYS[5] epoch       string
--   KEYS[6] deadlines   zset    group -> when the next of it expires, in microseconds since 1970
--   KEYS[7] totals      hash    see totals.lua
--   KEYS[7+i]           hash    the group of push i
--   ARGV[1] what the keys of groups begin with; behind it stands the name of the group
--   ARGV[2] a random name, taken if the store has none yet
--   ARGV[3] ARGV[4] ARGV[5] how many series, groups, and groups of one job there may be (0: no limit)
--   ARGV then for each push: how many words it has with this one, how many of them are of families,
--     packed labels, signature (16 bytes), microseconds that the group lives from now on ("0": for ever),
--     for each family: name, packed fragment,
--     one word for what only pushes of other series need, with a blank between each: "merge" or "replace", "checked" or
--     "unchecked", shape, name of the twin group or "", "settled" if what has expired was removed for the sake of this
--     push, else "",
--     number of guards, then for each: family, the other shapes it was compared with (joined by " "),
--     then for each witness: group, the version it had when it was compared ("" if it did not exist)
--   returns for each push: "" done, or an array: {"type", family, its type in other groups},
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
-- include: family

local SHARED = 7
local CHANGES, TOMBSTONES, FAMILIES, VERSION, EPOCH, DEADLINES, TOTALS = unpack(KEYS, 1, SHARED)
local NAME = #ARGV[1] + 1
local GIVEN, FIRST = 5, 5  -- words before those of the first push; before the families of each

-- Groups that were written and are not among the changes yet: version, name, and so on.
local unlisted = {}
local function list_changes()
  if #unlisted > 0 then redis.call('ZADD', CHANGES, unpack(unlisted)) end
  unlisted = {}
end

-- Write all that a group holds from now on: the words of its families stand in ARGV from first to last.
local function write_whole(key, header, first, last)
  redis.call('HSET', key, '', header, unpack(ARGV, first, math.min(first + CHUNK - 1, last)))
  for from = first + CHUNK, last, CHUNK do
    redis.call('HSET', key, unpack(ARGV, from, math.min(from + CHUNK - 1, last)))
  end
end

-- The same series again, as nearly all pushes have them: nothing to check, nothing to index.
local function write_again(key, header, at, version, now)
  local _, words, labels, signature, lifetime = unpack(ARGV, at, at + FIRST - 1)
  local group = key:sub(NAME)
  local deadline = deadline_after(now, lifetime)
  local after = header_of(now, failure_time(header), deadline, now, signature, labels)
  write_whole(key, after, at + FIRST, at + FIRST + words - 1)
  schedule(DEADLINES, group, deadline_of(header), deadline)
  unlisted[#unlisted + 1] = version
  unlisted[#unlisted + 1] = group
end

-- Pushes of other series are few: all that they take is made for the first of a batch.
local apply_anew
local function make_apply_anew()
-- include: anew
end

local function apply_at(at, key, version, now)
  local header = redis.pcall('HGET', key, '')
  if type(header) == 'table' then return header end  -- the key is no hash: that fails this push and no other
  if has_signature(header, ARGV[at + 3]) and ARGV[at + 1] ~= '0' and not is_expired(header, now) then
    write_again(key, header, at, version, now)
    return ''
  end
  list_changes()  -- the others look at them
  apply_anew = apply_anew or make_apply_anew()
  return apply_anew(key, at, header, version, now)
end

local version, verdicts, at = next_version(VERSION, EPOCH, ARGV[2]), {}, GIVEN + 1
for i = 1, #KEYS - SHARED do
  verdicts[i] = apply_at(at, KEYS[SHARED + i], version, now)
  at = at + ARGV[at]
end
list_changes()
return verdicts
