--- Works out how to make a streaming request ask for usage, as edits of its text: the rest stays byte for byte.
local json = require("maas_llm_json")
local lower, sub, concat = string.lower, string.sub, table.concat
local setmetatable, ipairs, tonumber = setmetatable, ipairs, tonumber

local _M = {}
local mt = { __index = _M }

-- What pydantic takes for true, and so what vLLM takes for a stream: nobody escapes metering by spelling.
local TRUE_STRINGS = { ["true"] = true, t = true, yes = true, y = true, on = true, ["1"] = true }

local WATCH = {
  top = true,
  children = {
    stream = { stream = true },
    stream_options = {
      options = true,
      children = {
        include_usage = { option = "include_usage" },
        continuous_usage_stats = { option = "continuous_usage_stats" },
      },
    },
  },
}

local function means_true(kind, text)
  if not text then return false end
  if kind == "string" then return TRUE_STRINGS[lower(json.unescape(text))] or false end
  return kind == "scalar" and (text == "true" or tonumber(text) == 1)
end

--- Makes the reader of one request body; `continuous` asks for usage in each chunk as well, which vLLM knows.
function _M.new(continuous)
  local self = setmetatable({ wanted = { "include_usage", continuous and "continuous_usage_stats" or nil } }, mt)
  self.walker = json.new(WATCH, self)
  return self
end

function _M:open(node, at)
  if node.top then
    self.first = at + 1
  else
    self.options = { object = true, first = at + 1 }
  end
end

function _M:close(node, empty)
  if node.options then self.options.empty = empty end
end

function _M:value(node, kind, text, from, to)
  local value = { from = from, to = to, yes = means_true(kind, text), exact = kind == "scalar" and text == "true" }
  if node.stream then
    self.stream = value
  elseif node.options then
    self.options = value
    value.null = kind == "scalar" and text == "null"
  elseif node.option then
    self.options[node.option] = value
  end
end

--- Reads the next piece of the body.
function _M:feed(piece)
  self.walker:feed(piece)
end

--- True when the client itself asked for usage on the stream.
function _M:asked()
  local asked = self.options and self.options.include_usage
  return (asked and asked.yes) or false
end

local function members(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = '"' .. name .. '":true' end
  return concat(list, ",")
end

local function replace(value, text)
  return { at = value.from, drop = value.to - value.from + 1, text = text }
end

local function complete_options(options, wanted)
  local edits, missing = {}, {}
  for _, name in ipairs(wanted) do
    local value = options[name]
    if not value then
      missing[#missing + 1] = name
    elseif not value.exact then
      edits[#edits + 1] = replace(value, "true")
    end
  end
  if #missing > 0 then
    local text = members(missing) .. (options.empty and "" or ",")
    edits[#edits + 1] = { at = options.first, drop = 0, text = text }
  end
  table.sort(edits, function(a, b) return a.at < b.at end)
  return edits
end

--- Ends the body and returns the edits that make its stream carry usage, in order; none where nothing is to change.
function _M:edits()
  if not self.walker:finish() or not (self.stream and self.stream.yes) then return {} end
  local options, object = self.options, "{" .. members(self.wanted) .. "}"
  if not options then return { { at = self.first, drop = 0, text = '"stream_options":' .. object .. "," } } end
  if options.null then return { replace(options, object) } end
  -- Anything else than an object is the client's mistake, which the engine refuses.
  return options.object and complete_options(options, self.wanted) or {}
end

--- Returns a function that applies edits to a text given piece by piece and returns each piece as edited.
function _M.editor(edits)
  local next_edit, passed, drop = 1, 0, 0
  return function(piece)
    local out, i = {}, 1
    while i <= #piece do
      local edit = edits[next_edit]
      if drop > 0 then
        local dropped = math.min(drop, #piece - i + 1)
        drop, i = drop - dropped, i + dropped
      elseif edit and edit.at - passed <= #piece then
        out[#out + 1] = sub(piece, i, edit.at - passed - 1)
        out[#out + 1] = edit.text
        i, drop, next_edit = edit.at - passed, edit.drop, next_edit + 1
      else
        out[#out + 1] = sub(piece, i)
        break
      end
    end
    passed = passed + #piece
    return concat(out)
  end
end

return _M
