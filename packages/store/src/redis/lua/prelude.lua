-- Every write of the store, and what carries out those of one batch in order: see `dispatch.lua`, which ends the script.
-- A command gets its own keys K and arguments A. All keys come in KEYS, and none is computed: KVRocks in its strict mode
-- and Redis Cluster both demand that. A command replies a number or a list; a text is a refusal, and then it wrote nothing.
local commands = {}

local function int(number) return string.format('%.0f', number) end
local function padded(number) return string.format('%016.0f', number) end

local function is_active(META, DELETED)
  return redis.call('EXISTS', META) == 1 and redis.call('EXISTS', DELETED) == 0
end

local function no_function(name) return 'CS_NOT_FOUND There is no function ' .. name end
