--- Walks JSON text that arrives in pieces and shows a sink the few values it watches, in constant memory.
--
-- A watch tree says what matters: a node is a table; `node.children[key]` is the node of that member. Objects of nodes
-- with children are entered; every other value is skipped by counting brackets, whatever its size or depth.
-- Positions given to the sink count bytes from 1 at the start of the text, across pieces. The sink has:
--   open(node, at)                     an entered object begins; `at` is the byte of its `{`
--   close(node, empty)                 that object is complete; `empty` when it has no members
--   value(node, kind, text, from, to)  a watched value that is not entered; `kind` is "object", "array", "string" or
--                                      "scalar"; `text` is nil when longer than MAX_TEXT (and for objects and arrays)
local byte, find, sub = string.byte, string.find, string.sub
local gsub, char, tonumber, setmetatable = string.gsub, string.char, tonumber, setmetatable

local _M = {}
local mt = { __index = _M }

-- The longest name that anybody watches has 22 letters, each of which may be spelled as six bytes.
local MAX_TEXT = 192
local QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
local LEFT_BRACE, RIGHT_BRACE, LEFT_BRACKET, RIGHT_BRACKET, Z = 123, 125, 91, 93, 90
local NESTING = { [LEFT_BRACE] = 1, [LEFT_BRACKET] = 1, [RIGHT_BRACE] = -1, [RIGHT_BRACKET] = -1 }
local BOM = { 0xEF, 0xBB, 0xBF }

local function set_of(bytes)
  local set = {}
  for i = 0, 255 do set[i] = false end
  for i = 1, #bytes do set[byte(bytes, i)] = true end
  return set
end

local SPACE = set_of(" \t\r\n")
-- NaN and Infinity are not JSON, but engines written in Python print them.
local SCALAR_START = set_of("-0123456789tfnNI")
local MARK = set_of("[]{}")
local SCALAR_END = set_of(",]} \t\r\n")

local at_start, at_value, at_first_key, at_key, at_colon, after_value, at_end, broken
local in_key, in_string, in_scalar, in_nested

--- Returns the index of the quote that ends the string which goes on at `s[i]`, or nil; remembers a cut escape.
local function string_end(self, s, i, j)
  local from = i
  if self.escaped then
    self.escaped = false
    from = i + 1
  end
  local start = from
  while true do
    local quote = find(s, '"', start, true)
    local last = quote and quote <= j and quote - 1 or j
    local before = last
    while before >= from and byte(s, before) == BACKSLASH do before = before - 1 end
    local odd = (last - before) % 2 == 1
    if last == j then
      self.escaped = odd
      return nil
    end
    if not odd then return quote end
    start = quote + 1
    from = start
  end
end

--- Adds `s[i..j]` to the text being kept; text that grows over the limit is given up.
local function keep(self, s, i, j)
  local text = self.text
  if not text then return end
  local length = j - i + 1
  if #text + length > MAX_TEXT then
    self.text = nil
  elseif length > 0 then
    self.text = text == "" and sub(s, i, j) or text .. sub(s, i, j)
  end
end

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

--- Returns what a JSON string without its quotes spells, as far as it is ASCII.
local function unescape(text)
  if not find(text, "\\", 1, true) then return text end
  text = gsub(text, "\\u00(%x%x)", function(hex) return char(tonumber(hex, 16)) end)
  return (gsub(text, "\\(.)", function(letter) return ESCAPES[letter] or letter end))
end

local function finish_value(self, kind, to)
  local node = self.node
  if node then self.sink:value(node, kind, self.text, self.from, to) end
  self.state = self.level == 0 and at_end or after_value
end

local function enter(self, at)
  local level = self.level + 1
  self.level = level
  self.path[level] = self.node
  self.sink:open(self.node, at)
  self.state = at_first_key
end

local function leave(self, empty)
  local level = self.level
  self.sink:close(self.path[level], empty)
  self.level = level - 1
  self.state = level == 1 and at_end or after_value
end

function at_start(self, s, i)
  local seen = self.bom + 1
  if byte(s, i) == BOM[seen] then
    self.bom = seen
    return i + 1
  end
  self.state = (seen == 1 or seen == 4) and at_value or broken
  return i
end

