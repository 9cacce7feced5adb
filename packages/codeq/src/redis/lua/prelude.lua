-- Put before every script of a shard. All keys come in KEYS, in the order of `shard-keys.ts`, and none is computed:
-- KVRocks in its strict mode and Redis Cluster both demand that.
local META, BODY, READY, LANES = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local TURNS, TENANTS, IDLE, DUE = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local LEASES, DEAD, REASONS, DROPS = KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local STATE, WEIGHTS, ARRIVALS = KEYS[13], KEYS[14], KEYS[15]
local GRAVES, TALLIES = KEYS[16], KEYS[17]

-- Names hold no control characters (the driver sees to it), so this one separates them, and the next one ends a range.
local SEP, END = '\31', '\32'

-- ARGV[1]: the time a test wants, or '' for the server's own clock. ARGV[2]: the channel consumers listen on.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whole numbers below 2^53; as fractions they would cost twice as much to print.
local function int(number) return string.format('%d', number) end
local function padded(number) return string.format('%016d', number) end
local function last_part(text) return string.match(text, '[^\31]*$') end

-- A message's entry in META: fields ended by SEP. `due` and `expires` are the publisher's own times, `wait` and `ends`
-- the same moments on this server's clock; `class` is '0' for a returned message, which goes first.
local ENTRY = '^([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31' ..
  '([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31([^\31]*)\31$'

-- What this call read or changed; `flush` writes it, many fields in one command. Of `entries` false means gone.
local entries, changed, gone = {}, {}, {}
local dues, leases, readies, arrivals = {}, {}, {}, {}

-- Durable, ready messages that came together and differ in nothing but id and body are one record until somebody takes
-- one of them (`take_together` of publish.lua): a heading in META with their ids, their bodies as one text in BODY, SEP
-- between two. Its name, RECORD and the place of its first message, stands for them in READY, DUE and ARRIVALS, and is
-- the entry of each in META; no id can be one.
local RECORD = '\30'
-- tenant, lane, attempt, enqueued, due, expires, wait, ends, ids
local HEADING = '^' .. string.rep('([^\31]*)\31', 8) .. '(.*)$'
local opened_count = 0

local function is_record(name) return string.sub(name, 1, 1) == RECORD end

