-- Puts results into a gateway's channel. KEYS: the mark that the gateway lives, with the bytes that wait for it, and the
-- list. ARGV: most bytes, most results, ms until what nobody reads is gone, then the results.
-- Replies how many went in: none where nobody lives there, and no more than the channel holds.
local CHANNEL, RESULTS = KEYS[1], KEYS[2]
local waiting = tonumber(redis.call('GET', CHANNEL))
if not waiting then return 0 end
local room = tonumber(ARGV[2]) - redis.call('LLEN', RESULTS)
local taken, bytes = {}, 0
for at = 4, #ARGV do
  if #taken < room and waiting + bytes + #ARGV[at] <= tonumber(ARGV[1]) then
    taken[#taken + 1] = ARGV[at]
    bytes = bytes + #ARGV[at]
  end
end
if #taken == 0 then return 0 end
redis.call('INCRBY', CHANNEL, bytes)
redis.call('RPUSH', RESULTS, unpack(taken))
redis.call('PEXPIRE', RESULTS, tonumber(ARGV[3]))
return #taken