function at_value(self, s, i)
  local c = byte(s, i)
  if SPACE[c] then return i + 1 end
  self.from = self.shift + i
  self.text = self.node and "" or nil
  if c == QUOTE then
    self.escaped = false
    self.state = in_string
  elseif c == LEFT_BRACE and self.node and self.node.children then
    enter(self, self.from)
  elseif c == LEFT_BRACE or c == LEFT_BRACKET then
    self.kind = c == LEFT_BRACE and "object" or "array"
    self.text, self.depth, self.quoted, self.state = nil, 1, false, in_nested
  elseif SCALAR_START[c] then
    self.state = in_scalar
    return i
  else
    self.state = broken
  end
  return i + 1
end

function at_key(self, s, i)
  local c = byte(s, i)
  if SPACE[c] then return i + 1 end
  self.text, self.escaped = "", false
  self.state = c == QUOTE and in_key or broken
  return i + 1
end

function at_first_key(self, s, i)
  if byte(s, i) ~= RIGHT_BRACE then return at_key(self, s, i) end
  leave(self, true)
  return i + 1
end

function in_key(self, s, i, j)
  local quote = string_end(self, s, i, j)
  keep(self, s, i, (quote or j + 1) - 1)
  if not quote then return j + 1 end
  local key = self.text
  self.node = key and self.path[self.level].children[unescape(key)]
  self.state = at_colon
  return quote + 1
end

function at_colon(self, s, i)
  local c = byte(s, i)
  if SPACE[c] then return i + 1 end
  self.state = c == COLON and at_value or broken
  return i + 1
end

function in_string(self, s, i, j)
  local quote = string_end(self, s, i, j)
  keep(self, s, i, (quote or j + 1) - 1)
  if not quote then return j + 1 end
  finish_value(self, "string", self.shift + quote)
  return quote + 1
end

function in_scalar(self, s, i, j)
  local stop = i
  while stop <= j and not SCALAR_END[byte(s, stop)] do stop = stop + 1 end
  keep(self, s, i, stop - 1)
  if stop <= j then finish_value(self, "scalar", self.shift + stop - 1) end
  return stop
end

--- Returns the index of the next quote or bracket in `s[i..j]`, or j + 1.
local function next_mark(s, i, j)
  while i <= j do
    local c = byte(s, i)
    if c == QUOTE or c > Z and MARK[c] then return i end
    i = i + 1
  end
  return i
end

--- Skips an object or array that is not entered: only strings and brackets matter.
function in_nested(self, s, i, j)
  local depth, quoted = self.depth, self.quoted
  while i <= j do
    if quoted or byte(s, i) == QUOTE then
      local quote = string_end(self, s, quoted and i or i + 1, j)
      quoted = not quote
      i = quote or j
    else
      depth = depth + (NESTING[byte(s, i)] or 0)
      if depth == 0 then
        finish_value(self, self.kind, self.shift + i)
        return i + 1
      end
    end
    i = quoted and j + 1 or next_mark(s, i + 1, j)
  end
  self.depth, self.quoted = depth, quoted
  return i
end

function after_value(self, s, i)
  local c = byte(s, i)
  if SPACE[c] then return i + 1 end
  if c == COMMA then
    self.state = at_key
  elseif c == RIGHT_BRACE then
    leave(self, false)
  else
    self.state = broken
  end
  return i + 1
end

function at_end(self, s, i)
  if not SPACE[byte(s, i)] then self.state = broken end
  return i + 1
end

function broken(_, _, _, j)
  return j + 1
end

--- Makes a walker for one text after another; `root` is the watch node of the whole text.
function _M.new(root, sink)
  return setmetatable({ root = root, sink = sink, path = {} }, mt):reset()
end

--- Forgets the text walked so far and waits for a new one; returns the walker.
function _M:reset()
  self.state, self.node, self.level = at_start, self.root, 0
  self.walked, self.bom, self.escaped = 0, 0, false
  return self
end

--- Walks `s[i..j]`, the next piece of the text (all of `s` when `i` and `j` are left out).
function _M:feed(s, i, j)
  i, j = i or 1, j or #s
  self.shift = self.walked - i + 1
  self.walked = self.walked + j - i + 1
  while i <= j do i = self.state(self, s, i, j) end
end

--- Ends the text: true when it was one complete value or blank, false when it was cut or is not JSON.
function _M:finish()
  local state = self.state
  if state == in_scalar and self.level == 0 then
    self.shift = 0
    finish_value(self, "scalar", self.walked)
    return true
  end
  return state == at_end or (self.level == 0 and (state == at_value or state == at_start and self.bom == 0))
end

_M.unescape = unescape

return _M
