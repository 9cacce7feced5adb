-- Ends claims, or extends them. ARGV[3] most dead letters kept of those that are not durable; from ARGV[4] on four
-- values each: a letter, id, token, argument. a: ack; n: nack, delay in ms; r: release; d: dead letter, reason;
-- x: extend, lease in ms. Replies 1 each, or 0 where the token holds the message no more.
local function bury(message, reason)
  local order = redis.call('HINCRBY', STATE, 'sequence', 1)
  -- When it died is kept where a waiting message says when it is due.
  message.state, message.token, message.due = 'x', '', int(now)
  list(message, false)
  redis.call('ZADD', DEAD, int(order), message.id)
  redis.call('HSET', REASONS, message.id, reason)
  write(message)
  if message.durable == '1' then return end
  redis.call('ZADD', DROPS, int(order), message.id)
  if redis.call('ZCARD', DROPS) <= tonumber(ARGV[3]) then return end
  local oldest = redis.call('ZRANGE', DROPS, 0, 0)[1]
  redis.call('ZREM', DROPS, oldest)
  redis.call('ZREM', DEAD, oldest)
  redis.call('HDEL', REASONS, oldest)
  forget({ id = oldest })
end

local function settle(op, message, argument)
  if op == 'x' then
    leases[message.id] = int(now + tonumber(argument))
    return
  end
  leases[message.id] = false
  if message.state == 'e' then
    -- It left its lane when it expired.
    if op == 'd' then return bury(message, argument) end
    return forget(message)
  end
  local lane = lane_of(message.tenant, message.lane)
  lane.claimed = lane.claimed - 1
  if op == 'a' then return forget(message) end
  if op == 'd' then return bury(message, argument) end
  message.class, message.wait = '0', '0'
  if op == 'n' then
    local delay = tonumber(argument)
    message.attempt = int(tonumber(message.attempt) + 1)
    message.wait = delay > 0 and int(now + delay) or '0'
    message.due = message.wait
  end
  put(message, lane)
  -- Whoever gave it back as it was would only be offered it again; others are told that the lane has something.
  if op == 'r' then fresh[lane.key] = nil end
end

local replies = {}
for at = 4, #ARGV, 4 do
  local message = read(ARGV[at + 1])
  if message and message.token ~= '' and message.token == ARGV[at + 2] then
    settle(ARGV[at], message, ARGV[at + 3])
    replies[#replies + 1] = 1
  else
    replies[#replies + 1] = 0
  end
end
finish()
return replies
