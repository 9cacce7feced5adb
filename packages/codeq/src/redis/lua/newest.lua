-- Lists durable messages that wait or are claimed, newest first. ARGV[3] tenant, ARGV[4] lane, or the beginning of lanes where
-- it ends with a slash, or '' for all; ARGV[5] and ARGV[6] moment and id of the place to go on after, '' for the newest;
-- ARGV[7] how many, ARGV[8] most bytes of bodies. Replies moment and id of the place to go on after, '' and '' at the end, then
-- the messages, each followed by 1 where it was claimed before, else 0. Those of other lanes are passed by, a bounded number
-- in one call.
local LOOKED_AT = 1000
local tenant, wanted, limit, bytes_left = ARGV[3], ARGV[4], tonumber(ARGV[7]), tonumber(ARGV[8])
local prefix = string.sub(wanted, -1) == '/' and wanted
local below = tenant .. END
if ARGV[5] ~= '' then below = arrival_place(tenant, ARGV[5], ARGV[6]) end
local rows = redis.call('ZREVRANGEBYLEX', ARRIVALS, '(' .. below, '[' .. tenant .. SEP, 'LIMIT', 0, LOOKED_AT)
local whole, next_row = #rows < LOOKED_AT, 1

local function is_wanted(lane)
  return wanted == '' or lane == wanted or (prefix and string.sub(lane, 1, #prefix) == prefix)
end

-- Of a row: moment, id, lane; of a record's, which has no id and so stands behind all others of its moment, its name too.
local function fields_of(row) return string.match(row, '^[^\31]*\31([^\31]*)\31([^\31]*)\31([^\31]*)\31?(.*)$') end

-- Whether an id stands before another here: by bytes, as in the set, not in the order of the server's locale.
local function is_newer(a, b)
  for at = 1, math.max(#a, #b) do
    local x, y = string.byte(a, at) or -1, string.byte(b, at) or -1
    if x ~= y then return x > y end
  end
  return false
end

local function records_at(moment)
  local place = arrival_place(tenant, moment, '') .. SEP
  return redis.call('ZRANGEBYLEX', ARRIVALS, '[' .. place, '(' .. tenant .. SEP .. moment .. SEP .. END)
end

-- Adds the messages of the records among rows that stand between two ids; '' for no bound.
local function add_members(found, among, newest_id, oldest_id)
  local before = #found
  for _, row in ipairs(among) do
    local _, _, lane, name = fields_of(row)
    local record = is_wanted(lane) and record_of(name)
    for number, id in ipairs(record and record.ids or {}) do
      if (newest_id == '' or is_newer(newest_id, id)) and (oldest_id == '' or is_newer(id, oldest_id)) then
        found[#found + 1] = { id = id, lane = lane, record = record, number = number }
      end
    end
  end
  if #found > before then table.sort(found, function(a, b) return is_newer(a.id, b.id) end) end
end

-- Replies a moment, what came in it, newest first, and whether that is all.
local function next_moment()
  local moment, found, records = nil, {}, {}
  while next_row <= #rows do
    local row = rows[next_row]
    local of, id, lane, name = fields_of(row)
    if moment and of ~= moment then break end
    moment, next_row = of, next_row + 1
    if name == '' then found[#found + 1] = { id = id, lane = lane, row = row } else records[#records + 1] = row end
  end
  local newest_id = ARGV[5] ~= '' and tonumber(moment) == tonumber(ARGV[5]) and ARGV[6] or ''
  if whole or next_row <= #rows then
    add_members(found, records, newest_id, '')
    return moment, found, true
  end
  -- The rows end within it: what stands behind the last of them is for the next call, unless that is a record's.
  local oldest_id = #records == 0 and found[#found].id or ''
  add_members(found, records_at(moment), newest_id, oldest_id)
  return moment, found, oldest_id == ''
end

local reply, count, full = { '', '' }, 0, false
while next_row <= #rows and not full do
  local moment, found, complete = next_moment()
  for at, one in ipairs(found) do
    if is_wanted(one.lane) then
      local message = one.record and member_of(one.record, one.number) or read(one.id)
      if message and message.state ~= 'x' then
        bytes_left = bytes_left - tonumber(message.bytes)
        full = bytes_left < 0 and count > 0
        if full then break end
        describe(reply, message)
        local waits_first = (message.state == 'r' or message.state == 'd') and message.attempt == '1'
        reply[#reply + 1] = waits_first and 0 or 1
        count = count + 1
      elseif one.row then
        -- Ended or buried by a process of a release that did not know of this set.
        arrivals[one.row] = false
      end
    end
    reply[1], reply[2] = int(tonumber(moment)), one.id
    full = count == limit and not (whole and next_row > #rows and at == #found)
    if full then break end
  end
  if complete and not full then reply[1], reply[2] = int(tonumber(moment)), '' end
end
if not full and whole then reply[1], reply[2] = '', '' end
flush_places()
return reply
