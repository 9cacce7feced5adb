-- Takes messages in. From ARGV[3] on twelve values each: id, tenant, lane, attempt, enqueued, due, expires, the last two
-- again in milliseconds from now, the bound of the lane, durable, body.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
-- It does what `put` of the prelude does for one message, with the texts of a whole batch made at once: tables and numbers
-- turned to text were most of what a publish cost.
local SIZE = 12
local ids = {}
for at = 3, #ARGV, SIZE do ids[#ids + 1] = ARGV[at] end
local known = redis.call('HMGET', META, unpack(ids))

local replies, taken, lane_at, seen = {}, {}, {}, {}
for n, id in ipairs(ids) do
  local at = 3 + (n - 1) * SIZE
  if known[n] or seen[id] then
    replies[n] = 0
  else
    local lane = lane_of(ARGV[at + 1], ARGV[at + 2])
    local kind = ARGV[at + 10] == '1' and 'durable' or 'volatile'
    if lane[kind] >= tonumber(ARGV[at + 9]) then
      replies[n] = -1
    else
      seen[id] = true
      lane[kind] = lane[kind] + 1
      taken[#taken + 1] = at
      lane_at[at] = lane
      replies[n] = 1
    end
  end
end
if #taken == 0 then return replies end

-- Messages of a batch are much alike: moments of their end and sizes are the same numbers.
local texts = {}
local function text_of(number)
  local text = texts[number]
  if not text then
    text = int(number)
    texts[number] = text
  end
  return text
end

local sequence = redis.call('HINCRBY', STATE, 'sequence', #taken) - #taken
local entries_of, bodies, places, moments, arrived = {}, {}, {}, {}, {}
for n, at in ipairs(taken) do
  local id, lane, attempt, enqueued = ARGV[at], lane_at[at], ARGV[at + 3], ARGV[at + 4]
  local due, durable, body = ARGV[at + 5], ARGV[at + 10], ARGV[at + 11]
  local ends = now + tonumber(ARGV[at + 8])
  local wait = due == '0' and 0 or now + tonumber(ARGV[at + 7])
  local first, end_text = ends, text_of(ends)
  local state, place, wait_text, moment = 'r', '', '0', end_text
  if wait <= now then
    place = padded(sequence + n)
    if wait > 0 then wait_text = text_of(wait) end
    if lane.ready == 0 then woken = true end
    lane.ready = lane.ready + 1
    places[#places + 1] = '0'
    places[#places + 1] = lane.key .. SEP .. '1' .. place .. SEP .. id
    enter(lane)
  else
    state, wait_text = 'd', text_of(wait)
    lane.delayed = lane.delayed + 1
    if wait < ends then first, moment = wait, wait_text end
  end
  alarm(first)
  moments[2 * n - 1], moments[2 * n] = moment, id
  bodies[2 * n - 1], bodies[2 * n] = id, body
  entries_of[2 * n - 1] = id
  entries_of[2 * n] = state .. SEP .. lane.key .. SEP .. attempt .. SEP .. place .. SEP .. '1' .. SEP .. durable .. SEP ..
    enqueued .. SEP .. due .. SEP .. ARGV[at + 6] .. SEP .. wait_text .. SEP .. end_text .. SEP .. text_of(#body) .. SEP .. SEP
  if durable == '1' then
    arrived[#arrived + 1] = '0'
    arrived[#arrived + 1] = arrival_member(lane.tenant, enqueued, id, lane.name)
  end
end
redis.call('HSET', META, unpack(entries_of))
redis.call('HSET', BODY, unpack(bodies))
redis.call('ZADD', DUE, unpack(moments))
if #places > 0 then redis.call('ZADD', READY, unpack(places)) end
if #arrived > 0 then redis.call('ZADD', ARRIVALS, unpack(arrived)) end
finish()
return replies
