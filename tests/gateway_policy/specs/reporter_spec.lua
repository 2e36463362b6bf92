-- The reporter in virtual time: timers and sleeps are coroutines that a small loop runs in order.
local reporter = require("maas_llm_reporter")

local function world()
  local self = { clock = 0, tasks = {}, sent = {}, lost = {}, failed = 0, most = 0, running = 0, drop = false }

  local function resume(task)
    local ok, delay = coroutine.resume(task.thread)
    assert(ok, delay)
    if coroutine.status(task.thread) == "dead" then
      if task.timer then self.running = self.running - 1 end
    else
      task.at = self.clock + delay
      self.tasks[#self.tasks + 1] = task
    end
  end

  function self.run(limit)
    while #self.tasks > 0 do
      table.sort(self.tasks, function(a, b) return a.at < b.at or a.at == b.at and a.id < b.id end)
      if limit and self.tasks[1].at > limit then return end
      local task = table.remove(self.tasks, 1)
      self.clock = task.at
      resume(task)
    end
  end

  local id = 0
  self.reporter = reporter.new({
    timer = function(run)
      if self.refuse then return nil, "too many pending timers" end
      if self.drop then return true end
      id = id + 1
      self.running = self.running + 1
      self.most = math.max(self.most, self.running)
      self.tasks[#self.tasks + 1] = { id = id, at = self.clock, timer = true, thread = coroutine.create(run) }
      return true
    end,
    sleep = coroutine.yield,
    now = function() return self.clock end,
    exiting = function() return self.stopping or false end,
    send = function(batch)
      coroutine.yield(self.delay or 0.01)
      local outcome, reason = "sent", nil
      if self.answer then outcome, reason = self.answer(batch) end
      return outcome, reason
    end,
    sent = function(batch)
      self.sent[batch.credential] = (self.sent[batch.credential] or 0) + batch.amounts.total_tokens
      self.calls = (self.calls or 0) + 1
    end,
    failed = function() self.failed = self.failed + 1 end,
    lost = function(batch, reason)
      self.lost[reason] = (self.lost[reason] or 0) + batch.amounts.total_tokens
    end,
  })

  function self.add(key, amount)
    self.reporter:add({
      service = { id = "1" }, credential_type = "user_key", credential = key, amounts = { total_tokens = amount },
      timeout = 30, retries = 10,
    })
  end

  return self
end

local function total(counts)
  local sum = 0
  for _, count in pairs(counts) do sum = sum + count end
  return sum
end

describe("the reporter", function()
  it("adds up what ends while a report is under way", function()
    local at = world()
    for _ = 1, 1000 do at.add("a", 1) end
    at.run()
    assert.equal(1000, at.sent.a)
    assert.is_true(at.calls <= 2)
  end)

  it("loses nothing of 2,300 answers while backend takes ten seconds each, with few timers", function()
    local at = world()
    at.delay = 10
    for i = 1, 2300 do at.add("key" .. i, 12) end
    at.run()
    assert.equal(2300 * 12, total(at.sent))
    assert.is_true(at.most >= 16 and at.most <= 17, "timers: " .. at.most)
    assert.is_true(at.clock < 2300 / 16 * 10 * 1.1)
    assert.equal(0, at.reporter.count)
  end)

  it("sends again what surely was not counted, ever more slowly", function()
    local at, tries = world(), 0
    at.answer = function()
      tries = tries + 1
      if tries <= 5 then return "retry", "status_500" end
      return "sent"
    end
    at.add("a", 7)
    at.run()
    assert.same({ a = 7 }, at.sent)
    assert.is_true(at.clock > 6 and at.clock < 9, tostring(at.clock))
  end)

  it("gives up after its retries and counts what it lost", function()
    local at = world()
    at.answer = function() return "retry", "connection" end
    at.add("a", 7)
    at.run()
    assert.same({ connection = 7 }, at.lost)
    assert.equal(11, at.failed)
    assert.equal(0, at.reporter.count)
  end)

  it("reports what came meanwhile after giving up", function()
    local at, tries = world(), 0
    at.answer = function()
      tries = tries + 1
      if tries <= 11 then return "retry", "connection" end
      return "sent"
    end
    at.add("a", 7)
    at.run(50)
    at.add("a", 5)
    at.run()
    assert.same({ connection = 7 }, at.lost)
    assert.same({ a = 5 }, at.sent)
  end)

  it("does not let one failing key delay another", function()
    local at = world()
    at.answer = function(batch)
      if batch.credential == "bad" then return "retry", "status_500" end
      return "sent"
    end
    at.add("bad", 1)
    at.run(5)
    at.add("good", 2)
    at.run(5.1)
    assert.equal(2, at.sent.good)
  end)

  it("does not send again what was refused", function()
    local at = world()
    at.answer = function() return "lost", "status_403" end
    at.add("a", 7)
    at.run()
    assert.same({ status_403 = 7 }, at.lost)
    assert.equal(1, at.failed)
  end)

  it("takes an error for a failure", function()
    local at, tries = world(), 0
    at.answer = function()
      tries = tries + 1
      if tries == 1 then error("no such host") end
      return "sent"
    end
    at.add("a", 7)
    at.run()
    assert.equal(7, at.sent.a)
  end)

  it("goes on after nginx dropped its timer", function()
    local at = world()
    at.drop = true
    at.add("a", 1)
    at.drop, at.clock = false, 5
    at.add("a", 1)
    at.run()
    assert.equal(2, at.sent.a)
  end)

  it("goes on after nginx refused it a timer", function()
    local at = world()
    at.refuse = true
    at.add("a", 1)
    at.refuse = false
    at.add("b", 1)
    at.run()
    assert.same({ a = 1, b = 1 }, at.sent)
    assert.equal(1, at.failed)
  end)

  it("is bounded, and counts what it cannot hold", function()
    local at = world()
    at.drop = true
    for i = 1, 20010 do at.add("key" .. i, 1) end
    assert.same({ queue_full = 10 }, at.lost)
  end)

  it("ends soon when the worker must exit", function()
    local at = world()
    at.answer = function() return "retry", "connection" end
    at.add("a", 7)
    at.run(20)
    local began = at.clock
    at.stopping = true
    at.run()
    assert.is_true(at.clock - began > 2)
    assert.is_true(at.clock - began < 6, tostring(at.clock - began))
    assert.same({ connection = 7 }, at.lost)
  end)
end)
