-- Takes messages in. From ARGV[3] on, messages that differ in nothing but their id and body stand in a group: how many,
-- then tenant, lane, attempt, enqueued, due, expires, the last two again in milliseconds from now, the bound of the lane,
-- durable, and the id and body of each.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
-- It does what `put` of the prelude does for one message, with the texts of a group made once: tables and numbers
-- turned to text were most of what a publish cost.
local HEAD = 11
local ids, groups, total = {}, {}, 0
local at, last = 3, #ARGV
while at < last do
  local count = tonumber(ARGV[at])
  -- Where its first id stands; ids and bodies follow one another.
  local first = at + HEAD
  groups[#groups + 1] = { at = at, first = first, from = total, count = count }
  for n = 1, count do ids[total + n] = ARGV[first + 2 * n - 2] end
  total = total + count
  at = first + 2 * count
end
local known = redis.call('HMGET', META, unpack(ids))

local replies, seen, count = {}, {}, 0
for _, group in ipairs(groups) do
  local lane = lane_of(ARGV[group.at + 1], ARGV[group.at + 2])
  local kind = ARGV[group.at + 10] == '1' and 'durable' or 'volatile'
  local room = tonumber(ARGV[group.at + 9]) - lane[kind]
  local from, taken, length = group.from, {}, 0
  for n = 1, group.count do
    local id = ids[from + n]
    if known[from + n] or seen[id] then
      replies[from + n] = 0
    elseif room <= length then
      replies[from + n] = -1
    else
      seen[id] = true
      length = length + 1
      taken[length] = n
      replies[from + n] = 1
    end
  end
  lane[kind] = lane[kind] + length
  group.lane, group.taken, group.length = lane, taken, length
  count = count + length
end
if count == 0 then return replies end

local sequence = redis.call('HINCRBY', STATE, 'sequence', count) - count
-- What is written: names and values in turn. The length of a table is not asked for: Lua would search for it.
local entries_of, moments, places, arrived = {}, {}, {}, {}
local written, placed, listed = 0, 0, 0

local function put_bodies(group)
  local first = group.first
  if group.length == group.count then
    redis.call('HSET', BODY, unpack(ARGV, first, first + 2 * group.count - 1))
    return
  end
  local bodies = {}
  for k, n in ipairs(group.taken) do
    bodies[2 * k - 1] = ARGV[first + 2 * n - 2]
    bodies[2 * k] = ARGV[first + 2 * n - 1]
  end
  redis.call('HSET', BODY, unpack(bodies))
end

-- Lengths as texts: bodies of one function are often equally long.
local lengths = {}
local function length_of(body)
  local text = lengths[#body]
  if not text then
    text = int(#body)
    lengths[#body] = text
  end
  return text
end

-- Adds what is written of the messages that are taken of a group.
local function take(group)
  local at, lane, first = group.at, group.lane, group.first
  local attempt, enqueued, due, expires = ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local ends = now + tonumber(ARGV[at + 8])
  local wait = due == '0' and 0 or now + tonumber(ARGV[at + 7])
  local earliest, state, is_ready, is_durable = ends, 'r', wait <= now, ARGV[at + 10] == '1'
  if is_ready then
    if lane.ready == 0 then woken = true end
    lane.ready = lane.ready + group.length
    enter(lane)
  else
    state = 'd'
    lane.delayed = lane.delayed + group.length
    earliest = math.min(wait, ends)
  end
  alarm(earliest)
  local moment, wait_text = int(earliest), wait > 0 and int(wait) or '0'
  local before = state .. SEP .. lane.key .. SEP .. attempt .. SEP
  local after = table.concat({ '', '1', is_durable and '1' or '0', enqueued, due, expires, wait_text, int(ends), '' }, SEP)
  local ready_before = lane.key .. SEP .. '1'
  local arrival_before, arrival_after = arrival_place(lane.tenant, enqueued, ''), SEP .. lane.name
  local tail = SEP .. SEP
  for _, n in ipairs(group.taken) do
    local id, body, place = ARGV[first + 2 * n - 2], ARGV[first + 2 * n - 1], ''
    if is_ready then
      sequence = sequence + 1
      place = padded(sequence)
      places[placed + 1] = '0'
      places[placed + 2] = ready_before .. place .. SEP .. id
      placed = placed + 2
    end
    entries_of[written + 1] = id
    entries_of[written + 2] = before .. place .. after .. length_of(body) .. tail
    moments[written + 1] = moment
    moments[written + 2] = id
    written = written + 2
    if is_durable then
      arrived[listed + 1] = '0'
      arrived[listed + 2] = arrival_before .. id .. arrival_after
      listed = listed + 2
    end
  end
  put_bodies(group)
end

for _, group in ipairs(groups) do
  if group.length > 0 then take(group) end
end
redis.call('HSET', META, unpack(entries_of))
redis.call('ZADD', DUE, unpack(moments))
if placed > 0 then redis.call('ZADD', READY, unpack(places)) end
if listed > 0 then redis.call('ZADD', ARRIVALS, unpack(arrived)) end
finish()
return replies
