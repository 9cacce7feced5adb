-- Reads dead letters, oldest first. ARGV[3] the first one's place, ARGV[4] the last one's. Replies the reason of each
-- after its message.
local reply = {}
for _, id in ipairs(redis.call('ZRANGE', DEAD, tonumber(ARGV[3]), tonumber(ARGV[4]))) do
  local message = read(id)
  if message then
    describe(reply, message)
    reply[#reply + 1] = redis.call('HGET', REASONS, id) or ''
  end
end
return reply
