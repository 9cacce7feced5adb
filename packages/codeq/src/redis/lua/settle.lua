-- Ends claims, or extends them. ARGV[3] most dead letters kept of those that are not durable; ARGV[4] and ARGV[5] most dead
-- letters of a tenant and most bytes of their bodies; from ARGV[6] on four values each: a letter, id, token, argument.
-- a: ack; n: nack, delay in ms; r: release; d: dead letter, reason; x: extend, lease in ms. Replies 1 each, or 0 where the
-- token holds the message no more; then how many dead letters went to make room.
local DROPPED_MAX = 100
local dropped = 0

local function drop(id)
  local message = read(id)
  if message and message.state == 'x' then
    unbury(message)
    forget(message)
    dropped = dropped + 1
  else
    redis.call('ZREM', DEAD, id)
    redis.call('ZREM', DROPS, id)
  end
end

-- Replies whether there was one.
local function drop_oldest(tenant)
  local grave = redis.call('ZRANGEBYLEX', GRAVES, '[' .. tenant .. SEP, '(' .. tenant .. END, 'LIMIT', 0, 1)[1]
  if not grave then return false end
  drop(last_part(grave))
  -- It is still there where a process of a release that did not know of graves has put the letter back.
  if redis.call('ZREM', GRAVES, grave) == 1 then tally(tenant, -1, 0) end
  return true
end

local function bury(message, reason)
  local order = redis.call('HINCRBY', STATE, 'sequence', 1)
  -- When it died is kept where a waiting message says when it is due.
  message.state, message.token, message.due = 'x', '', int(now)
  list(message, false)
  redis.call('ZADD', DEAD, int(order), message.id)
  redis.call('ZADD', GRAVES, 0, grave_of(message, order))
  redis.call('HSET', REASONS, message.id, reason)
  write(message)
  if message.durable ~= '1' then redis.call('ZADD', DROPS, int(order), message.id) end
  local letters, size = tally(message.tenant, 1, tonumber(message.bytes))
  if message.durable ~= '1' and redis.call('ZCARD', DROPS) > tonumber(ARGV[3]) then
    drop(redis.call('ZRANGE', DROPS, 0, 0)[1])
    letters, size = tally(message.tenant, 0, 0)
  end
  while (letters > tonumber(ARGV[4]) or size > tonumber(ARGV[5])) and dropped < DROPPED_MAX do
    if not drop_oldest(message.tenant) then break end
    letters, size = tally(message.tenant, 0, 0)
  end
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
for at = 6, #ARGV, 4 do
  local message = read_begun(ARGV[at + 1])
  if message and message.token ~= '' and message.token == ARGV[at + 2] then
    settle(ARGV[at], message, ARGV[at + 3])
    replies[#replies + 1] = 1
  else
    replies[#replies + 1] = 0
  end
end
finish()
replies[#replies + 1] = dropped
return replies
