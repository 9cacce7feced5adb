-- Lets go of messages that wait, unheard. ARGV[3] 'expired' for those that are too old, or 'all'; ARGV[4] how many at most.
-- Replies how many went, and 1 where there may be more.
local limit = tonumber(ARGV[4])
local last = ARGV[3] == 'all' and '+inf' or int(now)
local count = 0
local names = redis.call('ZRANGEBYSCORE', DUE, '-inf', last, 'LIMIT', 0, limit)
local more = #names == limit

local function let_go(id)
  local message = read(id)
  if not message then
    dues[id] = false
    return
  end
  local lane = lane_of(message.tenant, message.lane)
  if ARGV[3] == 'all' or tonumber(message.ends) <= now then
    take_out(message, lane)
    forget(message)
    count = count + 1
    -- The next message of its lane may be one that somebody takes.
    if lane.ready > 0 then
      woken = true
      fresh[lane.key] = true
    end
  elseif message.state == 'd' then
    -- It is only due, and stands before those that are too old no more.
    lane.delayed = lane.delayed - 1
    make_ready(message, lane)
  end
end

for _, name in ipairs(names) do
  for _, id in ipairs(count < limit and ids_of(name) or { name }) do
    if count < limit then let_go(id) else more = true end
  end
end
finish()
return { count, more and 1 or 0 }
