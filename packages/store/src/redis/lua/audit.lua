-- An audit event is what it began as, and its end once it has one.
-- A: id, event, its place among those of the tenant, and among those of all
function commands.auditBegin(K, A)
  local EVENTS, OF_TENANT, OF_ALL = unpack(K)
  if redis.call('HEXISTS', EVENTS, A[1]) == 1 then
    return 'CS_CONFLICT Audit event ' .. A[1] .. ' exists; use a new id'
  end
  redis.call('HSET', EVENTS, A[1], A[2])
  redis.call('ZADD', OF_TENANT, 0, A[3])
  redis.call('ZADD', OF_ALL, 0, A[4])
  return 1
end

-- A: id, end
function commands.auditEnd(K, A)
  local EVENTS, ENDS = unpack(K)
  if redis.call('HEXISTS', EVENTS, A[1]) == 0 or redis.call('HEXISTS', ENDS, A[1]) == 1 then return 0 end
  redis.call('HSET', ENDS, A[1], A[2])
  return 1
end

-- A: id, its place among those of the tenant, and among those of all
function commands.sweepAudit(K, A)
  local EVENTS, ENDS, OF_TENANT, OF_ALL = unpack(K)
  redis.call('ZREM', OF_TENANT, A[2])
  redis.call('ZREM', OF_ALL, A[3])
  redis.call('HDEL', ENDS, A[1])
  return redis.call('HDEL', EVENTS, A[1])
end
