-- Takes messages in. From ARGV[3] on, messages that differ in nothing but their id and body stand in a group: how many,
-- then tenant, lane, attempt, enqueued, due, expires, the last two again in milliseconds from now, the bound of the lane,
-- durable, the id of each, and their bodies in one text, SEP between two.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
-- It does what `put` of the prelude does for one message, with the texts of a group made once: tables and numbers
-- turned to text were most of what a publish cost, with the texts themselves, which Lua reads to the end wherever one is
-- made. A group that is ready stays one record, unless it is small in number, where that saves nothing, or large in bytes,
-- since who opens it writes them again.
local HEAD, RECORD_COUNT_MIN, RECORD_BYTES_MAX = 11, 4, 65536
local ids, groups, total = {}, {}, 0
local at, last = 3, #ARGV
while at < last do
  local count = tonumber(ARGV[at])
  -- Where its first id stands.
  local first = at + HEAD
  groups[#groups + 1] = { at = at, first = first, from = total, count = count, bodies = ARGV[first + count] }
  for n = 1, count do ids[total + n] = ARGV[first + n - 1] end
  total = total + count
  at = first + count + 1
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
local entries_of, texts, moments, places, arrived = {}, {}, {}, {}, {}
local written, watched, placed, listed = 0, 0, 0, 0

-- Replies the body of each message of a group.
local function bodies_of(group)
  if group.count == 1 then return { group.bodies } end
  local bodies = {}
  for body in string.gmatch(group.bodies, '[^\31]+') do bodies[#bodies + 1] = body end
  return bodies
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
  if is_ready and group.length == group.count and group.length >= RECORD_COUNT_MIN and
    #group.bodies <= RECORD_BYTES_MAX then
      local place, greatest = padded(sequence + 1), ''
      local name = GROUP .. place
      for n = first, first + group.count - 1 do
        local id = ARGV[n]
        if id > greatest then greatest = id end
        entries_of[written + 1] = id
        entries_of[written + 2] = name
        written = written + 2
      end
      entries_of[written + 1] = name
      entries_of[written + 2] = table.concat({ lane.tenant, lane.name, attempt, ARGV[at + 10], enqueued, due, expires,
        wait_text, int(ends), greatest, table.concat(ARGV, SEP, first, first + group.count - 1) }, SEP)
      written = written + 2
      sequence = sequence + group.count
      watched = watched + 2
      moments[watched - 1], moments[watched] = moment, name
      placed = placed + 2
      places[placed - 1], places[placed] = '0', ready_before .. place .. SEP .. name
      if is_durable then
        listed = listed + 2
        arrived[listed - 1] = '0'
        arrived[listed] = arrival_member(lane.tenant, enqueued, greatest, lane.name) .. SEP .. name
      end
      texts[#texts + 1] = name
      texts[#texts + 1] = group.bodies
      return
  end
  local arrival_before, arrival_after = arrival_place(lane.tenant, enqueued, ''), SEP .. lane.name
  local tail, bodies = SEP .. SEP, bodies_of(group)
  for _, n in ipairs(group.taken) do
    local id, body, place = ARGV[first + n - 1], bodies[n], ''
    texts[#texts + 1] = id
    texts[#texts + 1] = body
    if is_ready then
      sequence = sequence + 1
      place = padded(sequence)
      places[placed + 1] = '0'
      places[placed + 2] = ready_before .. place .. SEP .. id
      placed = placed + 2
    end
    entries_of[written + 1] = id
    entries_of[written + 2] = before .. place .. after .. length_of(body) .. tail
    written = written + 2
    moments[watched + 1] = moment
    moments[watched + 2] = id
    watched = watched + 2
    if is_durable then
      arrived[listed + 1] = '0'
      arrived[listed + 2] = arrival_before .. id .. arrival_after
      listed = listed + 2
    end
  end
end

for _, group in ipairs(groups) do
  if group.length > 0 then take(group) end
end
redis.call('HSET', META, unpack(entries_of))
redis.call('HSET', BODY, unpack(texts))
redis.call('ZADD', DUE, unpack(moments))
if placed > 0 then redis.call('ZADD', READY, unpack(places)) end
if listed > 0 then redis.call('ZADD', ARRIVALS, unpack(arrived)) end
finish()
return replies
