-- late: a write that its worker has given up does not happen any more. Included by the scripts that change groups; uses
-- header. The last of ARGV, added by the link, is until when it may: by the clock of this server, as 16 digits.
--   Its bytes may have been under way for long, or this server may have been stopped, while a newer write came from
--   another worker.
local now = clock()
if now > ARGV[#ARGV] then return redis.error_reply('LATE the write was given up before Redis came to it') end