local function parts_of(text)
  local parts = {}
  for part in string.gmatch(text, '[^\31]+') do parts[#parts + 1] = part end
  return parts
end

local function record_of(name)
  local raw = redis.call('HGET', META, name)
  if not raw then return nil end
  local tenant, lane, attempt, enqueued, due, expires, wait, ends, ids = string.match(raw, HEADING)
  return { name = name, tenant = tenant, lane = lane, attempt = attempt, enqueued = enqueued, due = due,
    expires = expires, wait = wait, ends = ends, ids = parts_of(ids) }
end

-- Replies what a message of a record would be had it come alone, with its body.
local function member_of(record, number)
  record.bodies = record.bodies or parts_of(redis.call('HGET', BODY, record.name) or '')
  local body = record.bodies[number] or 'null'
  return { id = record.ids[number], state = 'r', tenant = record.tenant, lane = record.lane, attempt = record.attempt,
    sequence = padded(tonumber(string.sub(record.name, 2)) + number - 1), class = '1', durable = '1',
    enqueued = record.enqueued, due = record.due, expires = record.expires, wait = record.wait, ends = record.ends,
    bytes = int(#body), token = '', body = body }
end

local function parse(id, raw)
  local state, tenant, lane, attempt, sequence, class, durable, enqueued, due, expires, wait, ends, bytes, token =
    string.match(raw, ENTRY)
  local entry = { id = id, state = state, tenant = tenant, lane = lane, attempt = attempt, sequence = sequence,
    class = class, durable = durable, enqueued = enqueued, due = due, expires = expires, wait = wait, ends = ends,
    bytes = bytes, token = token }
  entries[id] = entry
  return entry
end

-- Reads a message that is to be changed: a record that it lies in is taken apart.
local open
local function read(id)
  local entry = entries[id]
  if entry ~= nil then return entry or nil end
  local raw = redis.call('HGET', META, id)
  if not raw then return nil end
  if not is_record(raw) then return parse(id, raw) end
  open(raw)
  return entries[id] or nil
end

-- Reads a message that is to be shown only.
local function look(id)
  local raw = redis.call('HGET', META, id)
  if not raw then return nil end
  if not is_record(raw) then return parse(id, raw) end
  local record = record_of(raw)
  for number, other in ipairs(record.ids) do
    if other == id then return member_of(record, number) end
  end
end

-- Reads a message that somebody has claimed, expired or buried: those of a record nobody has.
local function read_begun(id)
  local entry = entries[id]
  if entry ~= nil then return entry or nil end
  local raw = redis.call('HGET', META, id)
  return raw and not is_record(raw) and parse(id, raw) or nil
end

local function write(message)
  entries[message.id] = message
  changed[message.id] = message
end

local function entry_of(m)
  return table.concat({ m.state, m.tenant, m.lane, m.attempt, m.sequence, m.class, m.durable, m.enqueued, m.due,
    m.expires, m.wait, m.ends, m.bytes, m.token, '' }, SEP)
end

-- Lanes touched by this call, and what they were; `finish` writes those that changed.
local lanes = {}
local function lane_of(tenant, name)
  local key = tenant .. SEP .. name
  local lane = lanes[key]
  if lane then return lane end
  lane = { key = key, tenant = tenant, name = name, ready = 0, delayed = 0, claimed = 0, durable = 0, volatile = 0,
    turn = '', raw = redis.call('HGET', LANES, key) }
  if lane.raw then
    local ready, delayed, claimed, durable, volatile, turn =
      string.match(lane.raw, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d*)$')
    lane.ready, lane.delayed, lane.claimed = tonumber(ready), tonumber(delayed), tonumber(claimed)
    lane.durable, lane.volatile, lane.turn = tonumber(durable), tonumber(volatile), turn
  end
  lanes[key] = lane
  return lane
end

local function count_waiting(message, lane, by)
  if message.durable == '1' then lane.durable = lane.durable + by else lane.volatile = lane.volatile + by end
end

local function ready_member(message)
  return message.tenant .. SEP .. message.lane .. SEP .. message.class .. message.sequence .. SEP .. message.id
end

-- Durable messages that wait or are claimed stand among the arrivals of their tenant.
local function arrival_place(tenant, enqueued, id)
  return tenant .. SEP .. string.sub('000000000000000' .. enqueued, -16) .. SEP .. id
end

local function arrival_member(tenant, enqueued, id, lane)
  return arrival_place(tenant, enqueued, id) .. SEP .. lane
end

local function list(message, score)
  if message.durable ~= '1' then return end
  arrivals[arrival_member(message.tenant, message.enqueued, message.id, message.lane)] = score
end

-- Makes messages of their own of those of a record, which is written with everything else that changed. Replies their
-- ids, in order.
open = function(name)
  local record = record_of(name)
  dues[name] = false
  if not record then return {} end
  readies[record.tenant .. SEP .. record.lane .. SEP .. '1' .. string.sub(name, 2) .. SEP .. name] = false
  arrivals[arrival_member(record.tenant, record.enqueued, '', record.lane) .. SEP .. name] = false
  gone[#gone + 1] = name
  for number, id in ipairs(record.ids) do
    local message = member_of(record, number)
    readies[ready_member(message)] = '0'
    dues[id] = message.ends
    list(message, '0')
    write(message)
  end
  opened_count = opened_count + #record.ids
  return record.ids
end

-- Replies the messages that a name in READY or DUE stands for.
local function ids_of(name)
  if is_record(name) then return open(name) end
  return { name }
end

local function turn_member(lane) return lane.tenant .. SEP .. lane.turn .. SEP .. lane.name end

local function next_turn(by) return redis.call('HINCRBY', STATE, 'turn', by) end

-- Whether consumers must be told, and the lanes whose first message is another one now.
local woken, fresh = false, {}

-- Lets a lane take part in the rotation of its tenant, and the tenant in that of the shard: idling earns nothing.
local function enter(lane)
  if lane.turn ~= '' then return end
  lane.turn = padded(next_turn(1))
  redis.call('ZADD', TURNS, 0, turn_member(lane))
  if redis.call('ZSCORE', TENANTS, lane.tenant) then return end
  local past = tonumber(redis.call('ZSCORE', IDLE, lane.tenant) or 0)
  local present = tonumber(redis.call('HGET', STATE, 'time') or 0)
  redis.call('ZADD', TENANTS, string.format('%.9f', math.max(past, present)), lane.tenant)
  redis.call('ZREM', IDLE, lane.tenant)
end

-- Takes a lane with nothing ready out of the rotation, and its tenant with the last one.
local function leave(lane)
  if lane.ready > 0 or lane.turn == '' then return end
  redis.call('ZREM', TURNS, turn_member(lane))
  lane.turn = ''
  local left = redis.call('ZRANGEBYLEX', TURNS, '[' .. lane.tenant .. SEP, '(' .. lane.tenant .. END, 'LIMIT', 0, 1)
  if #left > 0 then return end
  local score = redis.call('ZSCORE', TENANTS, lane.tenant)
  redis.call('ZREM', TENANTS, lane.tenant)
  if score then redis.call('ZADD', IDLE, score, lane.tenant) end
end

-- Consumers set their alarms by the first moment at which a message is due or too old.
local first_due
local function alarm(moment)
  if woken then return end
  if not first_due then
    first_due = tonumber(redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')[2] or math.huge)
  end
  woken = moment < first_due
end

-- Watches when a message is due or too old.
local function watch(message, moment)
  alarm(moment)
  dues[message.id] = int(moment)
end

-- Makes a message ready. Returned ones stand before all others, in the order in which they came first.
local function make_ready(message, lane)
  if message.sequence == '' then message.sequence = padded(redis.call('HINCRBY', STATE, 'sequence', 1)) end
  message.state = 'r'
  if lane.ready == 0 then woken = true end
  if message.class == '0' then
    woken = true
    fresh[lane.key] = true
  end
  lane.ready = lane.ready + 1
  readies[ready_member(message)] = '0'
  watch(message, tonumber(message.ends))
  enter(lane)
  write(message)
end

-- Makes a message wait, ready at once or when it is due.
local function put(message, lane)
  count_waiting(message, lane, 1)
  message.token = ''
  local wait = tonumber(message.wait)
  if wait <= now then return make_ready(message, lane) end
  message.state = 'd'
  lane.delayed = lane.delayed + 1
  watch(message, math.min(wait, tonumber(message.ends)))
  write(message)
end

-- Takes a waiting message out of its lane; its entry is the caller's to remove or to write.
local function take_out(message, lane)
  count_waiting(message, lane, -1)
  dues[message.id] = false
  if message.state == 'd' then
    lane.delayed = lane.delayed - 1
  else
    lane.ready = lane.ready - 1
    readies[ready_member(message)] = false
    leave(lane)
  end
end

local function forget(message)
  list(message, false)
  entries[message.id] = false
  changed[message.id] = nil
  gone[#gone + 1] = message.id
end

-- Counts a tenant's dead letters and the bytes of their bodies. Replies both.
local function tally(tenant, count, bytes)
  local letters, size = string.match(redis.call('HGET', TALLIES, tenant) or '0 0', '^(%d+) (%d+)$')
  letters, size = tonumber(letters) + count, tonumber(size) + bytes
  if letters > 0 then
    redis.call('HSET', TALLIES, tenant, int(letters) .. ' ' .. int(size))
  else
    redis.call('HDEL', TALLIES, tenant)
  end
  return letters, size
end

-- Dead letters of a tenant stand beside one another in the order of their deaths.
local function grave_of(message, order) return message.tenant .. SEP .. padded(order) .. SEP .. message.id end

-- Takes a dead letter out of its places; its entry is the caller's to remove or to write.
local function unbury(message)
  local order = redis.call('ZSCORE', DEAD, message.id)
  redis.call('ZREM', DEAD, message.id)
  redis.call('ZREM', DROPS, message.id)
  redis.call('HDEL', REASONS, message.id)
  -- One that was buried by a release that did not count them is in no tally.
  if order and redis.call('ZREM', GRAVES, grave_of(message, tonumber(order))) == 1 then
    tally(message.tenant, -1, -tonumber(message.bytes))
  end
end

-- What a caller gets of a message, in the order `message-fields.ts` reads.
local function describe(into, message)
  local at = #into
  into[at + 1] = message.id
  into[at + 2] = message.tenant
  into[at + 3] = message.lane
  into[at + 4] = message.attempt
  into[at + 5] = message.enqueued
  into[at + 6] = message.due
  into[at + 7] = message.expires
  into[at + 8] = message.token
  into[at + 9] = message.body or redis.call('HGET', BODY, message.id) or 'null'
end

-- What brings the members of a sorted set to the scores they were given, false for none.
local NOTHING = {}
local function flush_scores(scores)
  if next(scores) == nil then return NOTHING, NOTHING end
  local set, unset = {}, {}
  for member, score in pairs(scores) do
    if score then
      set[#set + 1] = score
      set[#set + 1] = member
    else
      unset[#unset + 1] = member
    end
  end
  return set, unset
end

-- Writes the places of messages; what looks for messages in the sets must come after it.
local function flush_places()
  local set, unset = flush_scores(readies)
  if #set > 0 then redis.call('ZADD', READY, unpack(set)) end
  if #unset > 0 then redis.call('ZREM', READY, unpack(unset)) end
  set, unset = flush_scores(dues)
  if #set > 0 then redis.call('ZADD', DUE, unpack(set)) end
  if #unset > 0 then redis.call('ZREM', DUE, unpack(unset)) end
  set, unset = flush_scores(leases)
  if #set > 0 then redis.call('ZADD', LEASES, unpack(set)) end
  if #unset > 0 then redis.call('ZREM', LEASES, unpack(unset)) end
  set, unset = flush_scores(arrivals)
  if #set > 0 then redis.call('ZADD', ARRIVALS, unpack(set)) end
  if #unset > 0 then redis.call('ZREM', ARRIVALS, unpack(unset)) end
  readies, dues, leases, arrivals = {}, {}, {}, {}
end

local function flush_entries()
  if #gone > 0 then
    redis.call('HDEL', META, unpack(gone))
    redis.call('HDEL', BODY, unpack(gone))
  end
  -- Only what was taken out of a record has its body here.
  local metas, texts = {}, {}
  for id, message in pairs(changed) do
    metas[#metas + 1] = id
    metas[#metas + 1] = entry_of(message)
    if message.body then
      texts[#texts + 1] = id
      texts[#texts + 1] = message.body
    end
  end
  if #metas > 0 then redis.call('HSET', META, unpack(metas)) end
  if #texts > 0 then redis.call('HSET', BODY, unpack(texts)) end
end

-- Writes everything that changed and tells consumers. Nothing is left of a shard without messages but its weights.
local function finish()
  flush_places()
  flush_entries()
  for key, lane in pairs(lanes) do
    if lane.ready + lane.delayed + lane.claimed > 0 then
      local raw = lane.ready .. ' ' .. lane.delayed .. ' ' .. lane.claimed .. ' ' .. lane.durable .. ' ' ..
        lane.volatile .. ' ' .. lane.turn
      if raw ~= lane.raw then redis.call('HSET', LANES, key, raw) end
    elseif lane.raw then
      redis.call('HDEL', LANES, key)
    end
  end
  if #gone > 0 and redis.call('HLEN', META) == 0 then redis.call('DEL', STATE, IDLE) end
  if not woken then return end
  local named = {}
  for key in pairs(fresh) do named[#named + 1] = key end
  redis.call('PUBLISH', ARGV[2], table.concat(named, '\30'))
end
