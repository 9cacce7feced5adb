-- Reads what a list of dead letters shows, oldest first. ARGV[3] the place to go on after, ARGV[4] how many, ARGV[5]
-- tenant, ARGV[6] lane, or the beginning of lanes where it ends with a slash. Replies where to go on, '' at the end,
-- then seven values each. Letters of others are passed by, a bounded number in one call.
local LOOKED_AT = 1000
local limit, tenant, wanted = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local whole = string.sub(wanted, -1) ~= '/'
local reply, count = { '' }, 0
local members = redis.call('ZRANGEBYSCORE', DEAD, '(' .. ARGV[3], '+inf', 'WITHSCORES', 'LIMIT', 0, LOOKED_AT)
for at = 1, #members, 2 do
  local message = read(members[at])
  if message and message.tenant == tenant and
    (message.lane == wanted or (not whole and string.sub(message.lane, 1, #wanted) == wanted)) then
    local size = #reply
    reply[size + 1] = message.id
    reply[size + 2] = message.lane
    reply[size + 3] = message.attempt
    reply[size + 4] = message.enqueued
    reply[size + 5] = message.due
    reply[size + 6] = redis.call('HGET', REASONS, message.id) or ''
    reply[size + 7] = members[at + 1]
    count = count + 1
    if count == limit then return reply end
  end
end
if #members == 2 * LOOKED_AT then reply[1] = members[#members] end
return reply
