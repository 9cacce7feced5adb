-- A: namespace/name, draft, sha256, end, record, bytes, the draft's place among all drafts
function commands.draftPut(K, A)
  local META, DELETED, DRAFT, DRAFTS, BYTES, USERS = unpack(K)
  if not is_active(META, DELETED) then return no_function(A[1]) end
  if redis.call('EXISTS', DRAFT) == 1 then return 'CS_CONFLICT Draft ' .. A[2] .. ' exists; use a new id' end
  redis.call('HSET', DRAFT, 'doc', A[5], 'sha256', A[3], 'expires', A[4], 'consumed', '0')
  redis.call('ZADD', DRAFTS, A[4], A[7])
  redis.call('SET', BYTES, A[6], 'NX')
  redis.call('SADD', USERS, A[7])
  return 1
end

local function why_not(DRAFT, A)
  local sha256, expires, consumed = unpack(redis.call('HMGET', DRAFT, 'sha256', 'expires', 'consumed'))
  if not sha256 then return 'CS_NOT_FOUND There is no draft ' .. A[2] .. '; upload it again' end
  if consumed == '1' then
    return 'CS_CONFLICT Draft ' .. A[2] .. ' was published before; upload a new one'
  end
  if tonumber(expires) <= tonumber(A[5]) then
    return 'CS_CONFLICT Draft ' .. A[2] .. ' has expired; upload it again'
  end
  if sha256 ~= A[3] then
    return "CS_VALIDATION_FAILED The version's sha256 is not that of draft " .. A[2]
  end
end

-- A: namespace/name, draft, sha256, record without its number, now, number before the first of the keys of versions,
-- alias or '', the same as JSON. K ends with keys of versions, one of which is the next: where none is, nothing is written, and the
-- reply is a list with the newest number, by which the caller finds the right keys.
function commands.versionPublish(K, A)
  local META, DELETED, SEQUENCE, DRAFT, PUBLISHED, ALIAS, ALIASES = unpack(K, 1, 7)
  if not is_active(META, DELETED) then return no_function(A[1]) end
  local refusal = why_not(DRAFT, A)
  if refusal then return refusal end
  local newest = tonumber(redis.call('GET', SEQUENCE) or 0)
  local VERSION = newest >= tonumber(A[6]) and K[7 + newest + 1 - tonumber(A[6])] or nil
  if not VERSION then return { int(newest) } end
  local number = int(newest + 1)
  redis.call('SET', SEQUENCE, number)
  redis.call('SET', VERSION, '{"version":' .. number .. ',' .. string.sub(A[4], 2))
  redis.call('SET', PUBLISHED, '1')
  redis.call('HSET', DRAFT, 'consumed', '1')
  if A[7] ~= '' then
    redis.call('SET', ALIAS, '{"alias":' .. A[8] .. ',"version":' .. number .. ',"updated_at_ms":' .. A[5] .. '}')
    redis.call('ZADD', ALIASES, 0, A[7])
  end
  return newest + 1
end

-- A: bytes
function commands.bundleMend(K, A)
  local PUBLISHED, BYTES = unpack(K)
  redis.call('SET', BYTES, A[1])
  redis.call('SET', PUBLISHED, '1')
  return 1
end

-- A: the draft's place among all drafts
function commands.sweepDraft(K, A)
  local DRAFT, DRAFTS, BYTES, USERS, PUBLISHED = unpack(K)
  if redis.call('ZREM', DRAFTS, A[1]) == 0 then return 0 end
  local removed = redis.call('DEL', DRAFT)
  redis.call('SREM', USERS, A[1])
  if redis.call('SCARD', USERS) == 0 and redis.call('EXISTS', PUBLISHED) == 0 then
    removed = removed + redis.call('DEL', BYTES)
  end
  return removed
end
