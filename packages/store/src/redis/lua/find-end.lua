-- Looks for the group that holds an id. ARGV: id, moment it was made, earliest moment such a group begins, groups passed
-- over, groups looked at. Replies how many there were to look at, and the document that holds it, if any.
local GROUPS, DOCS = KEYS[1], KEYS[2]
local places = redis.call('ZRANGEBYSCORE', GROUPS, ARGV[3], ARGV[2], 'LIMIT', ARGV[4], ARGV[5])
for _, place in ipairs(places) do
  local number, last = string.match(place, '^(%d+) (%d+) ')
  if tonumber(last) >= tonumber(ARGV[2]) then
    local document = redis.call('HGET', DOCS, number)
    if document and string.find(document, ARGV[1], 1, true) then return { #places, document } end
  end
end
return { #places }
