-- Reads one durable message. ARGV[3] its id, ARGV[4] its tenant. Replies it, or nothing when none waits or is claimed here.
local message = look(ARGV[3])
if not message or message.tenant ~= ARGV[4] or message.durable ~= '1' or message.state == 'x' then return {} end
local reply = {}
describe(reply, message)
return reply
