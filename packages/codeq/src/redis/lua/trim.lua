-- Takes away what has been dead for too long. ARGV[3] how long it is kept, in ms; ARGV[4] how many at most. Replies how many.
local ids = redis.call('ZRANGE', DEAD, 0, tonumber(ARGV[4]) - 1)
local count = 0
for _, id in ipairs(ids) do
  local message = read(id)
  -- The one before died before: what is left is younger.
  if message and message.state == 'x' and tonumber(message.due) > now - tonumber(ARGV[3]) then break end
  if message and message.state == 'x' then
    unbury(message)
    forget(message)
  else
    redis.call('ZREM', DEAD, id)
  end
  count = count + 1
end
finish()
return count
