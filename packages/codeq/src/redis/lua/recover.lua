-- Gives back what a claim took whose reply never came. ARGV[3] what its tokens begin with. Replies how many.
-- They are among the newest leases: those of the others are only looked at.
local LOOKED_AT = 1000
local count = 0
for _, id in ipairs(redis.call('ZRANGE', LEASES, -LOOKED_AT, -1)) do
  local message = read(id)
  if message and message.state == 'c' and string.sub(message.token, 1, #ARGV[3]) == ARGV[3] then
    leases[id] = false
    local lane = lane_of(message.tenant, message.lane)
    lane.claimed = lane.claimed - 1
    message.class, message.wait = '0', '0'
    put(message, lane)
    count = count + 1
  end
end
finish()
return count
