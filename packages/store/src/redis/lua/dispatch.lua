-- ARGV: for each command its name, how many keys and how many arguments it has, then these. KEYS: those of each in turn.
local replies, key, at = {}, 0, 1
while at <= #ARGV do
  local keys, arguments = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local K, A = {}, {}
  for index = 1, keys do K[index] = KEYS[key + index] end
  for index = 1, arguments do A[index] = ARGV[at + 2 + index] end
  replies[#replies + 1] = commands[ARGV[at]](K, A)
  key, at = key + keys, at + 3 + arguments
end
return replies
