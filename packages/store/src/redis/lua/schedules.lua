-- Where a schedule stands is JSON that is written here alone, always in this order of fields: what is compared is its
-- beginning. `cs:schedule:due` has those of all tenants that run, by moment and uid; a path is tenant, namespace, name.
local function schedule_state(uid, seq, generation, when)
  return '{"uid":' .. uid .. ',"tick_seq":' .. seq .. ',"generation":' .. generation .. ',' .. when
end

local function due_place(state, path)
  local uid = string.match(state, '^{"uid":"([^"]*)"')
  local due = string.match(state, '"due_at_ms":(%d+)')
  return due and padded(tonumber(due)) .. '\31' .. uid .. '\31' .. path
end

local function move_schedule(STATE, DUE, before, state, path)
  local from, to = before and due_place(before, path), due_place(state, path)
  redis.call('SET', STATE, state)
  if from and from ~= to then redis.call('ZREM', DUE, from) end
  if to then redis.call('ZADD', DUE, 0, to) end
  return 1
end

-- A: path, name, uid as JSON, record, when it goes on as JSON, most schedules of a namespace, what is said of a name that
-- is taken, and of a namespace that is full
function commands.scheduleCreate(K, A)
  local META, STATE, INDEX, DUE = unpack(K)
  if redis.call('EXISTS', META) == 1 then return 'CS_CONFLICT ' .. A[7] end
  if redis.call('ZCARD', INDEX) >= tonumber(A[6]) then return 'CS_CONFLICT ' .. A[8] end
  redis.call('SET', META, A[4])
  redis.call('ZADD', INDEX, 0, A[2])
  return move_schedule(STATE, DUE, nil, schedule_state(A[3], '1', '1', A[5]), A[1])
end

-- A: path, uid as JSON, generation of the changed record, record, when it goes on as JSON
function commands.scheduleReplace(K, A)
  local META, STATE, DUE = unpack(K)
  local before = redis.call('GET', STATE)
  if not before then return 0 end
  local seq = string.match(before, '"tick_seq":(%d+)')
  local expected = schedule_state(A[2], seq, int(tonumber(A[3]) - 1), '')
  if string.sub(before, 1, #expected) ~= expected then return 0 end
  redis.call('SET', META, A[4])
  return move_schedule(STATE, DUE, before, schedule_state(A[2], int(tonumber(seq) + 1), A[3], A[5]), A[1])
end

-- A: path, name, what is said where there is none
function commands.scheduleDelete(K, A)
  local META, STATE, INFLIGHT, INDEX, DUE = unpack(K)
  local before = redis.call('GET', STATE)
  if not before then return 'CS_NOT_FOUND ' .. A[3] end
  local place = due_place(before, A[1])
  if place then redis.call('ZREM', DUE, place) end
  redis.call('ZREM', INDEX, A[2])
  redis.call('DEL', META)
  redis.call('DEL', STATE)
  redis.call('DEL', INFLIGHT)
  return 1
end

-- A: path, uid as JSON, number of the tick it was read with, number of the next, when that is as JSON, activation in flight
-- or '', then with a lease its epoch
function commands.scheduleAdvance(K, A)
  local STATE, INFLIGHT, DUE, LEASE = unpack(K)
  if not is_fenced_in(LEASE, A[7]) then return 0 end
  local before = redis.call('GET', STATE)
  if not before then return 0 end
  local generation = string.match(before, '"generation":(%d+)')
  local expected = schedule_state(A[2], A[3], generation, '')
  if string.sub(before, 1, #expected) ~= expected then return 0 end
  if A[6] == '' then redis.call('DEL', INFLIGHT) else redis.call('SET', INFLIGHT, A[6]) end
  return move_schedule(STATE, DUE, before, schedule_state(A[2], A[4], generation, A[5]), A[1])
end
