-- Takes messages in. ARGV[3] how many wait before those that stay together; from ARGV[4] on, messages that differ in
-- nothing but their id and body stand in a group: how many, then tenant, lane, attempt, enqueued, due, expires, the last
-- two again in milliseconds from now, the bound of the lane, durable, the id of each, and their bodies in one text, SEP
-- between two.
-- Replies a number each: 1 taken, 0 known already, -1 the lane is full.
-- It does what `put` of the prelude does for one message, with the texts of a group made once: tables and numbers
-- turned to text were most of what a publish cost, and texts themselves, since Lua reads each it makes to its end.
local HEAD = 11
-- Durable messages, this many and more, stay together where others wait before them: few save nothing, what is claimed at
-- once would only be taken apart, and whoever takes a record apart writes its bodies again.
local TOGETHER_MIN, TOGETHER_BYTES_MAX, BEFORE_MIN = 4, 32768, tonumber(ARGV[3])
local ids, groups, total = {}, {}, 0
local at, last = 4, #ARGV
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
-- What is written, names and values in turn. The length of a table is not asked for: Lua would search for it.
local metas, texts, moments, places, arrived = { n = 0 }, { n = 0 }, { n = 0 }, { n = 0 }, { n = 0 }
local function add(list, name, value)
  local n = list.n
  list[n + 1], list[n + 2] = name, value
  list.n = n + 2
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

-- Makes one record of a group: the prelude says how it is read.
local function take_together(group, said)
  local lane, last_id = group.lane, group.first + group.count - 1
  local place = padded(sequence + 1)
  local name = RECORD .. place
  for n = group.first, last_id do add(metas, ARGV[n], name) end
  local heading = { lane.tenant, lane.name, said.attempt, said.enqueued, said.due, said.expires, said.wait, said.ends,
    table.concat(ARGV, SEP, group.first, last_id) }
  add(metas, name, table.concat(heading, SEP))
  add(texts, name, group.bodies)
  add(moments, said.earliest, name)
  add(places, '0', lane.key .. SEP .. '1' .. place .. SEP .. name)
  add(arrived, '0', arrival_member(lane.tenant, said.enqueued, '', lane.name) .. SEP .. name)
  sequence = sequence + group.count
end

local function take_each(group, said)
  local lane, first = group.lane, group.first
  local before = said.state .. SEP .. lane.key .. SEP .. said.attempt .. SEP
  local after = table.concat({ '', '1', said.durable, said.enqueued, said.due, said.expires, said.wait, said.ends, '' },
    SEP)
  local ready_before, tail = lane.key .. SEP .. '1', SEP .. SEP
  local arrival_before, arrival_after = arrival_place(lane.tenant, said.enqueued, ''), SEP .. lane.name
  local bodies = group.count == 1 and { group.bodies } or parts_of(group.bodies)
  for _, n in ipairs(group.taken) do
    local id, body, place = ARGV[first + n - 1], bodies[n], ''
    if said.state == 'r' then
      sequence = sequence + 1
      place = padded(sequence)
      add(places, '0', ready_before .. place .. SEP .. id)
    end
    add(metas, id, before .. place .. after .. length_of(body) .. tail)
    add(texts, id, body)
    add(moments, said.earliest, id)
    if said.durable == '1' then add(arrived, '0', arrival_before .. id .. arrival_after) end
  end
end

-- Adds what is written of the messages that are taken of a group.
local function take(group)
  local at, lane = group.at, group.lane
  local due, before = ARGV[at + 5], lane.ready
  local ends, wait = now + tonumber(ARGV[at + 8]), due == '0' and 0 or now + tonumber(ARGV[at + 7])
  local is_ready, earliest = wait <= now, ends
  if is_ready then
    if before == 0 then woken = true end
    lane.ready = before + group.length
    enter(lane)
  else
    lane.delayed = lane.delayed + group.length
    earliest = math.min(wait, ends)
  end
  alarm(earliest)
  local said = { state = is_ready and 'r' or 'd', attempt = ARGV[at + 3], enqueued = ARGV[at + 4], due = due,
    expires = ARGV[at + 6], durable = ARGV[at + 10], wait = wait > 0 and int(wait) or '0', ends = int(ends),
    earliest = int(earliest) }
  local together = is_ready and said.durable == '1' and before >= BEFORE_MIN and group.length == group.count and
    group.count >= TOGETHER_MIN and #group.bodies <= TOGETHER_BYTES_MAX
  if together then take_together(group, said) else take_each(group, said) end
end

for _, group in ipairs(groups) do
  if group.length > 0 then take(group) end
end
redis.call('HSET', META, unpack(metas, 1, metas.n))
redis.call('HSET', BODY, unpack(texts, 1, texts.n))
redis.call('ZADD', DUE, unpack(moments, 1, moments.n))
if places.n > 0 then redis.call('ZADD', READY, unpack(places, 1, places.n)) end
if arrived.n > 0 then redis.call('ZADD', ARRIVALS, unpack(arrived, 1, arrived.n)) end
finish()
return replies
