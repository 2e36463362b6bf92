-- The vectors against the modules alone; the file of vectors comes from the test that runs this.
local cjson = require("cjson")
local answer = require("maas_llm_answer")
local request = require("maas_llm_request")

local function read(name)
  local file = assert(io.open(os.getenv("VECTORS"), "rb"))
  local found = cjson.decode(file:read("*a"))[name]
  file:close()
  return found
end

-- Bytes travel as text of one character per byte, which JSON writes as UTF-8.
local function bytes(text)
  return (text:gsub("[\194\195][\128-\191]", function(pair)
    local high, low = pair:byte(1, 2)
    return string.char((high - 192) * 64 + low - 128)
  end))
end

local function watch(vector, pieces)
  local format = answer.format(vector.status, vector.content_type, vector.encoding)
  if not format then return nil end
  local watched = answer.new(format)
  for _, piece in ipairs(pieces) do assert.equal(piece, watched:feed(piece)) end
  watched:finish()
  return watched
end

local function assert_counted(vector, watched)
  local usage = watched and watched.usage
  if vector.counts == cjson.null then
    assert.is_falsy(usage and usage.seen)
  else
    assert.same(vector.counts, { usage.prompt, usage.completion, usage.total })
  end
  if watched and not vector.aborted then assert.equal(vector.parse_errors, watched.parse_errors) end
end

local function decoded(pieces)
  local list = {}
  for i, piece in ipairs(pieces) do list[i] = bytes(piece) end
  return list
end

describe("an answer", function()
  for _, vector in ipairs(read("answers")) do
    it(vector.name, function() assert_counted(vector, watch(vector, decoded(vector.pieces))) end)
  end

  for _, vector in ipairs(read("answers")) do
    local whole = table.concat(decoded(vector.pieces))
    if #whole < 2000 then
      it(vector.name .. ", cut in two everywhere", function()
        for cut = 0, #whole do
          assert_counted(vector, watch(vector, { whole:sub(1, cut), whole:sub(cut + 1) }))
        end
      end)
    end
  end
end)

local function edited(text, size, continuous)
  local body = request.new(continuous)
  for i = 1, #text, size do body:feed(text:sub(i, i + size - 1)) end
  local edit, out = request.editor(body:edits()), {}
  for i = 1, #text, size do out[#out + 1] = edit(text:sub(i, i + size - 1)) end
  return table.concat(out), body
end

describe("a request", function()
  for _, vector in ipairs(read("requests")) do
    local sent, received = bytes(vector.sent), bytes(vector.received)
    it(vector.name, function()
      local text, body = edited(sent, math.max(#sent, 1))
      assert.is_true(received == text, text:sub(1, 200))
      assert.equal(vector.asked, body:asked())
    end)
    for _, size in ipairs({ 1, 2, 3, 7, 4096 }) do
      it(vector.name .. ", in pieces of " .. size, function()
        assert.is_true(received == edited(sent, size))
      end)
    end
  end
end)

describe("usage in every chunk", function()
  local function continuous(text) return (edited(text, #text, true)) end

  it("is asked for along with usage at the end", function()
    assert.equal('{"stream_options":{"include_usage":true,"continuous_usage_stats":true},"stream":true}',
      continuous('{"stream":true}'))
  end)

  it("is added to options that ask for usage at the end", function()
    assert.equal('{"stream":true,"stream_options":{"continuous_usage_stats":true,"include_usage":true}}',
      continuous('{"stream":true,"stream_options":{"include_usage":true}}'))
  end)

  it("replaces a refusal", function()
    local on = '{"stream":true,"stream_options":{"continuous_usage_stats":true,"include_usage":true}}'
    assert.equal(on, continuous('{"stream":true,"stream_options":{"continuous_usage_stats":false,"include_usage":0}}'))
  end)
end)

describe("hiding", function()
  local stream = read("stream")

  local function hidden(pieces)
    local watched, out = answer.new("sse", true), {}
    for i, piece in ipairs(pieces) do out[i] = watched:feed(piece, i == #pieces) end
    watched:finish()
    assert.equal(12, watched.usage.total)
    return table.concat(out)
  end

  for _, ending in ipairs({ "\n", "\r\n", "\r" }) do
    it("takes out only the chunk with usage, wherever the stream is cut: " .. cjson.encode(ending), function()
      local whole = stream.whole:gsub("\n", ending)
      local left = stream.hidden:gsub("\n", ending)
      for cut = 0, #whole do assert.equal(left, hidden({ whole:sub(1, cut), whole:sub(cut + 1) })) end
    end)
  end

  it("lets complete events pass at once", function()
    local watched = answer.new("sse", true)
    local event = 'data: {"choices":[{}]}\n\n'
    assert.equal(event, watched:feed(event .. "data", false))
    assert.equal("data: 1\n\n", watched:feed(": 1\n\n", false))
  end)

  it("holds no more than 64 KiB of an event", function()
    local watched, fed, out = answer.new("sse", true), 0, 0
    local piece = ("x"):rep(8192)
    for _ = 1, 100 do
      fed, out = fed + #piece, out + #watched:feed(piece, false)
      assert.is_true(fed - out <= 65536)
    end
  end)
end)

describe("a count", function()
  local usage = require("maas_llm_usage")

  it("is written as plain digits, however large", function()
    assert.equal("1000000000000000", usage.digits(usage.count("1e15")))
    assert.equal("9007199254740991", usage.digits(usage.count("9007199254740991")))
  end)

  for _, text in ipairs({ "-1", "9007199254740992", "1e999", "NaN", "Infinity", "-Infinity", "true", "0x10", "1.2.3" }) do
    it("is not " .. text, function() assert.is_nil(usage.count(text)) end)
  end
end)

describe("memory", function()
  local function grown(pieces, make)
    local watched = make()
    collectgarbage()
    local before, most = collectgarbage("count"), 0
    for i = 1, pieces do
      watched:feed(("y"):rep(8192))
      if i % 1000 == 0 then
        collectgarbage()
        most = math.max(most, collectgarbage("count") - before)
      end
    end
    return most
  end

  it("does not grow with a line of 96 MB", function()
    assert.is_true(grown(12000, function()
      local watched = answer.new("sse")
      watched:feed('data: {"x":"')
      return watched
    end) < 64)
  end)

  it("does not grow with a body of 96 MB", function()
    assert.is_true(grown(12000, function()
      local watched = answer.new("json")
      watched:feed('{"x":["')
      return watched
    end) < 64)
  end)

  it("does not grow with a name of 96 MB", function()
    assert.is_true(grown(12000, function()
      local watched = answer.new("json")
      watched:feed('{"')
      return watched
    end) < 64)
  end)

  it("does not grow with a count of 96 MB", function()
    assert.is_true(grown(12000, function()
      local watched = answer.new("json")
      watched:feed('{"usage":{"total_tokens":1')
      return watched
    end) < 64)
  end)
end)
