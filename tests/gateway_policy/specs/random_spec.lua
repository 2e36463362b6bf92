-- Random streams cut at random, and random bytes; FUZZ_SECONDS sets how long the bytes go on.
local answer = require("maas_llm_answer")
local request = require("maas_llm_request")

local SECONDS = tonumber(os.getenv("FUZZ_SECONDS") or "2")
local SEED = tonumber(os.getenv("FUZZ_SEED") or os.time())
math.randomseed(SEED)
local random = math.random

local function one_of(list) return list[random(#list)] end

local function json_string()
  local parts = {}
  for i = 1, random(0, 8) do
    parts[i] = one_of({ "a", "é", "😀", '\\"', "\\\\", "\\n", "\\u0041", "{", "}", "[", "]", ":", ",", '\\"usage\\":{', " " })
  end
  return '"' .. table.concat(parts) .. '"'
end

local json_value

local function json_list(depth, open, close, item)
  local parts = {}
  for i = 1, random(0, 3) do parts[i] = item(depth) end
  return open .. table.concat(parts, one_of({ ",", " , " })) .. close
end

local function member(depth) return json_string() .. one_of({ ":", ": ", " :" }) .. json_value(depth) end

function json_value(depth)
  local kind = random(depth > 0 and 6 or 4)
  if kind == 5 then return json_list(depth - 1, "{", "}", member) end
  if kind == 6 then return json_list(depth - 1, "[", "]", json_value) end
  return one_of({ "null", "true", "-1.5e3", "12", json_string(), json_string() })
end

local function usage_object(counts)
  counts.prompt, counts.completion = random(0, 1000), random(0, 1000)
  counts.total = counts.prompt + counts.completion
  local format = '{"prompt_tokens":%d, "x":%s,"completion_tokens":%d%s}'
  local tail = one_of({ "", ',"total_tokens":' .. counts.total, ',"total_tokens":null' })
  return format:format(counts.prompt, json_value(1), counts.completion, tail)
end

local function event_of(data, newline)
  return one_of({ "", ": ping" .. newline .. newline, "event: x" .. newline, "id: 7" .. newline })
    .. "data:" .. one_of({ " ", "" }) .. data .. newline .. newline
end

local function random_stream(counts)
  local newline, events = one_of({ "\n", "\r\n", "\r" }), {}
  for _ = 1, random(1, 6) do
    local extra = ""
    if random(3) == 1 then
      extra = ',"usage":' .. usage_object(counts)
      counts.seen = true
    end
    events[#events + 1] = event_of('{"choices":' .. json_value(3) .. extra .. ',"y":' .. json_value(2) .. "}", newline)
  end
  if random(2) == 1 then events[#events + 1] = event_of("[DONE]", newline) end
  return table.concat(events)
end

local function cut_at_random(text)
  local pieces, at = {}, 1
  while at <= #text do
    local size = random(one_of({ 1, 5, 60, 500 }))
    pieces[#pieces + 1] = text:sub(at, at + size - 1)
    at = at + size
  end
  return pieces
end

local function tell(text) return "seed " .. SEED .. ": " .. string.format("%q", text) end

describe("random valid streams cut at random", function()
  it("count the same and pass unchanged", function()
    for _ = 1, 3000 do
      local counts = { seen = false, prompt = 0, completion = 0, total = 0 }
      local stream = random_stream(counts)
      local watched = answer.new("sse")
      for _, piece in ipairs(cut_at_random(stream)) do assert.equal(piece, watched:feed(piece)) end
      watched:finish()
      local usage = watched.usage
      local found = { seen = usage.seen, prompt = usage.prompt, completion = usage.completion, total = usage.total }
      assert.same(counts, found, tell(stream))
      assert.equal(0, watched.parse_errors, tell(stream))
    end
  end)
end)

describe("random valid requests cut at random", function()
  it("get the same edits as the whole", function()
    for _ = 1, 3000 do
      local text = '{"a":' .. json_value(3) .. ',"stream":' .. one_of({ "true", "false", "null" })
        .. one_of({ "", ',"stream_options":' .. json_value(2) }) .. ',"b":' .. json_value(2) .. "}"
      local whole, cut = request.new(), request.new()
      whole:feed(text)
      for _, piece in ipairs(cut_at_random(text)) do cut:feed(piece) end
      assert.same(whole:edits(), cut:edits(), tell(text))
    end
  end)
end)

local PARTS = {
  "data:", "data: ", "\n", "\r\n", "\r", "\n\n", "{", "}", "[", "]", '"', "\\", ":", ",", '"usage"', '"usage":{', "true",
  '"total_tokens":', '"prompt_tokens":', "1", "1e400", "-", "null", "[DONE]", '"stream":true', '"stream_options"', "\0",
  "\255", "\239\187\191", "é", '"choices":[]', '"response":{', '"message":{', " ",
}

local function noise()
  local parts = {}
  for i = 1, random(0, 30) do
    parts[i] = random(6) == 1 and string.char(random(0, 255)) or one_of(PARTS)
  end
  return table.concat(parts)
end

local function sane(count) return count >= 0 and count < 2 ^ 53 and count == math.floor(count) end

local function read_noise(text)
  for _, format in ipairs({ "sse", "json" }) do
    local watched = answer.new(format, random(4) == 1)
    local hides, out, pieces = watched.held ~= nil, {}, cut_at_random(text)
    for i, piece in ipairs(pieces) do out[i] = watched:feed(piece, i == #pieces) end
    watched:finish()
    assert(hides or table.concat(out) == text, "changed")
    assert(sane(watched.usage.total) and sane(watched.usage.prompt), "no count")
  end
  local body = request.new(random(2) == 1)
  for _, piece in ipairs(cut_at_random(text)) do body:feed(piece) end
  request.editor(body:edits())(text)
end

local function read_noise_for(seconds)
  local began, runs = os.clock(), 0
  repeat
    local text = noise()
    local ok, reason = pcall(read_noise, text)
    if not ok then error(tell(text) .. tostring(reason)) end
    runs = runs + 1
  until os.clock() - began > seconds
  -- Compiled code counts as memory too, and more of it comes with each odd text.
  jit.flush()
  collectgarbage()
  collectgarbage()
  return runs, collectgarbage("count")
end

describe("random bytes", function()
  it("raise no error and grow no memory", function()
    local _, before = read_noise_for(SECONDS / 2)
    local runs, after = read_noise_for(SECONDS / 2)
    assert.is_true(after - before < 256, "grew by KiB: " .. after - before)
    if os.getenv("FUZZ_SECONDS") then io.stderr:write(runs, " random texts in the second half\n") end
  end)
end)
