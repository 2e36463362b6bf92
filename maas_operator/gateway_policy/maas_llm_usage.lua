--- The token usage of one answer, gathered from the usage objects in it.
--
-- Engines repeat cumulative usage objects: they are never added up. A later object overwrites field by field, and a
-- total that it lacks is worked out anew.
local match, floor, tonumber, setmetatable = string.match, math.floor, tonumber, setmetatable
local pairs, format = pairs, string.format

local _M = {}
local mt = { __index = _M }

-- Above this, a double no longer holds every whole number, so no sum of reports could be exact.
local LIMIT = 2 ^ 53

local USAGE = {
  usage = true,
  children = {
    prompt_tokens = { field = "prompt" },
    input_tokens = { field = "prompt" },
    completion_tokens = { field = "completion" },
    output_tokens = { field = "completion" },
    total_tokens = { field = "total" },
  },
}

--- The watch tree (see maas_llm_json) of an answer: usage at the top, in `response` or in `message`, and `choices`.
_M.WATCH = {
  children = {
    usage = USAGE,
    response = { children = { usage = USAGE } },
    message = { children = { usage = USAGE } },
    choices = { choices = true },
  },
}

--- Returns the whole number of tokens that a JSON scalar stands for, or nil when it is no credible count.
function _M.count(text)
  if not match(text, "^%d+%.?%d*[eE]?[+-]?%d*$") then return nil end
  local number = tonumber(text)
  if not number or number >= LIMIT then return nil end
  return floor(number)
end

--- Returns a token count as plain digits; Lua itself would print large ones as 1e+15.
function _M.digits(count)
  return format("%.0f", count)
end

--- Makes the usage of an answer in which nothing was seen yet; it is a sink for maas_llm_json.
function _M.new()
  return setmetatable({ seen = false, prompt = 0, completion = 0, total = 0, object = {} }, mt)
end

function _M:open(node)
  if not node.usage then return end
  local object = self.object
  object.prompt, object.completion, object.total = nil, nil, nil
end

function _M:value(node, kind, text, from, to)
  if node.field and kind == "scalar" and text then
    self.object[node.field] = _M.count(text)
  elseif node.choices then
    self.no_choices = kind == "array" and to - from == 1
  end
end

--- Takes over the fields of a usage object once it is complete: a cut one may hold half a number.
function _M:close(node)
  if not node.usage then return end
  local object = self.object
  if not (object.prompt or object.completion or object.total) then return end
  for field, count in pairs(object) do self[field] = count end
  if not object.total then self.total = self.prompt + self.completion end
  self.seen, self.updated = true, true
end

--- Forgets what the last event held (`no_choices`, `updated`), not what was counted.
function _M:next_event()
  self.no_choices, self.updated = false, false
end

return _M
