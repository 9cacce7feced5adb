-- A record is its document and its state: status, attempt, and its place in the indexes, which never changes.
local function state_of(STATUS)
  local raw = redis.call('GET', STATUS)
  if not raw then return nil end
  local status, attempt, place = string.match(raw, '^(%a+) (%d+) (.*)$')
  return { open = status == 'queued' or status == 'running', attempt = tonumber(attempt), place = place }
end

-- A: status, attempt, record, moment it was queued, the rest of its place
local function insert(K, A)
  local META, STATUS, OF_TENANT, OF_FUNCTION, OPEN, ENDED, SEQUENCE = unpack(K)
  local place = padded(tonumber(A[4])) .. padded(redis.call('INCR', SEQUENCE)) .. A[5]
  redis.call('SET', META, A[3])
  redis.call('SET', STATUS, A[1] .. ' ' .. A[2] .. ' ' .. place)
  redis.call('ZADD', OF_TENANT, 0, place)
  redis.call('ZADD', OF_FUNCTION, 0, place)
  if A[1] == 'queued' or A[1] == 'running' then
    redis.call('ZADD', OPEN, 0, place)
  else
    redis.call('ZADD', ENDED, 0, place)
  end
  return 1
end

-- A: as `insert`, then the id
function commands.activationCreate(K, A)
  local STATUS = K[2]
  if redis.call('EXISTS', STATUS) == 1 then
    return 'CS_CONFLICT Activation ' .. A[6] .. ' exists; read it instead'
  end
  return insert(K, A)
end

-- A: status, attempt, record
function commands.activationUpdate(K, A)
  local META, STATUS = unpack(K)
  local state = state_of(STATUS)
  if not state or not state.open or state.attempt > tonumber(A[2]) then return 0 end
  redis.call('SET', META, A[3])
  redis.call('SET', STATUS, A[1] .. ' ' .. A[2] .. ' ' .. state.place)
  return 1
end

-- A: as `insert`
function commands.activationFinish(K, A)
  local META, STATUS, _, _, OPEN, ENDED = unpack(K)
  local state = state_of(STATUS)
  if not state then return insert(K, A) end
  if not state.open or state.attempt > tonumber(A[2]) then return 0 end
  redis.call('SET', META, A[3])
  redis.call('SET', STATUS, A[1] .. ' ' .. A[2] .. ' ' .. state.place)
  redis.call('ZREM', OPEN, state.place)
  redis.call('ZADD', ENDED, 0, state.place)
  return 1
end

-- A: its place, and that of its log
function commands.sweepActivation(K, A)
  local META, STATUS, OF_TENANT, OF_FUNCTION, ENDED, CHUNKS, WRITTEN = unpack(K)
  local removed = redis.call('DEL', META) + redis.call('DEL', CHUNKS)
  redis.call('DEL', STATUS)
  redis.call('ZREM', OF_TENANT, A[1])
  redis.call('ZREM', OF_FUNCTION, A[1])
  redis.call('ZREM', ENDED, A[1])
  redis.call('ZREM', WRITTEN, A[2])
  return removed
end

-- A: first and last moment, ends, document, parts, then for each key of parts its last moment, padded, and 1 where
-- something in it failed, else 0.
function commands.activationsAppend(K, A)
  local SEQUENCE, DOCS, PARTS, GROUPS = unpack(K, 1, 4)
  local sequence = redis.call('INCR', SEQUENCE)
  redis.call('HSET', DOCS, int(sequence), A[4])
  redis.call('HSET', PARTS, int(sequence), A[5])
  redis.call('ZADD', GROUPS, A[1], int(sequence) .. ' ' .. A[2] .. ' ' .. A[3])
  for at = 5, #K do
    local PART = K[at]
    local arg = 2 * at - 4
    redis.call('ZADD', PART, 0, A[arg] .. padded(sequence) .. A[arg + 1])
  end
  return 1
end

-- A: the group's number, its place, its ends, then its place in each key of parts
function commands.sweepGroup(K, A)
  local DOCS, PARTS, GROUPS = unpack(K, 1, 3)
  if redis.call('ZREM', GROUPS, A[2]) == 0 then return 0 end
  redis.call('HDEL', DOCS, A[1])
  redis.call('HDEL', PARTS, A[1])
  for at = 4, #K do
    local PART = K[at]
    redis.call('ZREM', PART, A[at])
  end
  return tonumber(A[3])
end

-- A: place among all logs, now, lines
function commands.logsAppend(K, A)
  local CHUNKS, WRITTEN = unpack(K)
  for at = 3, #A, 1000 do redis.call('RPUSH', CHUNKS, unpack(A, at, math.min(at + 999, #A))) end
  redis.call('ZADD', WRITTEN, A[2], A[1])
  return 1
end

-- A: place among all logs, moment before which it was last written
function commands.sweepLog(K, A)
  local CHUNKS, WRITTEN = unpack(K)
  local written = redis.call('ZSCORE', WRITTEN, A[1])
  if not written or tonumber(written) >= tonumber(A[2]) then return 0 end
  redis.call('ZREM', WRITTEN, A[1])
  return redis.call('DEL', CHUNKS)
end
