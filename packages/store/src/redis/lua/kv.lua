-- The data of one namespace: values by key, keys in order, ends by key, bytes in all. EXPIRING has the first end of each
-- namespace that has one.
local function kv_size(VALUES, key)
  if redis.call('HEXISTS', VALUES, key) == 0 then return 0 end
  return #key + redis.call('HSTRLEN', VALUES, key)
end

local function kv_remove(K, key)
  local VALUES, KEYS_IN_ORDER, ENDS, BYTES = unpack(K)
  redis.call('INCRBY', BYTES, -kv_size(VALUES, key))
  redis.call('HDEL', VALUES, key)
  redis.call('ZREM', KEYS_IN_ORDER, key)
  redis.call('ZREM', ENDS, key)
end

local function kv_expiring(K, scope)
  local ENDS, EXPIRING = K[3], K[5]
  local first = redis.call('ZRANGE', ENDS, 0, 0, 'WITHSCORES')
  if first[2] then redis.call('ZADD', EXPIRING, first[2], scope) else redis.call('ZREM', EXPIRING, scope) end
end

-- A: tenant and namespace as EXPIRING has them, key, value, end or '', quota, now
function commands.kvSet(K, A)
  local VALUES, KEYS_IN_ORDER, ENDS, BYTES = unpack(K)
  local scope, key, quota, now = A[1], A[2], tonumber(A[5]), A[6]
  local size = #key + #A[3]
  local function over()
    return tonumber(redis.call('GET', BYTES) or 0) - kv_size(VALUES, key) + size > quota
  end
  -- What nobody can read any more must not keep a live value out.
  while over() do
    local expired = redis.call('ZRANGEBYSCORE', ENDS, '-inf', now, 'LIMIT', 0, 1)[1]
    if not expired then
      kv_expiring(K, scope)
      return 'CS_PAYLOAD_TOO_LARGE The namespace would hold more than its ' .. A[5] ..
        ' bytes; delete keys or let them expire'
    end
    kv_remove(K, expired)
  end
  redis.call('INCRBY', BYTES, size - kv_size(VALUES, key))
  redis.call('HSET', VALUES, key, A[3])
  redis.call('ZADD', KEYS_IN_ORDER, 0, key)
  if A[4] == '' then redis.call('ZREM', ENDS, key) else redis.call('ZADD', ENDS, A[4], key) end
  kv_expiring(K, scope)
  return 1
end

-- A: tenant and namespace as EXPIRING has them, key, now
function commands.kvDelete(K, A)
  local VALUES, _, ENDS = unpack(K)
  if redis.call('HEXISTS', VALUES, A[2]) == 0 then return 0 end
  local ends = redis.call('ZSCORE', ENDS, A[2])
  kv_remove(K, A[2])
  kv_expiring(K, A[1])
  if ends and tonumber(ends) <= tonumber(A[3]) then return 0 end
  return 1
end

-- A: tenant and namespace as EXPIRING has them, now, most entries
function commands.sweepKv(K, A)
  local ENDS = K[3]
  local expired = redis.call('ZRANGEBYSCORE', ENDS, '-inf', A[2], 'LIMIT', 0, A[3])
  for _, key in ipairs(expired) do kv_remove(K, key) end
  kv_expiring(K, A[1])
  return #expired
end
