--- Cuts a stream of server-sent events into the data of each event, in constant memory.
--
-- The data goes to `walker` (feed, finish, reset: see maas_llm_json) byte range by byte range, nothing is copied.
-- Lines end with LF, CRLF or CR, wherever the stream was cut; several data lines of an event are joined with LF.
-- After each event with data, `on_event(ok, last)` is called: `ok` is the walker's verdict, `last` the index in the
-- piece being fed of the event's last byte.
local byte, find, setmetatable, huge = string.byte, string.find, setmetatable, math.huge

local _M = {}
local mt = { __index = _M }

local LF, CR = 10, 13
local BOM = "\239\187\191"
local FIELD = "data:"

local function start_line(self)
  -- `matched` counts the bytes of FIELD seen; nil once the line is known to be no data line.
  self.blank, self.matched, self.begun = true, 0, false
end

--- Makes a parser at the start of a stream.
function _M.new(walker, on_event)
  local self = setmetatable({ walker = walker, on_event = on_event, bom = 1, after_cr = false, has_data = false }, mt)
  start_line(self)
  return self
end

--- Compares the start of a line with the field name; returns the index after what was compared.
local function match_field(self, s, i, j)
  local matched = self.matched
  while matched and matched < #FIELD and i <= j do
    matched = byte(s, i) == byte(FIELD, matched + 1) and matched + 1 or nil
    i = i + 1
  end
  self.matched = matched
  return i
end

local function line_part(self, s, i, j)
  if i > j then return end
  self.blank = false
  i = match_field(self, s, i, j)
  if self.matched ~= #FIELD or i > j then return end
  if not self.begun then
    self.begun = true
    if self.has_data then self.walker:feed("\n") end
    self.has_data = true
  end
  -- The space that may follow the colon is white space to the walker as well.
  self.walker:feed(s, i, j)
end

local function end_event(self, last)
  if not self.has_data then return end
  local ok = self.walker:finish()
  self.walker:reset()
  self.has_data = false
  self.on_event(ok, last)
end

--- Skips a byte order mark, wherever it is cut; returns the index after it.
local function skip_bom(self, s, i, j)
  while self.bom and i <= j do
    if byte(s, i) ~= byte(BOM, self.bom) then
      self.bom = nil
    else
      self.bom = self.bom < #BOM and self.bom + 1 or nil
      i = i + 1
    end
  end
  return i
end

--- Returns the index of the first byte that no longer belongs to the line ending begun before `s[i]`.
local function skip_lf_of_crlf(self, s, i)
  if not self.after_cr then return i end
  self.after_cr = false
  return byte(s, i) == LF and i + 1 or i
end

--- Parses the next piece of the stream.
function _M:feed(s)
  local i, j = 1, #s
  if j == 0 then return end
  i = skip_bom(self, s, i, j)
  if i <= j then i = skip_lf_of_crlf(self, s, i) end
  local lf, cr = 0, 0
  while i <= j do
    if lf < i then lf = find(s, "\n", i, true) or huge end
    if cr < i then cr = find(s, "\r", i, true) or huge end
    local eol = lf < cr and lf or cr
    if eol > j then
      line_part(self, s, i, j)
      return
    end
    line_part(self, s, i, eol - 1)
    local blank = self.blank
    start_line(self)
    self.after_cr = byte(s, eol) == CR
    i = eol + 1
    if i <= j then i = skip_lf_of_crlf(self, s, i) end
    if blank then end_event(self, i - 1) end
  end
end

--- Ends the stream; an event without its closing blank line still counts.
function _M:finish()
  end_event(self, 0)
end

return _M
