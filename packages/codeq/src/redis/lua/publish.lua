-- Takes messages in. From ARGV[3] on, messages that differ in nothing but their id and body stand in a group: how many,
-- then tenant, lane, attempt, enqueued, due, expires, the last two again in milliseconds from now, the bound of the lane,
-- durable, and the id and body of each.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
-- It does what `put` of the prelude does for one message, with the texts of a group made once: tables and numbers
-- turned to text were most of what a publish cost.
local HEAD = 11
local ids, bodies_in, groups = {}, {}, {}
local at = 3
while at < #ARGV do
  local from, count = #ids, tonumber(ARGV[at])
  groups[#groups + 1] = { at = at, from = from, to = from + count }
  for n = 1, count do
    ids[from + n] = ARGV[at + HEAD + 2 * n - 2]
    bodies_in[from + n] = ARGV[at + HEAD + 2 * n - 1]
  end
  at = at + HEAD + 2 * count
end
local known = redis.call('HMGET', META, unpack(ids))

local replies, seen, count = {}, {}, 0
for _, group in ipairs(groups) do
  local lane = lane_of(ARGV[group.at + 1], ARGV[group.at + 2])
  local kind = ARGV[group.at + 10] == '1' and 'durable' or 'volatile'
  local room = tonumber(ARGV[group.at + 9]) - lane[kind]
  group.lane, group.taken = lane, {}
  for n = group.from + 1, group.to do
    local id = ids[n]
    if known[n] or seen[id] then
      replies[n] = 0
    elseif room <= 0 then
      replies[n] = -1
    else
      seen[id] = true
      room = room - 1
      count = count + 1
      lane[kind] = lane[kind] + 1
      group.taken[#group.taken + 1] = n
      replies[n] = 1
    end
  end
end
if count == 0 then return replies end

local sequence = redis.call('HINCRBY', STATE, 'sequence', count) - count
local entries_of, bodies, places, moments, arrived = {}, {}, {}, {}, {}
local function add(list, name, value)
  list[#list + 1] = name
  list[#list + 1] = value
end

-- Adds what is written of the messages that are taken of a group.
local function take(group)
  local at, lane = group.at, group.lane
  local attempt, enqueued, due, expires = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local ends = now + tonumber(ARGV[at + 8])
  local wait = due == '0' and 0 or now + tonumber(ARGV[at + 7])
  local first, state, is_ready, is_durable = ends, 'r', wait <= now, ARGV[at + 10] == '1'
  if is_ready then
    if lane.ready == 0 then woken = true end
    lane.ready = lane.ready + #group.taken
    enter(lane)
  else
    state = 'd'
    lane.delayed = lane.delayed + #group.taken
    first = math.min(wait, ends)
  end
  alarm(first)
  local moment, wait_text = int(first), wait > 0 and int(wait) or '0'
  local before = state .. SEP .. lane.key .. SEP .. attempt .. SEP
  local after = table.concat({ '', '1', is_durable and '1' or '0', enqueued, due, expires, wait_text, int(ends), '' }, SEP)
  local ready_before = lane.key .. SEP .. '1'
  local arrival_before, arrival_after = arrival_place(lane.tenant, enqueued, ''), SEP .. lane.name
  for _, n in ipairs(group.taken) do
    local id, body, place = ids[n], bodies_in[n], ''
    if is_ready then
      sequence = sequence + 1
      place = padded(sequence)
      add(places, '0', ready_before .. place .. SEP .. id)
    end
    add(entries_of, id, before .. place .. after .. #body .. SEP .. SEP)
    add(bodies, id, body)
    add(moments, moment, id)
    if is_durable then add(arrived, '0', arrival_before .. id .. arrival_after) end
  end
end

for _, group in ipairs(groups) do
  if #group.taken > 0 then take(group) end
end
redis.call('HSET', META, unpack(entries_of))
redis.call('HSET', BODY, unpack(bodies))
redis.call('ZADD', DUE, unpack(moments))
if #places > 0 then redis.call('ZADD', READY, unpack(places)) end
if #arrived > 0 then redis.call('ZADD', ARRIVALS, unpack(arrived)) end
finish()
return replies
