-- Reads a value with its end at one moment. ARGV: key, now. Replies the value, or false where there is none or it expired.
local VALUES, ENDS = KEYS[1], KEYS[2]
local ends = redis.call('ZSCORE', ENDS, ARGV[1])
if ends and tonumber(ends) <= tonumber(ARGV[2]) then return false end
return redis.call('HGET', VALUES, ARGV[1])
