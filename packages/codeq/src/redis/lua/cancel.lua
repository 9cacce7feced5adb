-- Takes out a message that waits. ARGV[3] its id. Replies the message, or nothing when it does not wait here.
local message = read(ARGV[3])
if not message or (message.state ~= 'r' and message.state ~= 'd') then return {} end
local lane = lane_of(message.tenant, message.lane)
local was_ready = message.state == 'r'
take_out(message, lane)
local reply = {}
describe(reply, message)
forget(message)
-- The next message of its lane may be one that somebody takes.
if was_ready and lane.ready > 0 then
  woken = true
  fresh[lane.key] = true
end
finish()
return reply
