-- A secret's shown part is its version, when it was made and last set, and its key.
-- A: namespace, name, key id, sealed value, now, most secrets of a namespace
function commands.secretPut(K, A)
  local SHOWN, SEALED, NAMES = unpack(K)
  local before = redis.call('HGET', SHOWN, A[2])
  local version, created = 0, A[5]
  if before then version, created = string.match(before, '^(%d+) (%d+) ') end
  local count = redis.call('HLEN', SHOWN)
  if not before and count >= tonumber(A[6]) then
    return 'CS_CONFLICT Namespace ' .. A[1] .. ' holds ' .. int(count) ..
      ' secrets, which is all it may; delete one first'
  end
  version = tonumber(version) + 1
  redis.call('HSET', SHOWN, A[2], int(version) .. ' ' .. created .. ' ' .. A[5] .. ' ' .. A[3])
  redis.call('HSET', SEALED, A[2], A[4])
  redis.call('ZADD', NAMES, 0, A[2])
  return { version, tonumber(created) }
end

-- A: name, key id, sealed value, what it was sealed as
function commands.secretReseal(K, A)
  local SHOWN, SEALED = unpack(K)
  if redis.call('HGET', SEALED, A[1]) ~= A[4] then return 0 end
  local times = string.match(redis.call('HGET', SHOWN, A[1]), '^%d+ %d+ %d+ ')
  redis.call('HSET', SHOWN, A[1], times .. A[2])
  redis.call('HSET', SEALED, A[1], A[3])
  return 1
end

-- A: namespace, name
function commands.secretDelete(K, A)
  local SHOWN, SEALED, NAMES = unpack(K)
  if redis.call('HDEL', SHOWN, A[2]) == 0 then
    return 'CS_NOT_FOUND There is no secret ' .. A[1] .. '/' .. A[2]
  end
  redis.call('HDEL', SEALED, A[2])
  redis.call('ZREM', NAMES, A[2])
  return 1
end

-- A: id, tenant, SHA-256 of the secret, record, moment of its revocation or '', place among the tenant's
function commands.tokenCreate(K, A)
  local TOKEN, OF_TENANT = unpack(K)
  if redis.call('EXISTS', TOKEN) == 1 then return 'CS_CONFLICT Token ' .. A[1] .. ' exists; use a new id' end
  redis.call('HSET', TOKEN, 'tenant', A[2], 'sha256', A[3], 'doc', A[4])
  if A[5] ~= '' then redis.call('HSET', TOKEN, 'revoked', A[5]) end
  redis.call('ZADD', OF_TENANT, 0, A[6])
  return 1
end

-- A: id, tenant, now. The first revocation stays.
function commands.tokenRevoke(K, A)
  local TOKEN = K[1]
  if redis.call('HGET', TOKEN, 'tenant') ~= A[2] then return 'CS_NOT_FOUND There is no token ' .. A[1] end
  if redis.call('HEXISTS', TOKEN, 'revoked') == 0 then redis.call('HSET', TOKEN, 'revoked', A[3]) end
  return 1
end

-- A: id, entry without its body, body. One that is there already gives way, and goes to the end.
function commands.journalAppend(K, A)
  local SEQUENCE, ORDER, ENTRIES, BODIES = unpack(K)
  redis.call('ZADD', ORDER, redis.call('INCR', SEQUENCE), A[1])
  redis.call('HSET', ENTRIES, A[1], A[2])
  redis.call('HSET', BODIES, A[1], A[3])
  return 1
end

-- A: id, entry without its body
function commands.journalUpdate(K, A)
  local ENTRIES = K[1]
  if redis.call('HEXISTS', ENTRIES, A[1]) == 1 then redis.call('HSET', ENTRIES, A[1], A[2]) end
  return 1
end

-- A: id
function commands.journalRemove(K, A)
  local ORDER, ENTRIES, BODIES = unpack(K)
  redis.call('ZREM', ORDER, A[1])
  redis.call('HDEL', ENTRIES, A[1])
  redis.call('HDEL', BODIES, A[1])
  return 1
end

-- A: now
function commands.probe(K, A)
  local PROBE = K[1]
  redis.call('SET', PROBE, A[1])
  return 1
end
