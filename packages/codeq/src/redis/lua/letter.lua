-- Reads one dead letter. ARGV[3] its id, ARGV[4] its tenant, ARGV[5] '1' to take it away as well. Replies the message and
-- the reason, or nothing when this tenant has no such letter here.
local message = read(ARGV[3])
if not message or message.state ~= 'x' or message.tenant ~= ARGV[4] then return {} end
local reply = {}
describe(reply, message)
reply[#reply + 1] = redis.call('HGET', REASONS, message.id) or ''
if ARGV[5] == '1' then
  unbury(message)
  forget(message)
  finish()
end
return reply
