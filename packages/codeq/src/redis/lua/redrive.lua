-- Puts dead letters back as new messages of the same age allowance. ARGV[3] how many at most, the oldest first;
-- ARGV[4] the one to put back, or ''. Replies how many went.
local ids = { ARGV[4] }
if ARGV[4] == '' then ids = redis.call('ZRANGE', DEAD, 0, tonumber(ARGV[3]) - 1) end
local count = 0
for _, id in ipairs(ids) do
  local message = read(id)
  if message and message.state == 'x' then
    unbury(message)
    local ends = int(now + tonumber(message.expires) - tonumber(message.enqueued))
    message.attempt, message.class, message.sequence = '1', '1', ''
    message.enqueued, message.due, message.wait = int(now), '0', '0'
    message.expires, message.ends = ends, ends
    list(message, '0')
    put(message, lane_of(message.tenant, message.lane))
    count = count + 1
  end
end
finish()
return count
