--- Watches one answer of a model server go by and knows its token usage at any time, in constant memory.
local json = require("maas_llm_json")
local sse = require("maas_llm_sse")
local usage = require("maas_llm_usage")
local byte, find, lower, sub, concat = string.byte, string.find, string.lower, string.sub, table.concat
local setmetatable = setmetatable

local _M = {}
local mt = { __index = _M }

-- With hiding, an event that is cut is held until it is complete; one that grows over this goes out unhidden.
local MAX_HELD = 65536
local LF = 10

--- Returns how to read an answer: "json", "sse", or nil when nothing in it can be counted.
function _M.format(status, content_type, content_encoding)
  if status < 200 or status > 299 or not content_type then return nil end
  if content_encoding and content_encoding ~= "" and lower(content_encoding) ~= "identity" then return nil end
  content_type = lower(content_type)
  if find(content_type, "^%s*text/event%-stream%s*;?") then return "sse" end
  if find(content_type, "^%s*application/json%s*;?") or find(content_type, "^%s*application/[%w.-]+%+json") then
    return "json"
  end
end

local function watch_events(self)
  return sse.new(self.walker, function(ok, last)
    local counted = self.usage
    if not ok then self.parse_errors = self.parse_errors + 1 end
    if self.held then self:release(last, counted.updated and counted.no_choices) end
    counted:next_event()
  end)
end

--- Makes the watcher of an answer in `format` ("json" or "sse"); with `hide`, chunks of a stream that hold usage and no
--- choices are taken out.
function _M.new(format, hide)
  local self = setmetatable({ usage = usage.new(), parse_errors = 0, finished = false }, mt)
  self.walker = json.new(usage.WATCH, self.usage)
  if format == "sse" then self.events = watch_events(self) end
  if hide and self.events then self.held, self.from = "", 1 end
  return self
end

--- Decides about the event that ends at `last` of the piece being fed.
function _M:release(last, hidden)
  if not hidden then
    local out = self.out
    out[#out + 1] = self.held
    out[#out + 1] = sub(self.piece, self.from, last)
  end
  self.held, self.from, self.hidden = "", last + 1, hidden
end

--- Lets the LF pass whose CR was the last byte of the piece before, and of an event.
local function complete_crlf(self, piece)
  if self.held ~= "" or not self.events.after_cr or byte(piece, 1) ~= LF then return end
  self.from = 2
  if not self.hidden then self.out[1] = "\n" end
end

local function feed_hiding(self, piece, eof)
  self.piece, self.from, self.out = piece, 1, {}
  complete_crlf(self, piece)
  self.events:feed(piece)
  local out, rest = self.out, self.held .. sub(piece, self.from)
  self.piece, self.out = nil, nil
  if eof or #rest > MAX_HELD then
    out[#out + 1], rest = rest, ""
  end
  self.held = rest
  return concat(out)
end

--- Reads the next piece; returns what the client gets: the same piece, unless something is hidden.
function _M:feed(piece, eof)
  if self.held then return feed_hiding(self, piece, eof) end
  (self.events or self.walker):feed(piece)
  return piece
end

--- Ends the answer: what was not closed properly is counted as far as it is complete.
function _M:finish()
  self.finished = true
  if self.events then
    self.held = nil
    self.events:finish()
  elseif not self.walker:finish() then
    self.parse_errors = self.parse_errors + 1
  end
end

return _M
