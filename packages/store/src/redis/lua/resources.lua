-- Named things of one kind: generation and record by place, and the places in order. A place is tenant, namespace, name.
-- A: place, record, first and last place of the namespace, most it may hold, what is said of a name that is taken, and of a
-- namespace that is full
function commands.resourceCreate(K, A)
  local DOCS, PLACES = unpack(K)
  if redis.call('HEXISTS', DOCS, A[1]) == 1 then return 'CS_CONFLICT ' .. A[6] end
  if redis.call('ZLEXCOUNT', PLACES, A[3], A[4]) >= tonumber(A[5]) then return 'CS_CONFLICT ' .. A[7] end
  redis.call('HSET', DOCS, A[1], '1 ' .. A[2])
  redis.call('ZADD', PLACES, 0, A[1])
  return 1
end

-- A: place, generation, record, then with a lease its epoch
function commands.resourceReplace(K, A)
  local DOCS, LEASE = unpack(K)
  if not is_fenced_in(LEASE, A[4]) then return 0 end
  local before = redis.call('HGET', DOCS, A[1])
  if not before or string.match(before, '^%d+') ~= A[2] then return 0 end
  redis.call('HSET', DOCS, A[1], int(tonumber(A[2]) + 1) .. ' ' .. A[3])
  return 1
end

-- A: place, generation or ''
function commands.resourceDelete(K, A)
  local DOCS, PLACES = unpack(K)
  local before = redis.call('HGET', DOCS, A[1])
  if not before or (A[2] ~= '' and string.match(before, '^%d+') ~= A[2]) then return 0 end
  redis.call('HDEL', DOCS, A[1])
  redis.call('ZREM', PLACES, A[1])
  return 1
end
