-- A: namespace/name, name, record
function commands.functionCreate(K, A)
  local META, DELETED, INDEX, ACTIVE = unpack(K)
  if is_active(META, DELETED) then return 'CS_CONFLICT Function ' .. A[1] .. ' exists; choose another name' end
  redis.call('SET', META, A[3])
  redis.call('DEL', DELETED)
  redis.call('ZADD', INDEX, 0, A[2])
  redis.call('ZADD', ACTIVE, 0, A[2])
  return 1
end

-- A: namespace/name, name, moment
function commands.functionSoftDelete(K, A)
  local META, DELETED, ACTIVE = unpack(K)
  if not is_active(META, DELETED) then return no_function(A[1]) end
  redis.call('SET', DELETED, A[3])
  redis.call('ZREM', ACTIVE, A[2])
  return 1
end

-- A: namespace/name, alias, version, record
function commands.aliasSet(K, A)
  local META, DELETED, VERSION, ALIAS, ALIASES = unpack(K)
  if not is_active(META, DELETED) then return no_function(A[1]) end
  if redis.call('EXISTS', VERSION) == 0 then
    return 'CS_NOT_FOUND Function ' .. A[1] .. ' has no version ' .. A[3]
  end
  redis.call('SET', ALIAS, A[4])
  redis.call('ZADD', ALIASES, 0, A[2])
  return 1
end

-- A: namespace/name, alias
function commands.aliasDelete(K, A)
  local ALIAS, ALIASES = unpack(K)
  if redis.call('DEL', ALIAS) == 0 then
    return 'CS_NOT_FOUND Function ' .. A[1] .. ' has no alias ' .. A[2]
  end
  redis.call('ZREM', ALIASES, A[2])
  return 1
end
