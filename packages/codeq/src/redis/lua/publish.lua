-- Takes messages in. From ARGV[3] on eleven values each: id, tenant, lane, attempt, enqueued, due, expires, the last
-- two again in milliseconds from now, the bound of the lane, durable, body.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
local replies, bodies = {}, {}
for at = 3, #ARGV, 11 do
  local id = ARGV[at]
  if entries[id] or redis.call('HEXISTS', META, id) == 1 then
    replies[#replies + 1] = 0
  else
    local lane = lane_of(ARGV[at + 1], ARGV[at + 2])
    local durable = ARGV[at + 9]
    local waiting = durable == '1' and lane.durable or lane.volatile
    if waiting >= tonumber(ARGV[at + 8]) then
      replies[#replies + 1] = -1
    else
      local body = ARGV[at + 10]
      local due, expires = ARGV[at + 5], ARGV[at + 6]
      local due_in, expires_in = string.match(ARGV[at + 7], '^(%S+) (%S+)$')
      bodies[#bodies + 1] = id
      bodies[#bodies + 1] = body
      put({ id = id, state = '', tenant = ARGV[at + 1], lane = ARGV[at + 2], attempt = ARGV[at + 3], sequence = '',
        class = '1', durable = durable, enqueued = ARGV[at + 4], due = due, expires = expires,
        wait = due == '0' and '0' or int(now + tonumber(due_in)), ends = int(now + tonumber(expires_in)),
        bytes = int(#body), token = '' }, lane)
      replies[#replies + 1] = 1
    end
  end
end
if #bodies > 0 then redis.call('HSET', BODY, unpack(bodies)) end
finish()
return replies
