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
local function load_rows()
  return redis.call('ZREVRANGEBYLEX', ARRIVALS, '(' .. below, '[' .. tenant .. SEP, 'LIMIT', 0, LOOKED_AT)
end

-- Of a row: moment, id, lane, and the name of the group where it stands for one; its id is then the greatest in it.
local function parts_of(row) return string.match(row, '^[^\31]*\31([^\31]*)\31([^\31]*)\31([^\31]*)\31?(.*)$') end

local function is_wanted(lane)
  return wanted == '' or lane == wanted or (prefix and string.sub(lane, 1, #prefix) == prefix)
end

-- Opens the groups that this page comes to.
local rows, reached = load_rows(), 0
for _, row in ipairs(rows) do
  if reached >= limit then break end
  local _, _, lane, group = parts_of(row)
  if is_wanted(lane) then reached = reached + (group == '' and 1 or #open(group)) end
end
if opened_count > 0 then
  finish()
  rows = load_rows()
end

local reply, count = { '', '' }, 0
for at, row in ipairs(rows) do
  local moment, id, lane, group = parts_of(row)
  if is_wanted(lane) then
    -- Some before it were gone: the next call opens it.
    if group ~= '' then break end
    local message = read(id)
    if message and message.state ~= 'x' then
      bytes_left = bytes_left - tonumber(message.bytes)
      if bytes_left < 0 and count > 0 then break end
      describe(reply, message)
      local waits_first = (message.state == 'r' or message.state == 'd') and message.attempt == '1'
      reply[#reply + 1] = waits_first and 0 or 1
      count = count + 1
    else
      -- Ended or buried by a process of a release that did not know of this set.
      arrivals[row] = false
    end
  end
  if at == #rows and at < LOOKED_AT then
    reply[1], reply[2] = '', ''
  else
    reply[1], reply[2] = int(tonumber(moment)), id
    if count == limit then break end
  end
end
flush_places()
return reply
