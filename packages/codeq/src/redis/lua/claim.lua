-- Brings what is due, too old or lost where it belongs, then claims up to a number of messages: round by weight over
-- tenants, then over the lanes of a tenant, first in first out within a lane.
-- ARGV[3] most messages, ARGV[4] lease in ms, ARGV[5] start of the tokens, ARGV[6] most bytes of bodies,
-- ARGV[7] how long an expired message waits for its report to be acknowledged, in ms; ARGV[8] how many of a lane are
-- taken, and from ARGV[9] on pairs of a lane and how many more of it where that is another number.
-- Replies ms until something falls due (-1 for never), whether there may be more at once (1, or 2 where only behind what
-- was taken of a lane, as many as should be), numbers of claimed and of expired messages, then these.
local limit, lease, token, bytes_left = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local SWEPT_MAX, CHUNK, OPENED_MAX = 100, 16, 256
local claimed, expired = {}, {}
local tokens = 0

local function expire(message)
  tokens = tokens + 1
  message.state, message.token = 'e', token .. tokens
  leases[message.id] = int(now + tonumber(ARGV[7]))
  write(message)
  expired[#expired + 1] = message
end

local function sweep_leases()
  local ids = redis.call('ZRANGEBYSCORE', LEASES, '-inf', int(now), 'LIMIT', 0, SWEPT_MAX)
  for _, id in ipairs(ids) do
    leases[id] = false
    local message = read(id)
    if message and message.state == 'e' then
      -- Whoever was to hear of its end did not live to say so.
      expire(message)
    elseif message and message.state == 'c' then
      local lane = lane_of(message.tenant, message.lane)
      lane.claimed = lane.claimed - 1
      message.attempt = int(tonumber(message.attempt) + 1)
      message.class, message.due, message.wait = '0', '0', '0'
      put(message, lane)
    end
  end
  return #ids == SWEPT_MAX
end

local function sweep_due()
  local names = redis.call('ZRANGEBYSCORE', DUE, '-inf', int(now), 'LIMIT', 0, SWEPT_MAX)
  local swept = 0
  for _, name in ipairs(names) do
    if swept >= SWEPT_MAX then return true end
    for _, id in ipairs(ids_of(name)) do
      swept = swept + 1
      local message = read(id)
      if not message then
        dues[id] = false
      else
        local lane = lane_of(message.tenant, message.lane)
        if tonumber(message.ends) <= now then
          take_out(message, lane)
          expire(message)
        elseif message.state == 'd' then
          lane.delayed = lane.delayed - 1
          make_ready(message, lane)
        end
      end
    end
  end
  return #names == SWEPT_MAX
end

local unswept = sweep_leases()
unswept = sweep_due() or unswept
flush_places()
local more = unswept

local lane_limit, rooms = tonumber(ARGV[8]), {}
for at = 9, #ARGV, 2 do rooms[ARGV[at]] = tonumber(ARGV[at + 1]) end

-- Tenants by virtual time, as many as were needed so far; those not loaded come after `horizon`.
local tenants, loaded, horizon, complete = {}, 0, -1, false
local function load_tenants()
  local rows = redis.call('ZRANGE', TENANTS, loaded, loaded + CHUNK - 1, 'WITHSCORES')
  loaded = loaded + #rows / 2
  complete = #rows < 2 * CHUNK
  for at = 1, #rows, 2 do
    horizon = tonumber(rows[at + 1])
    tenants[#tenants + 1] = { name = rows[at], time = horizon, lanes = {}, at = 1, from = 0, again = {} }
  end
end

local function first_tenant()
  while true do
    local best
    for at, tenant in ipairs(tenants) do
      if not best or tenant.time < tenants[best].time then best = at end
    end
    if complete or (best and tenants[best].time <= horizon) then return best end
    load_tenants()
  end
end

local function load_lanes(tenant)
  local rows = redis.call('ZRANGEBYLEX', TURNS, '[' .. tenant.name .. SEP, '(' .. tenant.name .. END, 'LIMIT',
    tenant.from, CHUNK)
  tenant.from = tenant.from + #rows
  tenant.whole = #rows < CHUNK
  tenant.lanes, tenant.at = {}, 1
  for at, row in ipairs(rows) do tenant.lanes[at] = last_part(row) end
end

-- Lanes keep their place in the sets until all are chosen, so that the places above stay true.
local touched = {}
local function next_lane(tenant)
  while true do
    local name = tenant.lanes[tenant.at]
    if name then
      tenant.at = tenant.at + 1
      local lane = lane_of(tenant.name, name)
      if not lane.taken then
        lane.taken, lane.heads, lane.room = 0, {}, rooms[lane.key] or lane_limit
        touched[#touched + 1] = lane
      end
      if lane.taken < lane.ready and lane.taken < lane.room then return lane end
    elseif not tenant.whole then
      load_lanes(tenant)
    elseif #tenant.again > 0 then
      tenant.lanes, tenant.at, tenant.again = tenant.again, 1, {}
    else
      return nil
    end
  end
end

-- A record that was taken apart stands among the places as its messages, once they are written.
local unwritten = false
local function load_heads(lane)
  if unwritten then flush_places() end
  unwritten = false
  local rows = redis.call('ZRANGEBYLEX', READY, '[' .. lane.key .. SEP, '(' .. lane.key .. END, 'LIMIT', lane.taken,
    math.min(CHUNK, limit))
  for at, row in ipairs(rows) do lane.heads[lane.taken + at] = last_part(row) end
end

local function next_head(lane)
  if not lane.heads[lane.taken + 1] then load_heads(lane) end
  local head = lane.heads[lane.taken + 1]
  if head and is_record(head) then
    -- Its messages stand where it stood; what comes behind them is looked up again.
    unwritten = true
    lane.heads = {}
    for at, id in ipairs(open(head)) do lane.heads[lane.taken + at] = id end
    head = lane.heads[lane.taken + 1]
  end
  return head and read(head)
end

local chosen, present, served = {}, nil, {}
while #chosen < limit do
  local at = first_tenant()
  if not at then break end
  if opened_count > OPENED_MAX and #chosen > 0 then
    more = true
    break
  end
  local tenant = tenants[at]
  local lane = next_lane(tenant)
  local message = lane and next_head(lane)
  if not message then
    table.remove(tenants, at)
  else
    bytes_left = bytes_left - tonumber(message.bytes)
    if bytes_left < 0 and #chosen > 0 then
      more = true
      break
    end
    lane.taken = lane.taken + 1
    tenant.again[#tenant.again + 1] = lane.name
    lane.last_served = #chosen + 1
    chosen[#chosen + 1] = message
    present = tenant.time
    if not tenant.stride then
      tenant.stride = 1 / tonumber(redis.call('HGET', WEIGHTS, tenant.name) or 1)
      served[#served + 1] = tenant
    end
    tenant.time = tenant.time + tenant.stride
  end
end
if limit > 0 and #chosen == limit then more = true end

for _, tenant in ipairs(served) do
  redis.call('ZADD', TENANTS, string.format('%.9f', tenant.time), tenant.name)
end
if #chosen > 0 then
  local turn = next_turn(#chosen) - #chosen
  for _, lane in ipairs(touched) do
    if lane.last_served then
      redis.call('ZREM', TURNS, turn_member(lane))
      lane.turn = padded(turn + lane.last_served)
      redis.call('ZADD', TURNS, 0, turn_member(lane))
    end
  end
  redis.call('HSET', STATE, 'time', string.format('%.9f', present))
  redis.call('ZREMRANGEBYSCORE', IDLE, '-inf', string.format('%.9f', present))
end
for _, message in ipairs(chosen) do
  local lane = lane_of(message.tenant, message.lane)
  take_out(message, lane)
  if tonumber(message.ends) <= now then
    expire(message)
  else
    tokens = tokens + 1
    message.state, message.token = 'c', token .. tokens
    lane.claimed = lane.claimed + 1
    leases[message.id] = int(now + lease)
    write(message)
    claimed[#claimed + 1] = message
  end
end

local behind = false
for _, lane in ipairs(touched) do
  behind = behind or (lane.taken > 0 and lane.taken == lane.room and lane.ready > 0)
end

flush_places()
local next_ms = -1
if unswept then
  next_ms = 0
else
  for _, key in ipairs({ DUE, LEASES }) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then
      local in_ms = math.max(0, tonumber(first[2]) - now)
      if next_ms < 0 or in_ms < next_ms then next_ms = in_ms end
    end
  end
end
local reply = { int(next_ms), more and 1 or behind and 2 or 0, #claimed, #expired }
for _, message in ipairs(claimed) do describe(reply, message) end
for _, message in ipairs(expired) do describe(reply, message) end
finish()
return reply
