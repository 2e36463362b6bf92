--- Brings token counts to 3scale's backend: one call at a time per credential; what arrives meanwhile is added up.
--
-- A worker runs at most RUNNERS timers, however slow the backend is and however many answers end. Each credential has
-- its own calls: backend drops a whole call silently when one credential in it was revoked meanwhile.
-- Time, the network and the counters come in as `deps`: timer(run), sleep(seconds), now(), exiting(), send(batch),
-- sent(batch), failed(batch or nil, reason, detail or nil), lost(batch, reason).
-- `send` returns "sent", "retry" (surely not counted) or "lost" (refused, or perhaps counted: sending it again could
-- count twice), and a reason.
local min, pcall, pairs, ipairs, setmetatable = math.min, pcall, pairs, ipairs, setmetatable

local _M = {}
local mt = { __index = _M }

local RUNNERS = 16
local MAX_CREDENTIALS = 20000
-- A timer's memory pool lives as long as the timer: a runner hands over to a fresh one after so many calls.
local CALLS_PER_RUNNER = 200
-- nginx may drop an accepted timer without a word when too many run; do not wait for such a runner for ever.
local STARTING_PATIENCE = 2
local FIRST_DELAY, LONGEST_DELAY, TICK, TICK_ON_EXIT = 0.2, 30, 0.2, 1

--- Makes a reporter that holds nothing.
function _M.new(deps)
  return setmetatable({
    deps = deps, entries = {}, count = 0, waiting = {}, head = 1, tail = 0, delayed = {}, running = 0,
  }, mt)
end

local function push(self, entry)
  self.tail = self.tail + 1
  self.waiting[self.tail] = entry
end

local function pop(self)
  local entry = self.waiting[self.head]
  if not entry then
    self.head, self.tail = 1, 0
    return nil
  end
  self.waiting[self.head] = nil
  self.head = self.head + 1
  return entry
end

local function has_waiting(self)
  return self.head <= self.tail
end

local function add_amounts(batch, amounts)
  for metric, amount in pairs(amounts) do
    batch.amounts[metric] = (batch.amounts[metric] or 0) + amount
  end
  batch.answers = batch.answers + 1
end

local function new_batch(answer)
  return {
    service = answer.service, credential_type = answer.credential_type, credential = answer.credential,
    timeout = answer.timeout, retries = answer.retries, amounts = {}, answers = 0, attempts = 0,
  }
end

local function forget(self, entry)
  entry.sending = nil
  if entry.gathering then
    push(self, entry)
  else
    self.entries[entry.id] = nil
    self.count = self.count - 1
  end
end

--- Sets an entry aside for a while, or gives its batch up; returns whether it was given up.
local function retry_later(self, entry, batch)
  batch.attempts = batch.attempts + 1
  if batch.attempts > batch.retries then
    forget(self, entry)
    return true
  end
  entry.due = self.deps.now() + min(FIRST_DELAY * 2 ^ (batch.attempts - 1), LONGEST_DELAY)
  self.delayed[#self.delayed + 1] = entry
  return false
end

-- The queue is put in order before anybody is told: an error in the telling must not leave an entry behind.
local function send(self, entry)
  local deps, batch = self.deps, entry.sending
  if not batch then
    batch, entry.gathering = entry.gathering, nil
    entry.sending = batch
  end
  local ok, outcome, reason = pcall(deps.send, batch)
  if ok and outcome == "sent" then
    forget(self, entry)
    return deps.sent(batch)
  end
  local given_up, detail = true, nil
  if not ok then outcome, reason, detail = "retry", "error", outcome end
  if outcome == "retry" then given_up = retry_later(self, entry, batch) else forget(self, entry) end
  if given_up then deps.lost(batch, reason) end
  deps.failed(batch, reason, detail)
end

--- Moves what is due from the delayed to the waiting entries; a worker that must exit tries all at every tick.
local function promote(self)
  local now, exiting, later = self.deps.now(), self.deps.exiting(), {}
  for _, entry in ipairs(self.delayed) do
    if exiting or entry.due <= now then
      push(self, entry)
    else
      later[#later + 1] = entry
    end
  end
  self.delayed = later
end

--- Sends until nothing is left; one runner stays for the delayed entries, the others go.
local function work(self)
  for _ = 1, CALLS_PER_RUNNER do
    local entry = pop(self)
    if entry then
      self:wake()
      send(self, entry)
    elseif #self.delayed == 0 or self.ticking then
      return
    else
      self.ticking = true
      self.deps.sleep(self.deps.exiting() and TICK_ON_EXIT or TICK)
      self.ticking = false
      promote(self)
    end
  end
end

local function run(self)
  self.starting = nil
  self.running = self.running + 1
  local ok, reason = pcall(work, self)
  self.running = self.running - 1
  if not ok then
    self.ticking = false
    self.deps.failed(nil, "runner", reason)
  end
  self:wake()
end

--- Starts a runner if there is work for one more and the bound allows it.
function _M:wake()
  local idle_delayed = #self.delayed > 0 and self.running == 0
  if not (has_waiting(self) or idle_delayed) or self.running >= RUNNERS then return end
  local now = self.deps.now()
  if self.starting and now - self.starting < STARTING_PATIENCE then return end
  local ok, reason = self.deps.timer(function() run(self) end)
  if ok then
    self.starting = now
  else
    self.deps.failed(nil, "timer", reason)
  end
end

--- Takes the counts of one answer: service, credential_type, credential, amounts (metric to tokens), timeout (seconds)
-- and retries.
function _M:add(answer)
  local id = answer.service.id .. ":" .. answer.credential_type .. ":" .. answer.credential
  local entry = self.entries[id]
  if not entry then
    if self.count >= MAX_CREDENTIALS then
      local batch = new_batch(answer)
      add_amounts(batch, answer.amounts)
      return self.deps.lost(batch, "queue_full")
    end
    entry = { id = id }
    self.entries[id] = entry
    self.count = self.count + 1
    push(self, entry)
  end
  entry.gathering = entry.gathering or new_batch(answer)
  add_amounts(entry.gathering, answer.amounts)
  self:wake()
end

return _M
