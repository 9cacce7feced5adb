-- A lease is its holder, its epoch and its end, as texts: what is compared is what was written.
-- A: holder, now, end, epoch and end of a lease that counts as run out
function commands.leaseAcquire(K, A)
  local LEASE = K[1]
  local epoch, ends = unpack(redis.call('HMGET', LEASE, 'epoch', 'until'))
  local isStale = epoch == A[4] and ends == A[5]
  if epoch and tonumber(ends) > tonumber(A[2]) and not isStale then return 0 end
  local following = tonumber(epoch or 0) + 1
  redis.call('HSET', LEASE, 'holder', A[1], 'epoch', int(following), 'until', A[3])
  return following
end

-- A: epoch, end
function commands.leaseRenew(K, A)
  local LEASE = K[1]
  if redis.call('HGET', LEASE, 'epoch') ~= A[1] then return 0 end
  redis.call('HSET', LEASE, 'until', A[2])
  return 1
end

-- A: epoch. It goes on at once, so that nothing of the term that is over passes any more.
function commands.leaseRelease(K, A)
  local LEASE = K[1]
  if redis.call('HGET', LEASE, 'epoch') ~= A[1] then return 0 end
  redis.call('HSET', LEASE, 'holder', '', 'epoch', int(tonumber(A[1]) + 1), 'until', '0')
  return 1
end

-- A: holder, epoch of a term that was decided elsewhere
function commands.leaseRaise(K, A)
  local LEASE = K[1]
  local holder, epoch = unpack(redis.call('HMGET', LEASE, 'holder', 'epoch'))
  if epoch == A[2] and holder == A[1] then return 1 end
  if epoch and tonumber(epoch) >= tonumber(A[2]) then return 0 end
  redis.call('HSET', LEASE, 'holder', A[1], 'epoch', A[2], 'until', '0')
  return 1
end

-- Whether a write may happen: there is no fence, or the lease still has its epoch.
local function is_fenced_in(LEASE, epoch)
  return not LEASE or redis.call('HGET', LEASE, 'epoch') == epoch
end
